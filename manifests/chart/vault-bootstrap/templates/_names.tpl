{{/* Names, and labels. What comes from values is quoted: a name may be all digits. */}}

{{- define "vault-bootstrap.serviceAccount" -}}
{{ .Values.serviceAccount.name | default .Values.name }}
{{- end }}

{{- define "vault-bootstrap.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ printf "%s@%s" .repository .digest | quote }}
{{- else -}}
{{ printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) | quote }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The selector of our pods; it must not change with a version. The name is in it since a
     release may have two instances (an umbrella chart with aliases), and plain manifests
     have no release at all. */}}
{{- define "vault-bootstrap.selector" -}}
app.kubernetes.io/name: vault-bootstrap
{{- if not .Values.plain }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}
vault-bootstrap.dev/name: {{ .Values.name | quote }}
{{- end }}

{{- define "vault-bootstrap.labels" -}}
{{ include "vault-bootstrap.selector" . }}
{{- if not .Values.plain }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
{{- /* A label has 63 characters at most, and ends with a letter or a digit. */}}
helm.sh/chart: {{ regexReplaceAll "[-._]+$" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63) "" | quote }}
{{- end }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The labels of what Prometheus's operator reads; one of monitoring.labels takes precedence. */}}
{{- define "vault-bootstrap.monitoring.labels" -}}
{{- mergeOverwrite (include "vault-bootstrap.labels" . | fromYaml) (.Values.monitoring.labels | default dict) | toYaml -}}
{{- end }}

{{/* In mode argocd, RBAC and seed come before the Job. */}}
{{- define "vault-bootstrap.early" -}}
{{- if eq .Values.mode "argocd" }}
annotations:
  argocd.argoproj.io/sync-wave: {{ sub (int .Values.argocd.wave) 1 | quote }}
{{- end }}
{{- end }}

{{/* Whether this is OpenShift, whose restricted-v2 chooses users and groups by namespace. */}}
{{- define "vault-bootstrap.openshift" -}}
{{- if .Capabilities.APIVersions.Has "security.openshift.io/v1" }}yes{{ end -}}
{{- end }}

{{/* vault-bootstrap.seconds is a duration of Go's in seconds, rounded up. */}}
{{- define "vault-bootstrap.seconds" -}}
{{- $units := dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0 -}}
{{- $total := 0.0 -}}
{{- range regexFindAll "[0-9.]+(ms|s|m|h)" . -1 -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- $total = addf $total (mulf (trimSuffix $unit . | float64) (get $units $unit)) -}}
{{- end -}}
{{- ceil $total | int64 -}}
{{- end }}
