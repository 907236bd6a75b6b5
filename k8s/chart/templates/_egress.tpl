{{/* Rules of a NetworkPolicy's egress: names, the engines, and what else the values allow. */}}
{{- define "polydraft.egress" -}}
- ports: # the cluster's names, wherever they are served: on the node itself where it caches them
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- if .engines }}
- to:
    - podSelector:
        matchLabels: {{- include "polydraft.selector" (dict "root" .root "component" "engines") | nindent 10 }}
{{- end }}
{{- if .hub }}
- ports: # the model hub, whose addresses nobody knows
    - {port: 443, protocol: TCP}
{{- end }}
{{- with .allowed }}
{{ toYaml . }}
{{- end }}
{{- end }}
