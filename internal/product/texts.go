package product

import "strings"

// Text is something that servers say in an answer, and by which the program recognizes what has
// happened. Each product may have words of its own for it, or never say it.
//
// A suite holds every one of them against an answer of each product.
type Text int

// The texts that are recognized.
const (
	// Of every request.
	NotActive        Text = iota // no active node at the moment
	NoActiveNode                 // the same, in the other half of the message
	NotLeader                    // no longer the leader of the raft cluster
	NoLongerActive               // stepped down while it answered
	QuotaChanging                // the rate limit quota that the request hit was just changed
	WantsTLS                     // plain HTTP to a listener with TLS
	UnsupportedPath              // no such path, or one that the listener has closed
	TokenMissing                 // the endpoint wants a token
	PermissionDenied             // the token, or the credential of a login, may not do this
	// Of tokens.
	InvalidAccessor
	// Of sys/init.
	StorageHasState
	AlreadyInitialized
	// Of unsealing.
	NoKeyYet // a member that still opens with the first shares
	AuditSetupFailed
	AuditConfigInvalid // of a stanza of the configuration
	AuditNotCreated    // the same, found later
	// Of key shares, in unsealing and in ceremonies.
	AuthenticationFailed
	KeysNotDecrypted
	InvalidKey
	NotHexOrBase64
	VerificationFailed
	KeyNotComputed
	KeyShort
	KeyLong
	// Of ceremonies.
	RootAborted
	RootInProgress
	RekeyInProgress
	IncorrectNewShares
	// Of the seed's objects.
	EnterpriseOnly
	UnsupportedOperation
	UpgradingKV
	IgnoredParameters
	AuditByAPIRefused
	AuditRegistered // registered and not recorded: the request was cut off
	CASRequired
	NamespaceSealed   // a namespace with a seal of its own
	RootNamespaceOnly // of the server as a whole
	// Of logins. Many of these come from the same plugins in both products.
	NoHandler
	WrongAudience
	NotYetValid
	IssuedInFuture
	Expired
	OtherServiceAccount
	OtherNamespace
	TokenUnknown
	RoleOrSecretID
	RoleName
	RoleNotFound
	RoleEntry
	UsernameOrPassword
	NoChain
	NoConstraint
	NoCertificate
	CertificateMissing
	OtherPrincipal
	NotInServiceAccounts
	BadSignature
	BadCryptography
	NoInstance
	Upstream
	NotOfRole
	TokenInvalid
	ConnectionRefused
	NoSuchHost
	DeadlineExceeded
	// Of logins by the azure method, which answers 500 to a token that it does not accept.
	KeysNotFetched
	NotAuthorized
	TokenExpired
	OtherAudience
	OtherIssuer
	endOfTexts
)

// wording is how each product says a text; empty where it never does, and why.
type wording struct {
	vault, bao string
	never      string
}

func same(words string) wording { return wording{vault: words, bao: words} }

