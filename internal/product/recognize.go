package product

import "encoding/json"

// shown is what an answer holds, by field.
type shown map[string]json.RawMessage

func (s shown) has(field string) bool { return s[field] != nil }

// Recognize returns the product of a server by its answers to sys/health and sys/seal-status, as
// JSON. One that was not asked for is nil.
//
// A major version 0 or 1 is Vault: OpenBao began with 2.0.0. Otherwise the marks vote, so that one
// that a later version changes is outvoted by the other two:
//
//   - sys/health has 'enterprise' on Vault (seen on 1.21.1), and lacks it on OpenBao (2.6.2)
//   - sys/health has 'clock_skew_ms' on Vault (1.21.1), and lacks it on OpenBao (2.6.2)
//   - sys/seal-status has 'commit_date' on OpenBao since 2.6.0. Vault, and OpenBao before, have
//     'build_date'
//
// With sys/health alone the first two must agree. sys/seal-status alone shows only an OpenBao that
// has its mark.
func Recognize(health, sealStatus []byte) Product {
	var ofHealth, ofSeal shown
	_ = json.Unmarshal(health, &ofHealth) // what is not an object shows nothing
	_ = json.Unmarshal(sealStatus, &ofSeal)
	version := versionIn(ofHealth)
	if version.text == "" {
		version = versionIn(ofSeal)
	}
	return Product{Kind: elect(version, ofHealth, ofSeal), Version: version}
}

func versionIn(answer shown) Version {
	var text string
	_ = json.Unmarshal(answer["version"], &text) // then there is none
	version, _ := ParseVersion(text)
	return version
}

func elect(version Version, health, seal shown) Kind {
	switch {
	case version.text == "":
		return Unknown // such an answer is no server's
	case version.known && version.major < 2:
		return Vault
	case health == nil && seal.has("commit_date"):
		return OpenBao
	}
	votes := 0 // above 0 for Vault, below for OpenBao
	vote := func(forVault bool) {
		if forVault {
			votes++
		} else {
			votes--
		}
	}
	if health != nil {
		vote(health.has("enterprise"))
		vote(health.has("clock_skew_ms"))
	}
	if health != nil && (seal.has("commit_date") || seal.has("build_date")) {
		vote(!seal.has("commit_date"))
	}
	switch {
	case votes > 0:
		return Vault
	case votes < 0:
		return OpenBao
	default:
		return Unknown
	}
}
