{{/* The command line, from the values. A flag at its default is left out. */}}

{{/* The replicas, and how to reach them. */}}
{{- define "vault-bootstrap.args.vault" -}}
{{- $v := .Values.vault -}}
{{- $count := len ($v.addresses | default list) -}}
{{- if and $count $v.replicas (ne $count (int $v.replicas)) -}}
{{- fail (printf "vault.addresses has %d of them, and vault.replicas is %d: nothing would be initialized. Give the address of each replica, and vault.replicas=%d, or 0 for as many as there are addresses" $count (int $v.replicas) $count) -}}
{{- end -}}
{{- if $v.addresses }}
{{- range $v.addresses }}
- {{ printf "--vault-addr=%s" . | quote }}
{{- end }}
{{- else if $v.selector }}
- {{ printf "--vault-selector=%s" $v.selector | quote }}
- {{ printf "--vault-scheme=%s" $v.scheme | quote }}
{{- else }}
- {{ printf "--vault-service=%s" $v.service | quote }}
- {{ printf "--vault-statefulset=%s" $v.statefulSet | quote }}
- {{ printf "--vault-scheme=%s" $v.scheme | quote }}
{{- end }}
{{- with $v.replicas }}
- --replicas={{ int64 . }}
{{- end }}
{{- if or $v.ca.secret $v.ca.configMap }}
- {{ printf "--ca-cert=/vault/ca/%s" $v.ca.key | quote }}
{{- end }}
{{- if $v.clientCertificateSecret }}
- --client-cert=/vault/client/tls.crt
- --client-key=/vault/client/tls.key
{{- end }}
{{- with $v.tlsServerName }}
- {{ printf "--tls-server-name=%s" . | quote }}
{{- end }}
{{- if $v.tlsSkipVerify }}
- --tls-skip-verify
{{- end }}
{{- if $v.requireTLS }}
- --require-tls
{{- end }}
{{- with $v.namespace }}
- {{ printf "--vault-namespace=%s" . | quote }}
{{- end }}
{{- end }}

{{- define "vault-bootstrap.args.seed" -}}
{{- if .Values.seed.files }}
- --seed=/seed/values
{{- end }}
{{- range .Values.seed.configMaps }}
- {{ printf "--seed=/seed/configmaps/%s" . | quote }}
{{- end }}
{{- range .Values.seed.secrets }}
- {{ printf "--seed=/seed/secrets/%s" . | quote }}
{{- end }}
{{- end }}

{{- define "vault-bootstrap.args.login" -}}
{{- with .Values.login.method }}
- {{ printf "--login=%s" . | quote }}
{{- end }}
{{- with .Values.login.path }}
- {{ printf "--login-path=%s" . | quote }}
{{- end }}
{{- if ne .Values.login.audience "vault" }}
- {{ printf "--login-audience=%s" .Values.login.audience | quote }}
{{- end }}
{{- with .Values.login.kubernetesHost }}
- {{ printf "--kubernetes-host=%s" . | quote }}
{{- end }}
{{- end }}

{{/* The flags of 'run' and 'watch'. */}}
{{- define "vault-bootstrap.args.run" -}}
{{- $r := .Values.run -}}
{{- $flags := list
  (list "until" $r.until "hardened")
  (list "parallelism" (int $r.parallelism) 16)
  (list "policy" $r.policy "grow")
  (list "log-level" $r.logLevel "info") -}}
{{- if eq .Values.keys.mode "none" }}
- --keys=none
{{- else }}
- --spool-dir=/spool
{{- /* Without keys, nothing is initialized. */ -}}
{{- $flags = concat $flags (list
  (list "key-shares" (int $r.keyShares) 5)
  (list "key-threshold" (int $r.keyThreshold) 3)
  (list "recovery-shares" (int $r.recoveryShares) 5)
  (list "recovery-threshold" (int $r.recoveryThreshold) 3)
  (list "on-keys-lost" $r.onKeysLost "stop")
  (list "storage-volume" $r.storageVolume "data")
  (list "ceremonies" $r.ceremonies "auto")) -}}
{{- end }}
{{- range $flag := $flags }}
{{- if ne (index $flag 1) (index $flag 2) }}
- {{ printf "--%s=%v" (index $flag 0) (index $flag 1) | quote }}
{{- end }}
{{- end }}
{{- if $r.respectSeal }}
- --respect-seal
{{- end }}
{{- if $r.ceremonyCredential }}
- --ceremony-credential
{{- end }}
{{- range $r.pgpKeys.unseal }}
- {{ printf "--pgp-keys=/pgp/%s" . | quote }}
{{- end }}
{{- range $r.pgpKeys.recovery }}
- {{ printf "--recovery-pgp-keys=/pgp/%s" . | quote }}
{{- end }}
{{- if $r.pgpKeys.waitForUnseal }}
- --wait-for-unseal
{{- end }}
{{- end }}

{{/* Everything after the verb, for 'run' and 'watch'. */}}
{{- define "vault-bootstrap.args" -}}
- --store=kubernetes
- {{ printf "--name=%s" .Values.name | quote }}
{{- range list "seed" "vault" "login" "run" "encryption" }}
{{- with include (printf "vault-bootstrap.args.%s" .) $ | trim }}
{{ . }}
{{- end }}
{{- end }}
{{- range .Values.run.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}
