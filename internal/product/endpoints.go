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
	// Closable is whether the listener may have it closed (404 or 405). Nobody can then begin
	// anything through it.
	Closable bool
}

// replacements are the endpoints that came in place of those of Vault 1, newest first.
//
// OpenBao closed the old ones by default: rekey with 2.5.0, generate-root with 2.5.3 (405). From
// 2.5.3 to 2.5.5 there was no other for generate-root. Vault kept the names, and wants a token from
// 2.0 on.
//
// OpenBao's old and new rekey know nothing of each other, so that beside is asked as well; its
// generate-root is the same by either name (2.6.2).
var replacements = []struct {
	ceremony Ceremony
	kind     Kind
	since    string
	path     string
	beside   string
}{
	{GenerateRoot, OpenBao, "2.6.0", "sys/generate-root-token/attempt", ""},
	{Rekey, OpenBao, "2.4.0", "sys/rotate/root/init", "sys/rekey/init"},
	{RekeyRecovery, OpenBao, "2.4.0", "sys/rotate/recovery/init", "sys/rekey-recovery-key/init"},
	{GenerateRoot, Vault, "2.0.0", "sys/generate-root/attempt", ""},
	{Rekey, Vault, "2.0.0", "sys/rekey/init", ""},
	{RekeyRecovery, Vault, "2.0.0", "sys/rekey-recovery-key/init", ""},
}

// Statuses returns where the server says whether a ceremony is in progress: it is if one says so.
func (p Product) Statuses(of Ceremony) []Endpoint {
	for _, each := range replacements {
		if each.ceremony != of || !p.is(each.kind, each.since) {
			continue
		}
		all := []Endpoint{{Path: each.path, Granted: true}}
		if each.beside != "" {
			all = append(all, Endpoint{Path: each.beside, Closable: true})
		}
		return all
	}
	if of == GenerateRoot {
		return []Endpoint{{Path: "sys/generate-root/attempt"}}
	}
	return []Endpoint{{Path: "sys/" + string(of) + "/init"}}
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
