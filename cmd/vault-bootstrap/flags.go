package main

import (
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/input"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/job"
	"github.com/vault-bootstrap/vault-bootstrap/internal/seed/lang"
)

// registerRun registers the flags of a run.
func registerRun(flags *pflag.FlagSet, o *job.RunOptions) {
	registerWalk(flags, o)
	registerInit(flags, o)
}

// registerInit registers the flags that are only for initializing.
func registerInit(flags *pflag.FlagSet, o *job.RunOptions) {
	registerSpool(flags, &o.Spool)
	registerCustody(flags, &o.Custody)
	registerReset(flags, &o.Loss)
	flags.IntVar(&o.Split.Shares, "key-shares", 5, "number of unseal keys to split the root key into")
	flags.IntVar(&o.Split.Threshold, "key-threshold", 3, "number of unseal keys needed to unseal")
	flags.IntVar(&o.Split.RecoveryShares, "recovery-shares", 5, "number of recovery keys, with auto-unseal; 0 is for none, where the server takes it (OpenBao since 2.6)")
	flags.IntVar(&o.Split.RecoveryThreshold, "recovery-threshold", 3, "number of recovery keys needed, with auto-unseal")
}

// registerWalk registers the flags of every walk to a state.
func registerWalk(flags *pflag.FlagSet, o *job.RunOptions) {
	registerStore(flags, &o.Store)
	registerVault(flags, &o.Vault)
	registerLogin(flags, &o.Login)
	registerPolicy(flags, &o.Store)
	registerSeal(flags, &o.Loss)
	flags.StringSliceVar(&o.Seed, "seed", nil, "seed file or directory; may be repeated")
	flags.StringVar(&o.Until, "until", "hardened", "state to stop at: initialized, unsealed, seeded or hardened")
	flags.DurationVar(&o.Timeout, "timeout", 10*time.Minute, "how long to wait and retry in all")
	flags.IntVar(&o.Parallelism, "parallelism", 16, "writes to Vault in flight; twice as many reads")
	flags.StringVar(&o.Custody.Ceremonies.Rights, "ceremonies", "auto", "whether our login may use the endpoints that take key shares, where the server wants a token for them: always, never, or auto: if the record holds the shares")
	flags.BoolVar(&o.Custody.Ceremonies.Credential, "ceremony-credential", false, "keep a credential beside the shares that lets break-glass in when our own login no longer works, where the server wants a token for the endpoints that take key shares; the first run or break-glass run makes it")
	flags.DurationVar(&o.Lease.Duration, "lease-duration", 15*time.Second, "how long others wait for a holder that does not renew")
	flags.DurationVar(&o.Lease.Renew, "lease-renew-deadline", 10*time.Second, "how long the holder tries to renew")
	flags.DurationVar(&o.Lease.Retry, "lease-retry-period", 2*time.Second, "wait between tries to acquire or renew")
	flags.DurationVar(&o.Patience, "replica-patience", 30*time.Second, "how long to wait, once the cluster is done, for replicas that are down")
	flags.StringVar(&o.Log.Format, "log-format", "auto", "terminal, json, or auto: terminal on a terminal, otherwise json")
	flags.StringVar(&o.Log.Level, "log-level", "info", "debug, info, warn or error")
}

// registerForecast registers the flags of verbs that find out what a run would do: where everything
// is, and what decides how a run ends. All other options are a run's defaults.
func registerForecast(flags *pflag.FlagSet, o *job.RunOptions) {
	registerRun(pflag.NewFlagSet("run", pflag.ContinueOnError), o)
	registerStore(flags, &o.Store)
	registerVault(flags, &o.Vault)
	registerLogin(flags, &o.Login)
	registerPolicy(flags, &o.Store)
	registerSpool(flags, &o.Spool)
	registerSeal(flags, &o.Loss)
	flags.StringSliceVar(&o.Seed, "seed", nil, "seed file or directory; may be repeated")
}

func registerStore(flags *pflag.FlagSet, o *job.StoreOptions) {
	flags.StringVar(&o.Name, "name", "vault-bootstrap", "name of the records, of the policy and of the role that later runs log in with")
	flags.StringVar(&o.Store, "store", "", "where the records are: 'kubernetes' or 'file:DIR' (default: kubernetes inside a cluster, as a plugin of kubectl, or with --kubeconfig, --context or --namespace, otherwise file: in the user's state directory)")
	registerKeys(flags, o)
	registerRecipients(flags, &o.Encrypt)
	flags.StringVarP(&o.Namespace, "namespace", "n", "", "Kubernetes namespace of the records (default: the pod's, otherwise the kubeconfig's)")
	flags.StringVar(&o.Kubeconfig, "kubeconfig", "", "kubeconfig file (default: the pod's service account, otherwise as kubectl)")
	flags.StringVar(&o.Context, "context", "", "context of the kubeconfig (default: its current one)")
}

