{{/* Who can open the keys record (keys.encryption), and what our pods need for it. */}}

{{/* vault-bootstrap.encryption.kinds are the kinds of the recipients, with a space between them. */}}
{{- define "vault-bootstrap.encryption.kinds" -}}
{{- $kinds := list -}}
{{- range .Values.keys.encryption.recipients -}}
{{- $kinds = append $kinds (splitList ":" . | first) -}}
{{- end -}}
{{- $kinds | uniq | join " " -}}
{{- end }}

{{- define "vault-bootstrap.args.encryption" -}}
{{- $e := .Values.keys.encryption -}}
{{- $kinds := include "vault-bootstrap.encryption.kinds" . | splitList " " -}}
{{- range $e.recipients }}
- {{ printf "--keys-to=%s" . | quote }}
{{- end }}
{{- if and (has "age" $kinds) $e.age.secret }}
{{- range $e.age.keys }}
- {{ printf "--keys-identity=/keys/identity/%s" . | quote }}
{{- end }}
{{- end }}
{{- if has "transit" $kinds }}
{{- if $e.transit.tokenSecret }}
- {{ printf "--keys-token-file=/keys/token/%s" $e.transit.tokenKey | quote }}
{{- end }}
{{- if or $e.transit.ca.secret $e.transit.ca.configMap }}
- {{ printf "--keys-ca=/keys/ca/%s" $e.transit.ca.key | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* vault-bootstrap.encryption.env is what a client of a cloud reads by itself. */}}
{{- define "vault-bootstrap.encryption.env" -}}
{{- if has "awskms" (include "vault-bootstrap.encryption.kinds" . | splitList " ") }}
{{- with .Values.keys.encryption.aws.endpoint }}
- name: AWS_ENDPOINT_URL_KMS
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* vault-bootstrap.encryption.volumes has of each Secret the keys that are named, and no others. */}}
{{- define "vault-bootstrap.encryption.volumes" -}}
{{- $e := .Values.keys.encryption -}}
{{- $kinds := include "vault-bootstrap.encryption.kinds" . | splitList " " -}}
{{- $mode := include "vault-bootstrap.fileMode" . -}}
{{- if and (has "age" $kinds) $e.age.secret }}
- name: keys-identity
  secret:
    secretName: {{ $e.age.secret | quote }}
    {{- with $mode }}{{ . | nindent 4 }}{{ end }}
    items:
      {{- range $e.age.keys }}
      - key: {{ . | quote }}
        path: {{ . | quote }}
      {{- end }}
{{- end }}
{{- if has "transit" $kinds }}
{{- with $e.transit.tokenSecret }}
- name: keys-token
  secret:
    secretName: {{ . | quote }}
    {{- with $mode }}{{ . | nindent 4 }}{{ end }}
    items:
      - key: {{ $e.transit.tokenKey | quote }}
        path: {{ $e.transit.tokenKey | quote }}
{{- end }}
{{- with $e.transit.ca }}
{{- if or .secret .configMap }}
- name: keys-ca
  {{- if .secret }}
  secret:
    secretName: {{ .secret | quote }}
  {{- else }}
  configMap:
    name: {{ .configMap | quote }}
  {{- end }}
    {{- with $mode }}{{ . | nindent 4 }}{{ end }}
    items:
      - key: {{ .key | quote }}
        path: {{ .key | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- if and (has "kms-plugin" $kinds) $e.plugin.hostPath }}
- name: keys-plugin
  hostPath:
    path: {{ $e.plugin.hostPath | quote }}
    type: Directory
{{- end }}
{{- end }}

