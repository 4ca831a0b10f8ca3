{{/* Names, and labels. */}}

{{- define "vault-bootstrap.serviceAccount" -}}
{{ .Values.serviceAccount.name | default .Values.name }}
{{- end }}

{{- define "vault-bootstrap.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}
{{- end }}
{{- end }}

{{/* The selector of our pods; it must not change with a version. */}}
{{- define "vault-bootstrap.selector" -}}
app.kubernetes.io/name: vault-bootstrap
{{- if not .Values.plain }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- end }}

{{- define "vault-bootstrap.labels" -}}
{{ include "vault-bootstrap.selector" . }}
{{- if not .Values.plain }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* In mode argocd, RBAC and seed come before the Job. */}}
{{- define "vault-bootstrap.early" -}}
{{- if eq .Values.mode "argocd" }}
annotations:
  argocd.argoproj.io/sync-wave: {{ sub (int .Values.argocd.wave) 1 | quote }}
{{- end }}
{{- end }}