func registerKeys(flags *pflag.FlagSet, o *job.StoreOptions) {
	flags.StringVar(&o.Keys, "keys", job.StoredKeys, "whose the keys of Vault are: 'stored', ours, in the keys record; or 'none', somebody else's: it is configured once others have initialized and unsealed it, and nothing that opens it is stored")
}

func registerRecipients(flags *pflag.FlagSet, o *job.RecipientOptions) {
	flags.StringSliceVar(&o.To, "keys-to", nil, "who can open the keys record, which is encrypted to them; repeat it, since one alone may be lost: transit:https://HOST/MOUNT/KEY[?login=METHOD&…], age:RECIPIENT, awskms:ARN, gcpkms:NAME, azurekv:URL or kms-plugin:unix:PATH")
	flags.StringSliceVar(&o.Identities, "keys-identity", nil, "file with the identity of an age recipient; may be repeated. A recipient without one is an escrow: others can open the record")
	flags.StringVar(&o.TokenFile, "keys-token-file", "", "file with a token of the server of transit recipients that say no login, which may use MOUNT/encrypt/KEY and MOUNT/decrypt/KEY; it is read for each call")
	flags.StringVar(&o.CA, "keys-ca", "", "PEM file with the CA of the certificates of transit recipients' servers that name none (default: those of the system)")
}

func registerVault(flags *pflag.FlagSet, o *job.VaultOptions) {
	flags.StringSliceVar(&o.Addresses, "vault-addr", nil, "URL of a Vault server; repeat it for each replica, lowest ordinal first (VAULT_ADDR)")
	flags.StringVar(&o.CACert, "ca-cert", "", "PEM file with the CA of Vault's certificate (VAULT_CACERT)")
	flags.StringVar(&o.CAPath, "ca-path", "", "directory of PEM files with CAs (VAULT_CAPATH)")
	flags.StringVar(&o.ClientCert, "client-cert", "", "PEM file with a client certificate (VAULT_CLIENT_CERT)")
	flags.StringVar(&o.ClientKey, "client-key", "", "PEM file with the client certificate's key (VAULT_CLIENT_KEY)")
	flags.StringVar(&o.TLSName, "tls-server-name", "", "name to expect in Vault's certificate (VAULT_TLS_SERVER_NAME)")
	flags.BoolVar(&o.SkipVerify, "tls-skip-verify", false, "do not verify Vault's certificate: anybody in between can read the keys (VAULT_SKIP_VERIFY)")
	flags.BoolVar(&o.RequireTLS, "require-tls", false, "refuse every address that is not https or on loopback, and --tls-skip-verify")
	flags.StringVar(&o.Namespace, "vault-namespace", "", "Vault namespace of the seed and of our login, for servers that have them (VAULT_NAMESPACE)")
	registerDiscovery(flags, &o.Discovery)
}

func registerDiscovery(flags *pflag.FlagSet, o *job.DiscoveryOptions) {
	flags.StringVar(&o.Service, "vault-service", "", "headless Service of the replicas, HOST[:PORT], instead of --vault-addr: they are found by its SRV records, or named after --vault-statefulset")
	flags.StringVar(&o.Selector, "vault-selector", "", "label selector of the replicas' pods, in the namespace of the records, instead of --vault-addr; needs the records in Kubernetes")
	flags.StringVar(&o.StatefulSet, "vault-statefulset", "vault", "with --vault-service and --replicas: name of the StatefulSet, for when there are no SRV records")
	flags.StringVar(&o.Scheme, "vault-scheme", "https", "with --vault-service or --vault-selector: https or http")
	flags.IntVar(&o.Replicas, "replicas", 0, "how many replicas to expect: nothing is initialized before that many are known (default: as many as are found)")
}

