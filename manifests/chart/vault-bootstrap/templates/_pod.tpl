{{/* The pod, which all modes share. */}}

{{/* vault-bootstrap.pod.metadata takes root and component. What is given for the pods takes
     precedence, and no key is written twice. */}}
{{- define "vault-bootstrap.pod.metadata" -}}
{{- $v := .root.Values -}}
{{- $labels := include "vault-bootstrap.selector" .root | fromYaml -}}
{{- $_ := set $labels "app.kubernetes.io/component" .component -}}
{{- if eq $v.mesh.sidecar "off" -}}
{{- $_ := set $labels "sidecar.istio.io/inject" "false" -}}
{{- end -}}
{{- /* Azure's webhook looks at pods with this label only, and then at the annotation. */ -}}
{{- if get ($v.serviceAccount.annotations | default dict) "azure.workload.identity/client-id" -}}
{{- $_ := set $labels "azure.workload.identity/use" "true" -}}
{{- end -}}
labels:
  {{- mergeOverwrite $labels ($v.commonLabels | default dict) ($v.podLabels | default dict) | toYaml | nindent 2 }}
{{- with include "vault-bootstrap.pod.annotations" .root | fromYaml }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "vault-bootstrap.pod.annotations" -}}
{{- $all := dict -}}
{{- if not .Values.plain -}}
{{- /* A changed seed replaces the pod. */ -}}
{{- $_ := set $all "vault-bootstrap.dev/seed" (include "vault-bootstrap.seed.digest" .) -}}
{{- end -}}
{{- if eq .Values.mesh.sidecar "off" -}}
{{- $all = merge $all (dict "linkerd.io/inject" "disabled" "consul.hashicorp.com/connect-inject" "false") -}}
{{- else if eq .Values.mesh.sidecar "native" -}}
{{- $all = merge $all (dict "sidecar.istio.io/nativeSidecar" "true" "config.beta.linkerd.io/proxy-enable-native-sidecar" "true") -}}
{{- end -}}
{{- mergeOverwrite $all (.Values.podAnnotations | default dict) | toYaml -}}
{{- end }}

{{/* vault-bootstrap.seed.digest is over the seed's files, and over the versions of
     ConfigMaps and Secrets: the content of a Secret is never in a name or an annotation. */}}
{{- define "vault-bootstrap.seed.digest" -}}
{{- $seed := .Values.seed -}}
{{- $all := list (toJson $seed.files) $seed.revision -}}
{{- range $kind, $names := dict "ConfigMap" $seed.configMaps "Secret" $seed.secrets -}}
{{- range $name := $names -}}
{{- $found := dict -}}
{{- if $seed.lookup -}}
{{- $found = lookup "v1" $kind $.Release.Namespace $name -}}
{{- end -}}
{{- $meta := get ($found | default dict) "metadata" | default dict -}}
{{- $all = append $all (printf "%s/%s %s %s" $kind $name (get $meta "uid") (get $meta "resourceVersion")) -}}
{{- end -}}
{{- end -}}
{{- toJson $all | sha256sum | trunc 16 -}}
{{- end }}

{{/* vault-bootstrap.pod.spec takes root. The parts that differ between modes come after it. */}}
{{- define "vault-bootstrap.pod.spec" -}}
{{- $v := .Values -}}
serviceAccountName: {{ include "vault-bootstrap.serviceAccount" . | quote }}
# The token for the Kubernetes API is projected below, with a short lifetime.
automountServiceAccountToken: false
# Long enough to store keys that Vault has just returned.
terminationGracePeriodSeconds: {{ int64 $v.terminationGracePeriodSeconds }}
{{- with include "vault-bootstrap.podSecurityContext" . | fromYaml }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
volumes:
  {{- include "vault-bootstrap.volumes" . | nindent 2 }}
{{- end }}

{{- define "vault-bootstrap.podSecurityContext" -}}
{{- $context := .Values.podSecurityContext | default dict -}}
{{- if include "vault-bootstrap.openshift" . -}}
{{- range list "runAsUser" "runAsGroup" "fsGroup" -}}
{{- if eq (get $context . | int64) 65532 -}}
{{- $context = omit $context . -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $context -}}
{{- end }}

{{/* vault-bootstrap.container is one container, without its args, probes and ports. */}}
{{- define "vault-bootstrap.container" -}}
{{- $v := .Values -}}
name: vault-bootstrap
image: {{ include "vault-bootstrap.image" . }}
{{- with $v.image.pullPolicy }}
imagePullPolicy: {{ . | quote }}
{{- end }}
env:
  # They name the process in the Lease.
  - name: POD_NAME
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  - name: POD_UID
    valueFrom:
      fieldRef:
        fieldPath: metadata.uid
  {{- with include "vault-bootstrap.encryption.env" . | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with $v.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $v.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  {{- include "vault-bootstrap.volumeMounts" . | nindent 2 }}
{{- end }}
