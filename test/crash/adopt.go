package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
)

// adoptPoints begin the names of the points that only the verb 'adopt' comes to.
const adoptPoints = "adopt."

func ofAdopt(point string) bool { return strings.HasPrefix(point, adoptPoints) }

// initialized makes the scene one for 'adopt': somebody else has initialized Vault,
// and kept what 'vault operator init -format=json' printed.
func (sc *scene) initialized(ctx context.Context) error {
	keys, err := sc.vault.Initialize(ctx, 5, 3)
	if err != nil {
		return err
	}
	sc.note(append(keys.Shares, keys.RootToken)...)
	sc.roots[keys.RootToken] = true
	content, err := json.Marshal(map[string]any{
		"unseal_keys_b64": keys.Shares, "unseal_shares": len(keys.Shares), "unseal_threshold": keys.Threshold, "root_token": keys.RootToken,
	})
	if err != nil {
		return err
	}
	sc.offer = filepath.Join(sc.dir, "init.json")
	return os.WriteFile(sc.offer, content, 0o600)
}

// verb returns the verb of the scene's runs with the flags that only it has.
func (sc *scene) verb() []string {
	if sc.offer != "" {
		return []string{"adopt", "--keys-file=" + sc.offer, "--revoke-token"}
	}
	return []string{"run", "--spool-dir=" + sc.spool}
}
