package shares

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/internal/secret"
)

// split makes shares of a fixed key, as Vault would.
func split(n, threshold int) []string {
	texts := make([]string, n)
	for i := range texts {
		x := byte(7*i + 3)
		share := make([]byte, 33)
		for position := range 32 {
			power := byte(1)
			for degree := range threshold {
				share[position] ^= multiply(byte(17*position+31*degree+5), power)
				power = multiply(power, x)
			}
		}
		share[32] = x
		texts[i] = base64.StdEncoding.EncodeToString(share)
	}
	return texts
}

func quoted(texts []string) string {
	return strings.ReplaceAll(fmt.Sprintf("%q", texts), `" "`, `","`)
}

func inHex(text string) string {
	raw, _ := base64.StdEncoding.DecodeString(text)
	return hex.EncodeToString(raw)
}

func TestRead(t *testing.T) {
	five := split(5, 3)
	for name, test := range map[string]struct {
		content  string
		recovery bool
		root     string
	}{
		"lines":                {strings.Join(five, "\n") + "\n", false, ""},
		"lines of Windows":     {strings.Join(five, "\r\n"), true, ""},
		"hex and base64":       {strings.Join(append([]string{inHex(five[0])}, five[1:]...), "\n"), false, ""},
		"operator init":        {`{"unseal_keys_b64":` + quoted(five) + `,"unseal_threshold":3,"recovery_keys_b64":[],"root_token":"hvs.x"}`, false, "hvs.x"},
		"operator init, auto":  {`{"unseal_keys_b64":[],"recovery_keys_b64":` + quoted(five) + `,"root_token":"hvs.x"}`, true, "hvs.x"},
		"sys/init":             {`{"keys":["00"],"keys_base64":` + quoted(five) + `,"root_token":"hvs.x"}`, false, "hvs.x"},
		"our record":           {`{"version":1,"set":{"kind":"unseal","shares":` + quoted(five) + `},"root":{"token":"hvs.x"}}`, false, "hvs.x"},
		"our record, recovery": {`{"version":1,"set":{"kind":"recovery","shares":` + quoted(five) + `}}`, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			material, err := Read([]byte(test.content))
			if err != nil {
				t.Fatal(err)
			}
			found, err := material.For(test.recovery, 3)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := strings.Join(secret.Reveal(found), " "), strings.Join(five, " "); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if got := material.Root.Reveal(); got != test.root {
				t.Errorf("root token %q, want %q", got, test.root)
			}
		})
	}
}

func TestFromEntries(t *testing.T) {
	for _, prefix := range []string{"", "prod-", "vault-unseal-0-"} {
		data := map[string][]byte{prefix + "vault-root": []byte("hvs.x"), prefix + "vault-test": []byte("x"), "other": []byte("y")}
		for i, share := range split(12, 3) {
			data[fmt.Sprintf("%svault-recovery-%d", prefix, i)] = []byte(inHex(share) + "\n")
		}
		material, err := FromEntries(data, nil)
		if err != nil || len(material.Recovery) != 12 || material.Root.Reveal() != "hvs.x" {
			t.Fatalf("%d shares, %v", len(material.Recovery), err)
		}
		if _, err := material.For(true, 3); err != nil {
			t.Error(err)
		}
		if _, err := material.For(false, 3); err == nil || !strings.Contains(err.Error(), "these are recovery keys") {
			t.Errorf("as unseal keys: %v", err)
		}
		for name := range data {
			if IsEntry(name) != (name != "other" && !strings.HasSuffix(name, "-test")) {
				t.Errorf("IsEntry(%q)", name)
			}
		}
	}
}

// TestFromEncryptedEntries decrypts what is bank-vaults' and nothing else.
func TestFromEncryptedEntries(t *testing.T) {
	data := map[string][]byte{"a-vault-root": []byte("~hvs.x"), "a-vault-test": []byte("x"), "keys.json": []byte("{}")}
	for i, share := range split(5, 3) {
		data[fmt.Sprintf("a-vault-unseal-%d", i)] = []byte("~" + inHex(share))
	}
	open := func(name string, content []byte) (secret.Value, error) {
		text, ok := strings.CutPrefix(string(content), "~")
		if !ok {
			return secret.Value{}, fmt.Errorf("%s is not encrypted", name)
		}
		return secret.New(text), nil
	}
	material, err := FromEntries(data, open)
	if err != nil || len(material.Unseal) != 5 || material.Root.Reveal() != "hvs.x" {
		t.Fatalf("%d shares, %v", len(material.Unseal), err)
	}
	if _, err := FromEntries(data, nil); err == nil || strings.Contains(err.Error(), "hvs.x") {
		t.Errorf("undecrypted: %v", err)
	}
	data["a-vault-unseal-3"] = []byte("plain")
	if _, err := FromEntries(data, open); err == nil || !strings.Contains(err.Error(), "a-vault-unseal-3 is not encrypted") {
		t.Error(err)
	}
}

func TestEntriesAreRefused(t *testing.T) {
	share := []byte(inHex(split(5, 3)[0]))
	for says, data := range map[string]map[string][]byte{
		"it holds neither":                  {"password": nil, "vault-root": share},
		"vault-unseal-1 is missing":         {"vault-unseal-0": share, "vault-unseal-2": share},
		"x-vault-recovery-0 is missing":     {"x-vault-recovery-1": share},
		`with the prefixes ["" "x-"]`:       {"vault-unseal-0": share, "x-vault-unseal-0": share},
		"it holds neither keys.json":        {"vault-unseal-01": share},
		"share 1 of 1: it is not a key sha": {"vault-unseal-0": []byte("vault-test")},
	} {
		if _, err := FromEntries(data, nil); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), string(share)) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

func TestRefused(t *testing.T) {
	five, others := split(5, 3), split(5, 4)
	for name, test := range map[string]struct{ content, says string }{
		"empty":                 {" \n", "empty"},
		"no share":              {"correct horse battery staple", "not a key share"},
		"too short":             {inHex(five[0])[:20], "not a key share"},
		"encrypted":             {strings.Repeat(five[0], 6), "decrypt it first"},
		"broken JSON":           {`{"unseal_keys_b64":["` + five[0], "cannot be parsed"},
		"other JSON":            {`{"a":1}`, "no key shares"},
		"our record, encrypted": {`{"version":2,"header":{"set":{"kind":"unseal","shares":["sealed"]}},"sealing":{}}`, "an encrypted keys record of ours"},
		"custody":               {`{"set":{"kind":"unseal","custody":[{}]}}`, "operators' own PGP keys"},
		"too few":               {strings.Join(five[:2], "\n"), "2 shares are given, and this Vault asks for 3"},
		"twice":                 {strings.Join([]string{five[0], five[1], inHex(five[0])}, "\n"), "share 3 is the same as share 1"},
		"a wrong one":           {strings.Join(append(five[:4:4], others[4]), "\n"), "share 5 does not belong"},
		"same number":           {strings.Join(append(five[:4:4], others[3]), "\n"), "same number"},
		"unsplit keys":          {strings.Join([]string{five[0], five[1], base64.StdEncoding.EncodeToString(make([]byte, 32))}, "\n"), "not as long"},
	} {
		t.Run(name, func(t *testing.T) {
			material, err := Read([]byte(test.content))
			if err == nil {
				_, err = material.For(false, 3)
			}
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("got %v, want %q", err, test.says)
			}
			for _, share := range five {
				if strings.Contains(err.Error(), share) || strings.Contains(err.Error(), inHex(share)) {
					t.Errorf("the error shows a share: %v", err)
				}
			}
		})
	}
}
