{{/* vLLM's own flags for an engine over several nodes; LeaderWorkerSet's controller sets the variables. */}}
{{- define "polydraft.nodeArguments" -}}
- --nnodes
- {{ .engine.nodes | quote }}
- --node-rank
- $(LWS_WORKER_INDEX)
- --master-addr
- $(LWS_LEADER_ADDRESS)
- --master-port
- "29501" # vLLM's default
{{- if .headless }}
- --headless
{{- end }}
{{- end }}

{{- define "polydraft.engine" -}}
{{- $several := gt (int .engine.nodes) 1 }}
{{- $resources := .process.resources }}
{{- if $several }}
{{- $resources = merge (dict "limits" (dict "nvidia.com/gpu" (div .engine.gpus .engine.nodes))) $resources }}
{{- end -}}
name: {{ .process.name }}
image: {{ include "polydraft.image" .engine.image }}
imagePullPolicy: {{ .engine.image.pullPolicy }}
args:
  {{- toYaml .process.args | nindent 2 }}
  {{- if $several }}
  {{- include "polydraft.nodeArguments" . | nindent 2 }}
  {{- end }}
env:
  {{- $environment := deepCopy .engine.environment }}
  {{- if eq .engine.unpinned "allow" }}
  {{- $environment = set $environment "POLYDRAFT_UNPINNED" "" }}
  {{- end }}
  {{- include "polydraft.environment" $environment | trim | nindent 2 }}
  # Counts the starts, which the kubelet never bounds: /tmp outlives the container, not the pod.
  - {name: POLYDRAFT_STARTS, value: /tmp/{{ .process.name }}.starts}
  {{- with .process.environment }}
  {{- include "polydraft.environment" . | trim | nindent 2 }}
  {{- end }}
  {{- with .engine.tokenSecret }}
  - name: HF_TOKEN
    valueFrom: {secretKeyRef: {name: {{ . }}, key: token}}
  {{- end }}
  {{- if $several }}
  - name: VLLM_HOST_IP # where the other nodes' ranks find this one's
    valueFrom: {fieldRef: {fieldPath: status.podIP}}
  {{- end }}
  {{- if .process.sharesDevices }}
  - name: NVIDIA_VISIBLE_DEVICES
    value: all # of the node, which has no more than the pod's first engine holds: polydraft.gpuLabels
  {{- end }}
{{- if not .headless }}
ports:
  - name: {{ .process.name }}
    containerPort: {{ .process.port }}
startupProbe:
  httpGet: {path: /health, port: {{ .process.name }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: {{ div .engine.loadSeconds 10 }}
readinessProbe:
  httpGet: {path: /health, port: {{ .process.name }}}
  periodSeconds: 10
  timeoutSeconds: 5
livenessProbe:
  httpGet: {path: /health, port: {{ .process.name }}}
  periodSeconds: 15
  timeoutSeconds: 10
  failureThreshold: 6
{{- end }}
resources: {{- toYaml $resources | nindent 2 }}
securityContext: {{- include "polydraft.containerSecurity" . | nindent 2 }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  - {name: cache, mountPath: /cache}
  - {name: shared-memory, mountPath: /dev/shm}
{{- end }}
