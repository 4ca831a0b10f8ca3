{{/* The Job's spec, for the Job and for the CronJob. It takes root, of (which values these
     are), timeout, deadline and ttl (-1 for none). */}}
{{- define "vault-bootstrap.job.spec" -}}
{{- $v := .root.Values -}}
{{- if gt (include "vault-bootstrap.seconds" .timeout | int64) (int64 .deadline) -}}
{{- fail (printf "%s.timeout=%s is longer than %s.activeDeadlineSeconds=%d: the Job would end its pod before the pod can say what is wrong. Raise the second or lower the first" .of .timeout .of (int64 .deadline)) -}}
{{- end -}}
backoffLimit: {{ int64 $v.job.backoffLimit }}
activeDeadlineSeconds: {{ int64 .deadline }}
{{- if ge (int .ttl) 0 }}
ttlSecondsAfterFinished: {{ int64 .ttl }}
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
          - {{ printf "--quit-sidecar=%s" $v.mesh.quitURL | quote }}
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
{{- $deadline := int64 $v.job.activeDeadlineSeconds -}}
{{- if not $deadline -}}
{{- $deadline = ternary 1500 285 $argo | int64 -}}
{{- with $v.job.timeout -}}
{{- $deadline = max $deadline (add (include "vault-bootstrap.seconds" .) 45) -}}
{{- end -}}
{{- end -}}
{{- include "vault-bootstrap.job.spec" (dict "root" . "of" "job" "ttl" $ttl "deadline" $deadline
  "timeout" ($v.job.timeout | default (ternary "20m" "4m" $argo))) -}}
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
