{{- define "polydraft.engine" -}}
name: {{ .process.name }}
image: "{{ .engine.image.repository }}:{{ .engine.image.tag }}"
imagePullPolicy: {{ .engine.image.pullPolicy }}
args: {{- toYaml .process.args | nindent 2 }}
env:
  {{- include "polydraft.environment" .engine.environment | trim | nindent 2 }}
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
livenessProbe:
  httpGet: {path: /health, port: {{ .process.name }}}
  periodSeconds: 15
  timeoutSeconds: 10
  failureThreshold: 6
resources: {{- toYaml .process.resources | nindent 2 }}
securityContext: {{- include "polydraft.containerSecurity" . | nindent 2 }}
volumeMounts:
  - {name: cache, mountPath: /cache}
  - {name: shared-memory, mountPath: /dev/shm}
{{- end }}
