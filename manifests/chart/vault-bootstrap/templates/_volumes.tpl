{{/* Volumes and where they are mounted, in the same order. */}}

{{- define "vault-bootstrap.volumes" -}}
{{- $v := .Values -}}
# Keeps Vault's answer to the initialization, encrypted, until it is stored.
- name: spool
  emptyDir:
    sizeLimit: {{ $v.spool.sizeLimit }}
# The API's own audience, for our records.
- name: kubernetes-api
  projected:
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
    sources:
      - serviceAccountToken:
          path: token
          audience: {{ $v.login.audience | quote }}
          expirationSeconds: 3600
{{- if $v.seed.files }}
- name: seed
  configMap:
    name: {{ $v.name }}-seed
{{- end }}
{{- range $i, $name := $v.seed.configMaps }}
- name: seed-configmap-{{ $i }}
  configMap:
    name: {{ $name }}
{{- end }}
{{- range $i, $name := $v.seed.secrets }}
- name: seed-secret-{{ $i }}
  secret:
    secretName: {{ $name }}
{{- end }}
{{- if or $v.vault.ca.secret $v.vault.ca.configMap }}
- name: vault-ca
  {{- if $v.vault.ca.secret }}
  secret:
    secretName: {{ $v.vault.ca.secret }}
    # Such a Secret may also have a private key, which we do not need.
    items:
      - key: {{ $v.vault.ca.key }}
        path: {{ $v.vault.ca.key }}
  {{- else }}
  configMap:
    name: {{ $v.vault.ca.configMap }}
  {{- end }}
{{- end }}
{{- with $v.vault.clientCertificateSecret }}
- name: vault-client
  secret:
    secretName: {{ . }}
{{- end }}
{{- with $v.run.pgpKeys.configMap }}
- name: pgp
  configMap:
    name: {{ . }}
{{- end }}
{{- with $v.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "vault-bootstrap.volumeMounts" -}}
{{- $v := .Values -}}
- name: spool
  mountPath: /spool
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
  mountPath: /seed/configmaps/{{ $name }}
  readOnly: true
{{- end }}
{{- range $i, $name := $v.seed.secrets }}
- name: seed-secret-{{ $i }}
  mountPath: /seed/secrets/{{ $name }}
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
{{- with $v.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}