// wordings are as Vault 1.21.1 and OpenBao 2.6.2 have them.
var wordings = [endOfTexts]wording{
	NotActive:        same("local node not active"),
	NoActiveNode:     same("active cluster node not found"),
	NotLeader:        {vault: "node is not the leader", bao: "node is not the leader"},
	NoLongerActive:   {vault: "no longer active", never: "OpenBao's core has no such error: a standby says that it is not active"},
	QuotaChanging:    {vault: "store is stopped", never: "OpenBao's limiter does not fail when it was stopped"},
	WantsTLS:         same("HTTP request to an HTTPS server"),
	UnsupportedPath:  same("unsupported path"),
	TokenMissing:     {vault: "missing client token", never: "OpenBao answers 403 'permission denied'"},
	PermissionDenied: same("permission denied"),

	InvalidAccessor: same("invalid accessor"),

	StorageHasState:    same("already has state"),
	AlreadyInitialized: same("already initialized"),

	NoKeyYet:         same("invalid key size 0"),
	AuditSetupFailed: same("failed to setup audit table"),

	AuditConfigInvalid: {bao: "failed to validate audit device config", never: noStanza},
	AuditNotCreated:    {bao: "failed to create new audit device", never: noStanza},

	AuthenticationFailed: same("message authentication failed"),
	KeysNotDecrypted:     same("failed to decrypt keys"),
	InvalidKey:           same("invalid key"),
	NotHexOrBase64:       same("must be a valid hex or base64 string"),
	VerificationFailed:   same("verification failed"),
	KeyNotComputed:       same("failed to compute"),
	KeyShort:             same("key is shorter"),
	KeyLong:              same("key is longer"),

	RootAborted:        same("root generation aborted"),
	RootInProgress:     same("already in progress"),
	RekeyInProgress:    {vault: "rekey already in progress", bao: "rotation already in progress"},
	IncorrectNewShares: same("incorrect key shares"),

	EnterpriseOnly:       {vault: "enterprise-only feature", never: "OpenBao has no Enterprise: it answers as for any path that there is not"},
	UnsupportedOperation: same("unsupported operation"),
	UpgradingKV:          same("Upgrading from non-versioned to versioned"),
	IgnoredParameters:    same("ignored these unrecognized parameters"),
	AuditByAPIRefused:    {bao: "cannot enable audit device via API", never: "Vault makes audit devices by its API"},
	AuditRegistered:      {vault: "backend already registered", never: "OpenBao records a device before it registers it"},

	CASRequired:       same("check-and-set parameter required"),
	NamespaceSealed:   {bao: "namespace is sealed", never: "Vault's namespaces have no seal of their own"},
	RootNamespaceOnly: {bao: "only available in root namespace", never: "namespaces are in Vault Enterprise only, which no test has met"},

	NoHandler:            same("no handler for route"),
	WrongAudience:        same("audience"),
	NotYetValid:          same("not yet valid"),
	IssuedInFuture:       same("issued in the future"),
	Expired:              same("expired"),
	OtherServiceAccount:  same("service account name not authorized"),
	OtherNamespace:       same("namespace not authorized"),
	TokenUnknown:         same("service account unauthorized"),
	RoleOrSecretID:       same("invalid role or secret id"),
	RoleName:             same("invalid role name"),
	RoleNotFound:         same(`role "`),
	RoleEntry:            {vault: "entry for role", never: noCloud},
	UsernameOrPassword:   same("invalid username or password"),
	NoChain:              same("no chain matching"),
	NoConstraint:         {vault: "failed to match all constraints", never: `OpenBao says "no chain matching all constraints"`},
	NoCertificate:        same("invalid certificate or no client certificate"),
	CertificateMissing:   {vault: "client certificate must be supplied", bao: "no client certificate found"},
	OtherPrincipal:       {vault: "service principal not authorized", never: noCloud},
	NotInServiceAccounts: {vault: "not in bound service accounts", never: noCloud},
	BadSignature:         {vault: "failed to verify signature", never: noCloud},
	BadCryptography:      {vault: "error in cryptographic primitive", never: noCloud},
	NoInstance:           {vault: "error when attempting to find instance", never: noCloud},
	Upstream:             {vault: "error making upstream request", never: noCloud},
	NotOfRole:            {vault: "does not belong to the role", never: noCloud},
	TokenInvalid:         same("error validating token"),
	ConnectionRefused:    same("connection refused"),
	NoSuchHost:           same("no such host"),
	DeadlineExceeded:     same("context deadline exceeded"),
	KeysNotFetched:       {vault: "fetching keys", never: noCloud},
	NotAuthorized:        {vault: "not authorized", never: noCloud},
	TokenExpired:         {vault: "token is expired", never: noCloud},
	OtherAudience:        {vault: "expected audience", never: noCloud},
	OtherIssuer:          {vault: "issued by a different provider", never: noCloud},
}

// noStanza is why Vault never says what is about an audit stanza.
const noStanza = "Vault has no audit stanza"

// noCloud is why OpenBao never says what a cloud's auth method says.
const noCloud = "OpenBao's catalog has no auth method for this cloud"

// In reports whether a message has the text, in any product's words and in any case: the product is
// not known where errors are judged.
func (t Text) In(message string) bool {
	message = strings.ToLower(message)
	return has(message, wordings[t].vault) || has(message, wordings[t].bao)
}

func has(lower, words string) bool {
	return words != "" && strings.Contains(lower, strings.ToLower(words))
}

// String returns the words, Vault's if it has any.
func (t Text) String() string {
	if wordings[t].vault != "" {
		return wordings[t].vault
	}
	return wordings[t].bao
}

// On returns a product's words for the text; if it never says it, none, and why.
func (t Text) On(kind Kind) (words, never string) {
	words = wordings[t].vault
	if kind == OpenBao {
		words = wordings[t].bao
	}
	if words == "" {
		never = wordings[t].never
	}
	return words, never
}

// Texts returns all texts.
func Texts() []Text {
	all := make([]Text, endOfTexts)
	for i := range all {
		all[i] = Text(i)
	}
	return all
}
