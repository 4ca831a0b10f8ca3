package keyring

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// Kind is a kind of recipient: what its form begins with.
type Kind string

// The kinds.
const (
	Transit   Kind = "transit"
	Age       Kind = "age"
	AWS       Kind = "awskms"
	Google    Kind = "gcpkms"
	Azure     Kind = "azurekv"
	KMSPlugin Kind = "kms-plugin"
)

// Form is a recipient as it is written: KIND:REST. Which fields are set depends on the kind.
type Form struct {
	Kind Kind
	// Server is where the key is: of Transit and Azure a URL of scheme and host, of KMSPlugin the
	// path of a socket.
	Server string
	// Mount is the path of the transit secrets engine, without slashes around it.
	Mount string
	// Key is what identifies the key: of Transit and Azure its name, of Age the recipient, of AWS an
	// ARN, of Google a resource name.
	Key string
	// Region is the one in an ARN of AWS.
	Region string
	// Options say how the server of Transit is reached, in canonical form; see Settings. Who the
	// recipient is does not depend on them.
	Options string
}

// String returns the form in canonical form, without options: two that mean the same recipient are the
// same text.
func (f Form) String() string {
	switch f.Kind {
	case Transit:
		return string(Transit) + ":" + f.Server + "/" + f.Mount + "/" + f.Key
	case Azure:
		return string(Azure) + ":" + f.Server + "/keys/" + f.Key
	case KMSPlugin:
		return string(KMSPlugin) + ":unix:" + f.Server
	default:
		return string(f.Kind) + ":" + f.Key
	}
}

// formats says for each kind how it is written and how that is read.
var formats = []struct {
	kind    Kind
	written string
	read    func(rest string) (Form, error)
}{
	{Transit, "transit:https://HOST:PORT/MOUNT/KEY[?NAME=VALUE&…]", readTransit},
	{Age, "age:age1…", readAge},
	{AWS, "awskms:arn:aws:kms:REGION:ACCOUNT:key/ID", readAWS},
	{Google, "gcpkms:projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY", readGoogle},
	{Azure, "azurekv:https://VAULT.vault.azure.net/keys/KEY", readAzure},
	{KMSPlugin, "kms-plugin:unix:/PATH/OF/SOCKET", readPlugin},
}

// Parse reads a recipient's form. It touches nothing. Its errors are of kind fault.Usage.
func Parse(text string) (Form, error) {
	kind, rest, _ := strings.Cut(text, ":")
	all := make([]string, len(formats))
	for i, format := range formats {
		all[i] = format.written
		if string(format.kind) != kind {
			continue
		}
		form, err := format.read(rest)
		if err != nil {
			return Form{}, fault.Misuse(fmt.Errorf("the recipient %q: %w", shown(text), err), "Write it as "+format.written+".")
		}
		form.Kind = format.kind
		return form, nil
	}
	return Form{}, fault.Misuse(fmt.Errorf("the recipient %q is of no known kind", shown(text)), "Write one of: "+strings.Join(all, ", ")+".")
}

// shown returns a text that was not understood as errors show it: without what could be a secret,
// which is an age identity in place of its recipient, a password in an address, or an option.
func shown(text string) string {
	for _, secret := range []*regexp.Regexp{identity, pluginIdentity} {
		if at := secret.FindStringIndex(text); at != nil {
			return text[:at[1]] + "…"
		}
	}
	before, _, options := strings.Cut(text, "?")
	i := strings.LastIndex(text, "@")
	switch {
	case options && i >= 0:
		return "…?…"
	case options:
		return before + "?…"
	case i >= 0:
		return "…" + text[i:]
	}
	return text
}

// How age's identities begin, in either case. Changing the case of a text that is no UTF-8 would
// change its length.
var (
	identity       = regexp.MustCompile(`(?i)AGE-SECRET-KEY-`)
	pluginIdentity = regexp.MustCompile(`(?i)AGE-PLUGIN-`)
)

var errUserinfo = errors.New("the address has a user name or password in it")

// address reads an address and returns its scheme and host, and its path.
func address(text string) (server *url.URL, below string, err error) {
	// Not the error of url.Parse, which would repeat a password.
	server, err = url.Parse(text)
	switch {
	case err != nil:
		return nil, "", errors.New("the address is not a URL")
	case server.User != nil:
		return nil, "", errUserinfo
	case server.Hostname() == "":
		return nil, "", errors.New("the address has no host")
	case server.RawQuery != "" || server.Fragment != "" || server.RawPath != "":
		return nil, "", errors.New("the address has a query, a fragment or escaped characters")
	}
	return &url.URL{Scheme: server.Scheme, Host: strings.ToLower(server.Host)}, strings.Trim(server.Path, "/"), nil
}

// segment is one part of a path in Vault: what needs no escaping.
var segment = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