{{- define "vault-bootstrap.encryption.volumeMounts" -}}
{{- $e := .Values.keys.encryption -}}
{{- $kinds := include "vault-bootstrap.encryption.kinds" . | splitList " " -}}
{{- if and (has "age" $kinds) $e.age.secret }}
- name: keys-identity
  mountPath: /keys/identity
  readOnly: true
{{- end }}
{{- if has "transit" $kinds }}
{{- if $e.transit.tokenSecret }}
- name: keys-token
  mountPath: /keys/token
  readOnly: true
{{- end }}
{{- if or $e.transit.ca.secret $e.transit.ca.configMap }}
- name: keys-ca
  mountPath: /keys/ca
  readOnly: true
{{- end }}
{{- end }}
{{- if and (has "kms-plugin" $kinds) $e.plugin.hostPath }}
# Whoever may write to a socket can connect to it, read-only as its directory is.
- name: keys-plugin
  mountPath: {{ include "vault-bootstrap.encryption.sockets" . | splitList " " | first | quote }}
  readOnly: true
{{- end }}
{{- end }}

{{/* vault-bootstrap.encryption.sockets are the directories of the plugins' sockets. */}}
{{- define "vault-bootstrap.encryption.sockets" -}}
{{- $all := list -}}
{{- range .Values.keys.encryption.recipients -}}
{{- if hasPrefix "kms-plugin:" . -}}
{{- $all = append $all (trimPrefix "kms-plugin:unix:" . | trimPrefix "//" | dir) -}}
{{- end -}}
{{- end -}}
{{- $all | uniq | join " " -}}
{{- end }}

