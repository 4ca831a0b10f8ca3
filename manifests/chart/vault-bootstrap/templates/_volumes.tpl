{{/* Volumes and where they are mounted, in the same order. Who only waits (.waits) opens no keys,
     and gets nothing that would. */}}

{{/* vault-bootstrap.fileMode is for what only we read: the group of the files is the pods'
     fsGroup. Without one they would be root's, and our user could not read them. */}}
{{- define "vault-bootstrap.fileMode" -}}
{{- $group := get (.Values.podSecurityContext | default dict) "fsGroup" -}}
{{- if or (kindIs "float64" $group) (kindIs "int64" $group) (include "vault-bootstrap.openshift" .) -}}
defaultMode: 0440
{{- end -}}
{{- end }}

{{- define "vault-bootstrap.volumes" -}}
{{- $v := .Values -}}
{{- $mode := include "vault-bootstrap.fileMode" . -}}
{{- if ne $v.keys.mode "none" -}}
# Keeps Vault's answer to the initialization, encrypted, until it is stored.
- name: spool
  emptyDir:
    sizeLimit: {{ $v.spool.sizeLimit | quote }}
{{ end -}}
# The API's own audience, for our records.
- name: kubernetes-api
  projected:
    {{- with $mode }}{{ . | nindent 4 }}{{ end }}
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: 3600
      - configMap:
          name: kube-root-ca.crt
          items:
            - key: ca.crt
              path: ca.crt
      - downwardAPI:
          items:
            - path: namespace
              fieldRef:
                fieldPath: metadata.namespace
# Vault's audience, for the login: neither can use the other's token.
- name: vault-login
  projected:
    {{- with $mode }}{{ . | nindent 4 }}{{ end }}
    sources:
      - serviceAccountToken:
          path: token
          audience: {{ $v.login.audience | quote }}
          expirationSeconds: 3600
{{- if $v.seed.files }}
- name: seed
  configMap:
    name: {{ printf "%s-seed" $v.name | quote }}
    {{- with $mode }}{{ . | nindent 4 }}{{ end }}
{{- end }}
{{- range $i, $name := $v.seed.configMaps }}
- name: seed-configmap-{{ $i }}
  configMap:
    name: {{ $name | quote }}
    {{- with $mode }}{{ . | nindent 4 }}{{ end }}
{{- end }}
{{- range $i, $name := $v.seed.secrets }}
- name: seed-secret-{{ $i }}
  secret:
    secretName: {{ $name | quote }}
    {{- with $mode }}{{ . | nindent 4 }}{{ end }}
{{- end }}
{{- if or $v.vault.ca.secret $v.vault.ca.configMap }}
- name: vault-ca
  {{- if $v.vault.ca.secret }}
  secret:
    secretName: {{ $v.vault.ca.secret | quote }}
    {{- with $mode }}{{ . | nindent 4 }}{{ end }}
    # Such a Secret may also have a private key, which we do not need.
    items:
      - key: {{ $v.vault.ca.key | quote }}
        path: {{ $v.vault.ca.key | quote }}
  {{- else }}
  configMap:
    name: {{ $v.vault.ca.configMap | quote }}
    {{- with $mode }}{{ . | nindent 4 }}{{ end }}
  {{- end }}
{{- end }}
{{- with $v.vault.clientCertificateSecret }}
- name: vault-client
  secret:
    secretName: {{ . | quote }}
    {{- with $mode }}{{ . | nindent 4 }}{{ end }}
{{- end }}
{{- with $v.run.pgpKeys.configMap }}
- name: pgp
  configMap:
    name: {{ . | quote }}
    {{- with $mode }}{{ . | nindent 4 }}{{ end }}
{{- end }}
{{- if not .waits }}
{{- with include "vault-bootstrap.encryption.volumes" . | trim }}
{{ . }}
{{- end }}
{{- end }}
{{- with $v.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "vault-bootstrap.volumeMounts" -}}
{{- $v := .Values -}}
{{- if ne $v.keys.mode "none" -}}
- name: spool
  mountPath: /spool
{{ end -}}
- name: kubernetes-api
  mountPath: /var/run/secrets/kubernetes.io/serviceaccount
  readOnly: true
- name: vault-login
  mountPath: /var/run/secrets/vault-bootstrap
  readOnly: true
{{- if $v.seed.files }}
- name: seed
  mountPath: /seed/values
  readOnly: true
{{- end }}
{{- range $i, $name := $v.seed.configMaps }}
- name: seed-configmap-{{ $i }}
  mountPath: {{ printf "/seed/configmaps/%s" $name | quote }}
  readOnly: true
{{- end }}
{{- range $i, $name := $v.seed.secrets }}
- name: seed-secret-{{ $i }}
  mountPath: {{ printf "/seed/secrets/%s" $name | quote }}
  readOnly: true
{{- end }}
{{- if or $v.vault.ca.secret $v.vault.ca.configMap }}
- name: vault-ca
  mountPath: /vault/ca
  readOnly: true
{{- end }}
{{- if $v.vault.clientCertificateSecret }}
- name: vault-client
  mountPath: /vault/client
  readOnly: true
{{- end }}
{{- if $v.run.pgpKeys.configMap }}
- name: pgp
  mountPath: /pgp
  readOnly: true
{{- end }}
{{- if not .waits }}
{{- with include "vault-bootstrap.encryption.volumeMounts" . | trim }}
{{ . }}
{{- end }}
{{- end }}
{{- with $v.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}
