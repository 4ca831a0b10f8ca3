path "auth/+/config" {
  capabilities = ["create", "read", "update"]
}

path "auth/+/config/+" {
  capabilities = ["create", "read", "update"]
}

path "auth/+/role/+" {
  capabilities = ["create", "read", "update"]
}

path "auth/+/users/+" {
  capabilities = ["create", "read", "update"]
}

path "auth/approle/role/vault-bootstrap" {
  capabilities = ["read"]
}

path "auth/approle/role/vault-bootstrap/*" {
  capabilities = ["deny"]
}

path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}

path "auth/token/roles/+" {
  capabilities = ["create", "read", "update"]
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

path "sys/mounts" {
  capabilities = ["read"]
}

path "sys/mounts/*" {
  capabilities = ["update"]
}

path "sys/policies/acl/*" {
  capabilities = ["read", "update"]
}

path "sys/policies/acl/vault-bootstrap" {
  capabilities = ["read"]
}
