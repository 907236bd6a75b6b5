{{/* A pod of engines: the models, the plan, then engine after engine. `headless` is one whose ranks belong to the engine of another pod. */}}
{{- define "polydraft.enginePod" -}}
{{- $engine := .root.Values.engine }}
{{- $nodes := int $engine.nodes }}
{{- $gpus := div $engine.gpus $nodes -}}
{{ include "polydraft.anyPod" .root }}
terminationGracePeriodSeconds: 330 # --shutdown-timeout, and some
{{- with $engine.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{ include "polydraft.placement" (dict "root" .root "engines" true) | trim }}
securityContext: {{- include "polydraft.engineSecurity" .root | nindent 2 }}
{{- $fetched := and $engine.download.enabled $engine.models }}
{{- $given := dict "engine" $engine "security" (include "polydraft.containerSecurity" .root) }}
# Memory that was free before an hour's download says nothing, so the models come first.
# The plan ends before anything starts, or nothing does. It sees the pod's own GPUs, which it asks for and hands on: the
# kubelet gives the devices of an init container that has ended to the containers after it. Each engine then starts
# when the one before it answers its startup probe, and the last one below after all.
initContainers:
  {{- if and $fetched $engine.apart }}
  - {{- include "polydraft.download" $given | nindent 4 }}
  {{- else if $fetched }}
  - {{- include "polydraft.awaitModels" $given | nindent 4 }}
  {{- end }}
  - name: plan
    image: {{ include "polydraft.image" .root.Values.router.image }}
    imagePullPolicy: {{ .root.Values.router.image.pullPolicy }}
    args: [plan, {{ .root.Values.profile }}{{ if or (gt (int $engine.replicas) 1) (gt $nodes 1) }}, --gpus, {{ $gpus | quote }}{{ end }}]
    env:
      - {name: NVIDIA_DRIVER_CAPABILITIES, value: utility} # nvidia-smi
    resources:
      requests: {cpu: 100m, memory: 128Mi}
      limits: {memory: 512Mi, nvidia.com/gpu: {{ $gpus }}}
    securityContext: {{- include "polydraft.containerSecurity" . | nindent 6 }}
    volumeMounts:
      - {name: tmp, mountPath: /tmp}
  {{- range initial $engine.processes }}
  - restartPolicy: Always
    {{- include "polydraft.engine" (dict "engine" $engine "process" . "headless" false) | nindent 4 }}
  {{- end }}
containers:
  - {{- include "polydraft.engine" (dict "engine" $engine "process" (last $engine.processes) "headless" .headless) | nindent 4 }}
volumes:
  {{- if not $engine.apart }}
  - name: cache
    persistentVolumeClaim: {claimName: {{ include "polydraft.cacheClaim" .root }}}
  {{- end }}
  - {name: tmp, emptyDir: {sizeLimit: 4Gi}}
  - name: shared-memory
    emptyDir: {medium: Memory, sizeLimit: {{ $engine.sharedMemory }}}
{{- end }}