func registerLogin(flags *pflag.FlagSet, o *job.LoginOptions) {
	o.Given = flags.Changed
	flags.StringSliceVar(&o.Methods, "login", nil, "how later runs log in; several are tried in order: "+strings.Join(lang.LoginMethods(), ", ")+" (default: as the seed says, otherwise kubernetes with the Kubernetes store and approle with files)")
	flags.StringVar(&o.Mount, "login-path", "", "mount of the auth method that later runs use (default: its type)")
	flags.StringVar(&o.TokenFile, "login-token-file", job.DefaultTokenFile, "file with the projected service account token (kubernetes), another JSON Web Token (jwt) or a Vault token (token-file)")
	flags.StringVar(&o.Audience, "login-audience", "vault", "audience of that token; for azure the resource; for aws the value of X-Vault-AWS-IAM-Server-ID, if the auth method requires one")
	flags.StringVar(&o.Host, "kubernetes-host", "https://kubernetes.default.svc", "URL at which Vault reaches the Kubernetes API, for --login=kubernetes")
	flags.StringVar(&o.Principal, "login-principal", "", "who may log in: the ARN of the IAM role or user (aws), the service account's e-mail address (gcp), the service principal's ID (azure)")
	flags.StringVar(&o.PasswordFile, "login-password-file", "", "file with the password of our own user, for --login=userpass")
	flags.StringVar(&o.CAFile, "login-ca", "", "PEM file with the CA that signed --client-cert, for --login=cert (default: that certificate itself, and no other)")
	flags.StringVar(&o.Region, "login-region", "", "region of STS, for --login=aws (default: AWS_REGION, otherwise us-east-1)")
}

func registerPolicy(flags *pflag.FlagSet, o *job.StoreOptions) {
	flags.StringVar(&o.Policy, "policy", job.GrowingPolicy, "what our login may do: 'grow', what the seed takes, by a policy that our login writes itself, within limits; or 'fixed', what the seed took when root wrote the policy")
}

// registerOwnLogin registers how our own login works, for verbs that apply no seed.
func registerOwnLogin(flags *pflag.FlagSet, o *job.OwnLoginOptions) {
	registerLogin(flags, &o.Login)
	flags.StringSliceVar(&o.Seed, "seed", nil, "seed file or directory that says how our login works, where the server wants a token and no --login does; may be repeated")
}

func registerSpool(flags *pflag.FlagSet, o *job.SpoolOptions) {
	flags.StringVar(&o.Dir, "spool-dir", "", "directory that keeps Vault's answer, encrypted, until it is stored; it should survive a restart of the container (default: below the file store, or in the user's state directory)")
	flags.StringVar(&o.Termination, "termination-log", "/dev/termination-log", "the container's termination message, which also keeps Vault's answer if the file exists")
}

func registerCustody(flags *pflag.FlagSet, o *job.CustodyOptions) {
	flags.StringSliceVar(&o.Keys, "pgp-keys", nil, "PGP public keys of the operators who hold the unseal keys, a file for each share: only its owner can decrypt it")
	flags.StringSliceVar(&o.RecoveryKeys, "recovery-pgp-keys", nil, "the same for recovery keys, with auto-unseal")
	flags.BoolVar(&o.Wait, "wait-for-unseal", false, "with --pgp-keys: wait until the operators have unsealed, instead of stopping with instructions")
}

func registerReset(flags *pflag.FlagSet, o *job.LossOptions) {
	flags.StringVar(&o.OnLost, "on-keys-lost", job.StopWhenLost, "what to do when the answer to our own sys/init was lost: 'stop', or 'reset': delete the volume and the pod of the replica that nobody can open, and start over (Kubernetes only; needs additional RBAC rules)")
	flags.StringVar(&o.Volume, "storage-volume", "data", "with --on-keys-lost=reset: name of the pods' volume that holds Vault's storage")
}

func registerSeal(flags *pflag.FlagSet, o *job.LossOptions) {
	flags.BoolVar(&o.RespectSeal, "respect-seal", false, "leave a replica sealed that somebody has sealed: one that was open before, and whose pod was not restarted since (Kubernetes only)")
}

func registerSidecar(flags *pflag.FlagSet, o *job.SidecarOptions) {
	flags.StringVar(&o.Quit, "quit-sidecar", "", "URL to POST to when this has ended, in whatever way, so that a service mesh's proxy in our pod ends as well "+
		"(Istio: http://127.0.0.1:15020/quitquitquit, Linkerd: http://127.0.0.1:4191/shutdown)")
}

func registerToken(flags *pflag.FlagSet, o *job.TokenOptions) {
	flags.StringVar(&o.File, "token-file", "", "with --keys=none: file with an administrator's token, or - for standard input, for what our login may not do, its own policy and role above all. It is used for this run only, and stored nowhere")
	flags.BoolVar(&o.Revoke, "revoke-token", false, "with --token-file: revoke that token when our own login is proven")
}

// registerConfirmation registers the flag of verbs that ask before they change what cannot be taken back.
func registerConfirmation(flags *pflag.FlagSet, o *input.Confirmation) {
	flags.BoolVar(&o.Yes, "yes", false, "do not ask for a confirmation; without a terminal nobody is asked")
}

func registerShares(flags *pflag.FlagSet, o *input.SharesOptions) {
	o.Flag = "--shares-file"
	flags.StringVar(&o.File, "shares-file", "", "file with the key shares, one on each line, or - for standard input; needed if operators hold them and nobody can be asked at a terminal")
}