func readTransit(rest string) (Form, error) {
	rest, query, _ := strings.Cut(rest, "?")
	options, err := readOptions(query)
	if err != nil {
		return Form{}, err
	}
	server, below, err := address(rest)
	if err != nil {
		return Form{}, err
	}
	if server.Scheme != "https" && (server.Scheme != "http" || !loopback(server.Hostname())) {
		return Form{}, errors.New("the address does not begin with https:// (http:// is for the machine itself alone)")
	}
	parts := strings.Split(below, "/")
	if len(parts) < 2 {
		return Form{}, errors.New("the path does not name a mount and a key")
	}
	for _, part := range parts {
		if !segment.MatchString(part) {
			return Form{}, fmt.Errorf("the path has a part %q, which is neither the name of a mount nor of a key", part)
		}
	}
	if parts[0] == "v1" {
		return Form{}, errors.New("the path begins with v1, which is of the API and not of the mount")
	}
	last := len(parts) - 1
	return Form{Server: server.String(), Mount: path.Join(parts[:last]...), Key: parts[last], Options: options}, nil
}

// loopback reports whether a host is the machine itself.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// ageRecipient is a native recipient, or that of a plugin, in Bech32. Whether its checksum is right
// is for who uses it.
var ageRecipient = regexp.MustCompile(`^age1[a-z0-9+._-]+$`)

func readAge(rest string) (Form, error) {
	switch lower := strings.ToLower(rest); {
	case strings.HasPrefix(lower, "age-secret-key-"), strings.HasPrefix(lower, "age-plugin-"):
		return Form{}, errors.New("this is an identity, which is secret: take it for known to all who can see our arguments, and make a new one")
	case strings.HasPrefix(lower, "ssh-"):
		return Form{}, errors.New("SSH keys are not taken")
	case !ageRecipient.MatchString(rest):
		return Form{}, errors.New("it does not begin with age1, or has characters that no recipient has")
	}
	return Form{Key: rest}, nil
}

var (
	arn = regexp.MustCompile(`^arn:(?:aws|aws-[a-z-]+):kms:([a-z0-9-]+):[0-9]{12}:(?:key/[A-Za-z0-9-]+|alias/[A-Za-z0-9/_-]+)$`)
	// alias is what people write whose region and account go without saying.
	alias = regexp.MustCompile(`^(alias/.*|key/.*|mrk-[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]+)$`)
)

func readAWS(rest string) (Form, error) {
	found := arn.FindStringSubmatch(rest)
	switch {
	case found != nil:
		return Form{Key: rest, Region: found[1]}, nil
	case alias.MatchString(rest):
		return Form{}, errors.New("it is not an ARN: region and account are missing")
	}
	return Form{}, errors.New("it is not the ARN of a key or an alias of AWS KMS")
}

var resource = regexp.MustCompile(`^projects/[a-z0-9.:-]+/locations/[a-z0-9-]+/keyRings/[A-Za-z0-9_-]{1,63}/cryptoKeys/[A-Za-z0-9_-]{1,63}$`)

func readGoogle(rest string) (Form, error) {
	switch {
	case resource.MatchString(rest):
		return Form{Key: rest}, nil
	case strings.Contains(rest, "/cryptoKeyVersions/"):
		return Form{}, errors.New("it names a version: every version of a key decrypts what it has encrypted, and the primary one encrypts")
	}
	return Form{}, errors.New("it is not the resource name of a key")
}

// azureHosts are those of Key Vault and of Managed HSM in each of Azure's clouds. A token for Key
// Vault goes nowhere else.
var azureHosts = regexp.MustCompile(`^[a-z0-9-]{3,24}\.(vault\.azure\.net|vault\.azure\.cn|vault\.usgovcloudapi\.net|managedhsm\.azure\.net|managedhsm\.azure\.cn|managedhsm\.usgovcloudapi\.net)$`)

var azureName = regexp.MustCompile(`^[A-Za-z0-9-]{1,127}$`)

func readAzure(rest string) (Form, error) {
	server, below, err := address(rest)
	if err != nil {
		return Form{}, err
	}
	server.Host = strings.TrimSuffix(server.Host, ":443")
	parts := strings.Split(below, "/")
	switch {
	case server.Scheme != "https":
		return Form{}, errors.New("the address does not begin with https://")
	case !azureHosts.MatchString(server.Host):
		return Form{}, fmt.Errorf("the host %q is not that of an Azure Key Vault", server.Host)
	case len(parts) == 3 && parts[0] == "keys":
		return Form{}, errors.New("it names a version: each wrap remembers its own, and the newest one wraps")
	case len(parts) != 2 || parts[0] != "keys" || !azureName.MatchString(parts[1]):
		return Form{}, errors.New("the path is not /keys/ and a name")
	}
	return Form{Server: server.String(), Key: strings.ToLower(parts[1])}, nil
}

// maxSocket is the longest path of a socket on Linux, in bytes.
const maxSocket = 107

func readPlugin(rest string) (Form, error) {
	socket, ok := strings.CutPrefix(rest, "unix:")
	if !ok {
		return Form{}, errors.New("it is not a socket on this machine")
	}
	if below, ok := strings.CutPrefix(socket, "//"); ok { // unix:///run/kms.sock, as Kubernetes has it
		socket = below
	}
	if !path.IsAbs(socket) || len(socket) > maxSocket {
		return Form{}, fmt.Errorf("the socket %q is not an absolute path of at most %d bytes", socket, maxSocket)
	}
	return Form{Server: path.Clean(socket)}, nil
}
