package product

// Ceremony is a procedure in which key shares are handed to a server.
type Ceremony string

// The ceremonies. RekeyRecovery is a rekey of the recovery keys, where a KMS or another server
// unseals.
const (
	GenerateRoot  Ceremony = "generate-root"
	Rekey         Ceremony = "rekey"
	RekeyRecovery Ceremony = "rekey-recovery-key"
)

// Endpoint is where a server says whether a ceremony is in progress.
type Endpoint struct {
	// Path is the path that is read.
	Path string
	// Granted is whether it wants a token whose policy lets it read the path. Such an endpoint
	// answers under 'data' on OpenBao, and at the top on Vault.
	Granted bool
}

// replacements are the endpoints that came in place of those of Vault 1, newest first.
//
// OpenBao closed the old ones by default: rekey with 2.5.0, generate-root with 2.5.3 (405). From
// 2.5.3 to 2.5.5 there was no other for generate-root. Vault kept the names, and wants a token from
// 2.0 on.
var replacements = []struct {
	ceremony Ceremony
	kind     Kind
	since    string
	path     string
}{
	{GenerateRoot, OpenBao, "2.6.0", "sys/generate-root-token/attempt"},
	{Rekey, OpenBao, "2.4.0", "sys/rotate/root/init"},
	{RekeyRecovery, OpenBao, "2.4.0", "sys/rotate/recovery/init"},
	{GenerateRoot, Vault, "2.0.0", "sys/generate-root/attempt"},
	{Rekey, Vault, "2.0.0", "sys/rekey/init"},
	{RekeyRecovery, Vault, "2.0.0", "sys/rekey-recovery-key/init"},
}

// Status returns where the server says whether a ceremony is in progress.
func (p Product) Status(of Ceremony) Endpoint {
	for _, each := range replacements {
		if each.ceremony == of && p.is(each.kind, each.since) {
			return Endpoint{Path: each.path, Granted: true}
		}
	}
	if of == GenerateRoot {
		return Endpoint{Path: "sys/generate-root/attempt"}
	}
	return Endpoint{Path: "sys/" + string(of) + "/init"}
}

// GrantedStatuses returns the paths that some product wants a grant for, to say whether a ceremony
// is in progress.
func GrantedStatuses() []string {
	var paths []string
	for _, each := range replacements {
		paths = append(paths, each.path)
	}
	return paths
}
