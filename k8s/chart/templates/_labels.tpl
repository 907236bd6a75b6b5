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
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "polydraft.engineSecurity" -}}
runAsNonRoot: true
runAsUser: 2000
runAsGroup: 0
fsGroup: 2000
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* What any pod has. Kubernetes would add variables such as POLYDRAFT_PORT for a Service of that name, and the router
refuses those. */}}
{{- define "polydraft.anyPod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The profile's kind of GPU, by the labels of NVIDIA's GPU feature discovery: RTX PROs from 16 to 96 GB have the same
compute capability, so their memory (none is told where the system shares it) and their number are asked for too. Engines
that share a pod's GPUs are shown all that the node has, past the device plugin, so that node must have no more of them. */}}
{{- define "polydraft.gpuLabels" -}}
{{- $version := splitList "." .computeCapability }}
{{- $onNode := ternary (div .gpus .nodes) (mul .gpus .replicas) .apart }}
- {key: nvidia.com/gpu.compute.major, operator: In, values: [{{ first $version | quote }}]}
- {key: nvidia.com/gpu.compute.minor, operator: In, values: [{{ last $version | quote }}]}
{{- with .gpuMemoryMiB }}
- {key: nvidia.com/gpu.memory, operator: Gt, values: [{{ int . | quote }}]}
{{- end }}
{{- if include "polydraft.sharing" . }}
- {key: nvidia.com/gpu.count, operator: In, values: [{{ $onNode | quote }}]}
{{- else if gt $onNode 1 }}
- {key: nvidia.com/gpu.count, operator: Gt, values: [{{ sub $onNode 1 | quote }}]}
{{- end }}
{{- end }}

{{/* Whether an engine of a pod uses the GPUs that another one holds; nothing if none does. */}}
{{- define "polydraft.sharing" -}}
{{- range .processes }}{{ if .sharesDevices }}true{{ end }}{{ end }}
{{- end }}

{{/* Where engines may run: the profile's kind of GPU; copies on one box, which has the one cache, or each on a box of its
own. */}}
{{- define "polydraft.placement" -}}
{{- $engine := .root.Values.engine }}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- $copies := and .engines (or (gt (int $engine.replicas) 1) (gt (int $engine.nodes) 1)) }}
{{- if or $engine.matchComputeCapability $copies }}
affinity:
  {{- if $copies }}
  {{ ternary "podAntiAffinity" "podAffinity" $engine.apart }}:
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels: {{- include "polydraft.selector" (dict "root" .root "component" "engines") | nindent 12 }}
  {{- end }}
  {{- if $engine.matchComputeCapability }}
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
        - matchExpressions: {{- include "polydraft.gpuLabels" $engine | trim | nindent 12 }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "polydraft.cacheSpec" -}}
accessModes: [ReadWriteOnce]
{{- with .Values.engine.cache.storageClassName }}
storageClassName: {{ . }}
{{- end }}
resources:
  requests:
    storage: {{ .Values.engine.cache.size }}
{{- end }}

{{- define "polydraft.cacheClaim" -}}
{{- .Values.engine.cache.existingClaim | default (printf "%s-cache" .Values.profile) }}
{{- end }}

{{- define "polydraft.image" -}}
{{ printf "%s:%s%s" .repository .tag (.digest | default "" | printf "@%s" | trimSuffix "@") | quote }}
{{- end }}

{{/* Seconds until the first engine must serve: the download, its load, and a quarter of an hour for images and plan. */}}
{{- define "polydraft.patience" -}}
{{- $engine := .Values.engine }}
{{- add $engine.loadSeconds (ternary $engine.download.seconds 0 $engine.download.enabled) 900 }}
{{- end }}
