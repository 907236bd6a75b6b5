{{- define "polydraft.selector" -}}
app.kubernetes.io/name: polydraft
app.kubernetes.io/instance: {{ .root.Values.profile }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "polydraft.labels" -}}
{{ include "polydraft.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{- define "polydraft.environment" -}}
{{- range $name, $value := . }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{- define "polydraft.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
{{- end }}
