{{- define "polydraft.engine" -}}
name: {{ .process.name }}
image: {{ include "polydraft.image" .engine.image }}
imagePullPolicy: {{ .engine.image.pullPolicy }}
args: {{- toYaml .process.args | nindent 2 }}
env:
  {{- include "polydraft.environment" .engine.environment | trim | nindent 2 }}
  {{- with .engine.tokenSecret }}
  - name: HF_TOKEN
    valueFrom: {secretKeyRef: {name: {{ . }}, key: token}}
  {{- end }}
  {{- if .process.sharesDevices }}
  - name: NVIDIA_VISIBLE_DEVICES
    value: all
  {{- end }}
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
resources: {{- toYaml .process.resources | nindent 2 }}
securityContext: {{- include "polydraft.containerSecurity" . | nindent 2 }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  - {name: cache, mountPath: /cache}
  - {name: shared-memory, mountPath: /dev/shm}
{{- end }}
