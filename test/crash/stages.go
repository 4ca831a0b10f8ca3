package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// initialized has somebody else initialize Vault, and keep what 'vault operator init
// -format=json' prints.
func initialized(ctx context.Context, sc *scene) error {
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

// hardened begins with an undisturbed run.
func hardened(ctx context.Context, sc *scene) error {
	end, err := sc.finish(ctx, sc.options())
	if err == nil && end.Code != exitDone {
		err = fmt.Errorf("the run before %q exited with %d\n%s", sc.verb, end.Code, end.Stderr)
	}
	return err
}

// sealed has Vault restarted after that.
func sealed(ctx context.Context, sc *scene) error {
	if err := hardened(ctx, sc); err != nil {
		return err
	}
	return sc.vault.Nodes[0].Restart(ctx)
}

// emptied has Vault's storage gone after that: the stored keys are those of a Vault that
// does not exist any more.
func emptied(ctx context.Context, sc *scene) error {
	if err := hardened(ctx, sc); err != nil {
		return err
	}
	sc.emptied++
	return sc.startOver(ctx)
}

// killedBefore has another verb killed at a point, so that what comes next has to mend it.
func killedBefore(v *verb, point string) func(context.Context, *scene) error {
	return func(ctx context.Context, sc *scene) error {
		if v.stage != nil {
			if err := v.stage(ctx, sc); err != nil {
				return err
			}
		}
		p, err := sc.startStopped(ctx, options{verb: v, stopAt: point})
		if err != nil {
			return err
		}
		_, err = p.Kill()
		return err
	}
}
