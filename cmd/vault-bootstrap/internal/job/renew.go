package job

import (
	"slices"

	"github.com/vault-bootstrap/vault-bootstrap/internal/seed"
)

// CertificateFiles returns the files and directories that connections to Vault are made with.
func (o *VaultOptions) CertificateFiles(env Lookup) []string {
	config, err := o.Config(env)
	if err != nil {
		return nil // the options were checked before
	}
	return given(config.CACert, config.CAPath, config.ClientCert, config.ClientKey)
}

// files returns the files of whose content the login keeps something: what a method reads at each
// login, as it does a token, is none.
func (o *LoginOptions) files(kind StoreKind, declared []seed.LoginMethod) []string {
	var found []string
	for _, way := range o.ways(kind, declared) {
		switch way.name {
		case "userpass":
			found = append(found, way.PasswordFile)
		case "cert":
			found = append(found, way.CAFile)
		}
	}
	return given(found...)
}

func given(files ...string) []string {
	return slices.DeleteFunc(files, func(name string) bool { return name == "" })
}

// Files returns the files that Renew reads.
func (j *Job) Files() []string {
	return append(j.Options.Vault.CertificateFiles(j.env), j.loginFiles(j.declaredLogin)...)
}

// Renew reads the certificates, keys and passwords again that are kept from the start. What cannot
// be used stays as it was. The session of the current login goes on: its token is bound to no
// connection.
func (j *Job) Renew() error {
	if err := j.renewCertificates(); err != nil {
		return err
	}
	methods, err := j.resolveLogin(j.declaredLogin)
	if err != nil {
		return err
	}
	j.Bootstrap.Access().Methods = methods
	return nil
}
