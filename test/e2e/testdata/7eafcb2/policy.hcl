path "auth/+/certs/" {
  capabilities = ["list"]
}

path "auth/+/certs/+" {
  capabilities = ["read"]
}

path "auth/+/config" {
  capabilities = ["create", "read", "update", "delete"]
}

path "auth/+/config/+" {
  capabilities = ["create", "read", "update", "delete"]
}

path "auth/+/groups/+" {
  capabilities = ["create", "read", "update", "delete"]
}

path "auth/+/role/" {
  capabilities = ["list"]
}

path "auth/+/role/+" {
  capabilities = ["create", "read", "update", "delete"]
}

path "auth/+/users/+" {
  capabilities = ["create", "read", "update", "delete"]
}

path "auth/approle/role/vault-bootstrap" {
  capabilities = ["read"]
}

path "auth/approle/role/vault-bootstrap/*" {
  capabilities = ["deny"]
}

path "auth/team/k8s/config" {
  capabilities = ["create", "read", "update"]
}

path "auth/team/k8s/role/+" {
  capabilities = ["create", "read", "update"]
}

path "auth/token/accessors" {
  capabilities = ["list", "sudo"]
}

path "auth/token/accessors/" {
  capabilities = ["list", "sudo"]
}

path "auth/token/lookup-accessor" {
  capabilities = ["update"]
}

path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/revoke-accessor" {
  capabilities = ["update"]
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}

path "auth/token/roles/+" {
  capabilities = ["create", "read", "update", "delete"]
}

path "identity/entity-alias" {
  capabilities = ["update"]
}

path "identity/entity-alias/id/+" {
  capabilities = ["delete"]
}

path "identity/entity/name/+" {
  capabilities = ["read", "update", "delete"]
}

path "identity/group-alias" {
  capabilities = ["update"]
}

path "identity/group-alias/id/+" {
  capabilities = ["delete"]
}

path "identity/group/name/+" {
  capabilities = ["read", "update", "delete"]
}

path "sys/audit" {
  capabilities = ["read", "sudo"]
}

path "sys/audit/*" {
  capabilities = ["update", "sudo"]
}

path "sys/auth" {
  capabilities = ["read"]
}

path "sys/auth/*" {
  capabilities = ["update", "sudo"]
}

path "sys/capabilities-self" {
  capabilities = ["update"]
}

path "sys/config/cors" {
  capabilities = ["read", "update", "delete", "sudo"]
}

path "sys/config/state/sanitized" {
  capabilities = ["read"]
}

path "sys/config/ui/headers" {
  capabilities = ["list", "sudo"]
}

path "sys/config/ui/headers/+" {
  capabilities = ["read", "update", "delete", "sudo"]
}

path "sys/generate-root-token/attempt" {
  capabilities = ["read", "update", "delete"]
}

path "sys/generate-root-token/update" {
  capabilities = ["read", "update", "delete"]
}

path "sys/generate-root/attempt" {
  capabilities = ["read", "update", "delete"]
}

path "sys/generate-root/update" {
  capabilities = ["read", "update", "delete"]
}

path "sys/key-status" {
  capabilities = ["read"]
}

path "sys/loggers" {
  capabilities = ["read"]
}

path "sys/mounts" {
  capabilities = ["read"]
}

path "sys/mounts/*" {
  capabilities = ["update"]
}

path "sys/namespaces" {
  capabilities = ["list"]
}

path "sys/plugins/catalog" {
  capabilities = ["read"]
}

path "sys/plugins/catalog/*" {
  capabilities = ["read", "update", "delete", "sudo"]
}

path "sys/policies/acl" {
  capabilities = ["list"]
}

path "sys/policies/acl/*" {
  capabilities = ["read", "update", "delete"]
}

path "sys/policies/acl/vault-bootstrap" {
  capabilities = ["read"]
}

path "sys/policies/password" {
  capabilities = ["list"]
}

path "sys/policies/password/*" {
  capabilities = ["read", "update", "delete"]
}

path "sys/quotas/config" {
  capabilities = ["read", "update"]
}

path "sys/quotas/rate-limit" {
  capabilities = ["list"]
}

path "sys/quotas/rate-limit/+" {
  capabilities = ["read", "update", "delete"]
}

path "sys/rekey-recovery-key/init" {
  capabilities = ["read", "update", "delete"]
}

path "sys/rekey-recovery-key/update" {
  capabilities = ["read", "update", "delete"]
}

path "sys/rekey-recovery-key/verify" {
  capabilities = ["read", "update", "delete"]
}

path "sys/rekey/init" {
  capabilities = ["read", "update", "delete"]
}

path "sys/rekey/update" {
  capabilities = ["read", "update", "delete"]
}

path "sys/rekey/verify" {
  capabilities = ["read", "update", "delete"]
}

path "sys/rotate/config" {
  capabilities = ["read"]
}

path "sys/rotate/recovery/init" {
  capabilities = ["read", "update", "delete"]
}

path "sys/rotate/recovery/update" {
  capabilities = ["read", "update", "delete"]
}

path "sys/rotate/recovery/verify" {
  capabilities = ["read", "update", "delete"]
}

path "sys/rotate/root/init" {
  capabilities = ["read", "update", "delete"]
}

path "sys/rotate/root/update" {
  capabilities = ["read", "update", "delete"]
}

path "sys/rotate/root/verify" {
  capabilities = ["read", "update", "delete"]
}

path "sys/storage/raft/autopilot/state" {
  capabilities = ["read"]
}