{{/* vault-bootstrap.encryption.check refuses what would leave the keys in clear, or sealed. It repeats
     no recipient: what was mistaken for one may be secret. */}}
{{- define "vault-bootstrap.encryption.check" -}}
{{- $e := .Values.keys.encryption -}}
{{- $kinds := include "vault-bootstrap.encryption.kinds" . | splitList " " -}}
{{- $extra := .Values.run.extraArgs | default list | join " " -}}
{{- if not $e.recipients -}}
{{- range $at, $set := dict "age.secret" $e.age.secret "transit.tokenSecret" $e.transit.tokenSecret
  "transit.ca.secret" $e.transit.ca.secret "transit.ca.configMap" $e.transit.ca.configMap
  "aws.endpoint" $e.aws.endpoint "plugin.hostPath" $e.plugin.hostPath "inVaultPods" $e.inVaultPods -}}
{{- if $set -}}
{{- fail (printf "keys.encryption.%s is set, and keys.encryption.recipients is empty: the keys would be stored in clear. Name the recipients, or leave out both" $at) -}}
{{- end -}}
{{- end -}}
{{- else -}}
{{- if eq .Values.keys.mode "none" -}}
{{- fail "keys.encryption.recipients and keys.mode=none exclude each other: no keys are stored. Leave out one of them" -}}
{{- end -}}
{{- include "vault-bootstrap.encryption.forms" . -}}
{{- range $kind, $set := dict "age" (dict "age.secret" $e.age.secret)
  "transit" (dict "transit.tokenSecret" $e.transit.tokenSecret "transit.ca.secret" $e.transit.ca.secret "transit.ca.configMap" $e.transit.ca.configMap)
  "awskms" (dict "aws.endpoint" $e.aws.endpoint) "kms-plugin" (dict "plugin.hostPath" $e.plugin.hostPath) -}}
{{- range $at, $value := $set -}}
{{- if and $value (not (has $kind $kinds)) -}}
{{- fail (printf "keys.encryption.%s is set, and no recipient is of the kind %s. Add that recipient to keys.encryption.recipients, or leave the value out" $at $kind) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (eq (join " " $kinds) "age") (not $e.age.secret) (not (contains "--keys-identity" $extra)) -}}
{{- fail "keys.encryption.recipients has escrows only: nothing here could open the keys again. Add the key of a KMS, or put an age identity into a Secret and name that in keys.encryption.age.secret" -}}
{{- end -}}
{{- if and $e.age.secret (not (include "vault-bootstrap.fileMode" .)) -}}
{{- fail "keys.encryption.age.secret needs podSecurityContext.fsGroup: without it everybody in the container could read the identity, and the program refuses that. Set it to our user's group" -}}
{{- end -}}
{{- if not (or $e.transit.tokenSecret (contains "--keys-token-file" $extra)) -}}
{{- range $e.recipients -}}
{{- if and (hasPrefix "transit:" .) (not (regexMatch "[?&](login|token-file)=" .)) -}}
{{- fail "keys.encryption.recipients has a key of transit, and its server wants a token. Add ?login=kubernetes&role=ROLE to that recipient, or put a token into a Secret and name that in keys.encryption.transit.tokenSecret" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if has "kms-plugin" $kinds -}}
{{- $sockets := include "vault-bootstrap.encryption.sockets" . | splitList " " -}}
{{- if and $e.plugin.hostPath (gt (len $sockets) 1) -}}
{{- fail "keys.encryption.plugin.hostPath is one directory, and the sockets of keys.encryption.recipients are in several. Put the sockets into one, or bring them by extraVolumes and extraVolumeMounts instead" -}}
{{- end -}}
{{- range $socket := $sockets -}}
{{- $mounted := $e.plugin.hostPath -}}
{{- range $.Values.extraVolumeMounts -}}
{{- if hasPrefix (printf "%s/" (clean .mountPath)) (printf "%s/" $socket) -}}
{{- $mounted = .mountPath -}}
{{- end -}}
{{- end -}}
{{- if not $mounted -}}
{{- fail (printf "keys.encryption.recipients has a plugin whose socket is in %s, and nothing is mounted there. Name the directory of the node in keys.encryption.plugin.hostPath, or bring the socket by extraVolumes and extraVolumeMounts" $socket) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $where := "" -}}
{{- if .Values.rbac.unsealers -}}{{- $where = "rbac.unsealers" -}}
{{- else if .Values.rbac.extraServiceAccounts -}}{{- $where = "rbac.extraServiceAccounts" -}}
{{- else if and (eq .Values.mode "none") (not .Values.serviceAccount.create) -}}{{- $where = "mode=none with serviceAccount.create=false" -}}
{{- end -}}
{{- if and $where (not $e.inVaultPods) -}}
{{- fail (printf "%s lets Vault's own pods open the keys, and the chart cannot give those what the recipients take: a replica would stay sealed. Give it to them (docs/keys-at-rest.md, \"In Vault's pods\"), then set keys.encryption.inVaultPods=true" $where) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* vault-bootstrap.encryption.forms refuses what the program would, as far as a form shows it. */}}
{{- define "vault-bootstrap.encryption.forms" -}}
{{- $forms := dict
  "awskms" (list "awskms:arn:aws:kms:REGION:ACCOUNT:key/ID" "arn:aws(-[a-z-]+)?:kms:[a-z0-9-]+:[0-9]{12}:(key|alias)/[A-Za-z0-9/_-]+")
  "gcpkms" (list "gcpkms:projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY" "projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+")
  "azurekv" (list "azurekv:https://VAULT.vault.azure.net/keys/KEY" "https://[^/@?#]+/keys/[A-Za-z0-9-]+/?")
  "transit" (list "transit:https://HOST:PORT/MOUNT/KEY" "(https://[^/@?#]+|http://(localhost|127[0-9.]+|\\[::1\\])(:[0-9]+)?)(/[A-Za-z0-9_][A-Za-z0-9_.-]*){2,}/?([?][^ #]+)?")
  "age" (list "age:age1…" "age1[a-z0-9+._-]+")
  "kms-plugin" (list "kms-plugin:unix:/PATH/OF/SOCKET" "unix:(//)?/[^ ]+") -}}
{{- range $i, $recipient := .Values.keys.encryption.recipients -}}
{{- $kind := splitList ":" $recipient | first -}}
{{- $form := get $forms $kind | default list -}}
{{- if not $form -}}
{{- $all := list -}}
{{- range $forms -}}{{- $all = append $all (first .) -}}{{- end -}}
{{- fail (printf "keys.encryption.recipients[%d] is of no known kind. Write one of: %s" $i (join ", " $all)) -}}
{{- end -}}
{{- if not (regexMatch (printf "^%s:%s$" $kind (index $form 1)) $recipient) -}}
{{- fail (printf "keys.encryption.recipients[%d] is not written as %s" $i (first $form)) -}}
{{- end -}}
{{- end -}}
{{- end }}
