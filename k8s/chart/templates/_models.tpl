{{/* Models as images/engine/models.py takes them, one an argument. */}}
{{- define "polydraft.models" -}}
{{- range . }}
- {{ .model }}{{ with .revision }}@{{ . }}{{ end }}
{{- end }}
{{- end }}

{{/* Whether each pod fetches its models itself: its node's cache is its own, so a Job might fill another node's. */}}
{{- define "polydraft.fetchesItself" -}}
{{- if or .apart .cache.hostPath }}true{{ end }}
{{- end }}

{{/* The container that fetches the models into the cache: a Job's, or on a box with a cache of its own each pod's first. */}}
{{- define "polydraft.download" -}}
name: download
image: {{ include "polydraft.image" .engine.image }}
imagePullPolicy: {{ .engine.image.pullPolicy }}
command: [python3, /opt/polydraft/models.py]
args:
  - fetch
  {{- include "polydraft.models" .engine.models | trim | nindent 2 }}
env:
  {{- with .engine.tokenSecret }}
  - name: HF_TOKEN
    valueFrom: {secretKeyRef: {name: {{ . }}, key: token}}
  {{- end }}
  - {name: NVIDIA_VISIBLE_DEVICES, value: void} # it needs no GPU
resources:
  requests: {cpu: 500m, memory: 1Gi}
  limits: {memory: 8Gi}
securityContext: {{- .security | nindent 2 }}
volumeMounts:
  - {name: cache, mountPath: /cache}
  - {name: tmp, mountPath: /tmp}
{{- end }}

{{/* The container that waits until the Job has fetched the models, by what lies in the cache alone. */}}
{{- define "polydraft.awaitModels" -}}
name: models
image: {{ include "polydraft.image" .engine.image }}
imagePullPolicy: {{ .engine.image.pullPolicy }}
command: [python3, /opt/polydraft/models.py]
args:
  - wait
  - --seconds
  - {{ .engine.download.seconds | quote }}
  {{- include "polydraft.models" .engine.models | trim | nindent 2 }}
env:
  - {name: NVIDIA_VISIBLE_DEVICES, value: void}
resources:
  requests: {cpu: 50m, memory: 128Mi}
  limits: {memory: 512Mi}
securityContext: {{- .security | nindent 2 }}
volumeMounts:
  - {name: cache, mountPath: /cache, readOnly: true}
  - {name: tmp, mountPath: /tmp}
{{- end }}
