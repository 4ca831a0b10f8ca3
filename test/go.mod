module github.com/vault-bootstrap/vault-bootstrap/test

go 1.26

require github.com/vault-bootstrap/vault-bootstrap v0.0.0

replace github.com/vault-bootstrap/vault-bootstrap => ../
