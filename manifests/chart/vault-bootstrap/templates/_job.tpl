{{/* The Job's spec, for the Job and for the CronJob. It takes root, timeout, deadline
     and ttl (-1 for none). */}}
{{- define "vault-bootstrap.job.spec" -}}
{{- $v := .root.Values -}}
backoffLimit: {{ $v.job.backoffLimit }}
activeDeadlineSeconds: {{ .deadline }}
{{- if ge (int .ttl) 0 }}
ttlSecondsAfterFinished: {{ .ttl }}
{{- end }}
podFailurePolicy:
  rules:
    # Errors that need an operator are not retried: usage, seed, terminal.
    - action: FailJob
      onExitCodes:
        containerName: vault-bootstrap
        operator: In
        values: [64, 65, 70]
    # An evicted pod does not count as a failure.
    - action: Ignore
      onPodConditions:
        - type: DisruptionTarget
          status: "True"
template:
  metadata:
    {{- include "vault-bootstrap.pod.metadata" (dict "root" .root "component" "run") | nindent 4 }}
  spec:
    restartPolicy: Never
    {{- include "vault-bootstrap.pod.spec" .root | nindent 4 }}
    containers:
      - args:
          - run
          {{- include "vault-bootstrap.args" .root | nindent 10 }}
          - --timeout={{ .timeout }}
          {{- if eq $v.mesh.sidecar "quit" }}
          - --quit-sidecar={{ $v.mesh.quitURL }}
          {{- end }}
        {{- include "vault-bootstrap.container" .root | nindent 8 }}
{{- end }}

{{/* The spec of the mode's own Job. */}}
{{- define "vault-bootstrap.job.own" -}}
{{- $v := .Values -}}
{{- $argo := eq $v.mode "argocd" -}}
{{- $ttl := ternary -1 86400 (eq $v.mode "job") -}}
{{- if not (kindIs "invalid" $v.job.ttlSecondsAfterFinished) -}}
{{- $ttl = int $v.job.ttlSecondsAfterFinished -}}
{{- end -}}
{{- include "vault-bootstrap.job.spec" (dict "root" . "ttl" $ttl
  "timeout" ($v.job.timeout | default (ternary "20m" "4m" $argo))
  "deadline" (int $v.job.activeDeadlineSeconds | default (ternary 1500 285 $argo))) -}}
{{- end }}

{{/* A Job cannot be changed, so in mode job its name is a hash of its content: an
     upgrade that changes anything in it, the seed included, creates another one. */}}
{{- define "vault-bootstrap.job.name" -}}
{{- if and (eq .Values.mode "job") (not .Values.plain) -}}
{{ .Values.name }}-{{ include "vault-bootstrap.job.own" . | fromYaml | toJson | sha256sum | trunc 10 }}
{{- else -}}
{{ .Values.name }}
{{- end -}}
{{- end }}
