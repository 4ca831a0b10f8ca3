{{- define "vault.name" -}}
vault
{{- end -}}

{{- define "vault.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride }}
{{- else if contains "vault" .Release.Name -}}
{{ .Release.Name }}
{{- else -}}
{{ .Release.Name }}-vault
{{- end -}}
{{- end -}}

{{- define "vault.account" -}}
{{ default (include "vault.fullname" .) .Values.server.serviceAccount.name }}
{{- end -}}

{{- define "vault.scheme" -}}
{{ ternary "http" "https" .Values.global.tlsDisable }}
{{- end -}}

{{- define "vault.replicas" -}}
{{ if .Values.server.ha.enabled }}{{ .Values.server.ha.replicas }}{{ else }}1{{ end }}
{{- end -}}

{{- define "vault.config" -}}
{{- $config := ternary .Values.server.ha.raft.config .Values.server.standalone.config .Values.server.ha.enabled -}}
{{ $config }}
{{- if not (contains "disable_mlock" $config) }}
disable_mlock = true
{{- end }}
{{- end -}}

{{/* Which pods: the selector of the StatefulSet and of every Service. */}}
{{- define "vault.selector" -}}
app.kubernetes.io/name: {{ include "vault.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
component: server
{{- end -}}

{{- define "vault.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
app.kubernetes.io/name: {{ include "vault.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* One claim of the StatefulSet: its name and its values. */}}
{{- define "vault.claim" -}}
- apiVersion: v1
  kind: PersistentVolumeClaim
  metadata:
    name: {{ .name }}
  spec:
    accessModes: [{{ .storage.accessMode }}]
    {{- with .storage.storageClass }}
    storageClassName: {{ . }}
    {{- end }}
    resources:
      requests:
        storage: {{ .storage.size }}
{{- end -}}
