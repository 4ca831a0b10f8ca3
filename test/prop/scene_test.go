package prop_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// ownLogin is where the auth method of later runs is mounted: seeds have userpass of their own.
const ownLogin = "own-login"

// scene is the server of a case, and the program that is applied to it.
type scene struct {
	binary, dir, audit string
	vault              *testbed.VaultCluster
	node               *testbed.VaultNode
	root               string
	variables          map[string]string
	secrets            []string
	logged             int // lines of the audit log that were read
	calls              int
	note               func(output string)
}

// startScene starts a server without anything but an audit device, from which writes are counted.
// It has an administrator's token, and no keys of ours.
func (s *suite) startScene(ctx context.Context, dir string) (*scene, error) {
	if err := os.MkdirAll(filepath.Join(dir, "seed"), 0o700); err != nil {
		return nil, err
	}
	sc := &scene{binary: s.binary, dir: dir, audit: filepath.Join(dir, "audit.raw"), note: s.note}
	var err error
	sc.vault, err = testbed.StartVault(ctx, testbed.VaultOptions{Storage: "inmem", Dir: filepath.Join(dir, "vault"), ExtraConfig: fmt.Sprintf("plugin_directory = %q\n", s.plugins)})
	if err != nil {
		return nil, err
	}
	sc.node = sc.vault.Nodes[0]
	keys, err := sc.vault.Initialize(ctx, 1, 1)
	if err == nil {
		err = sc.vault.Unseal(ctx, keys)
	}
	if err != nil {
		return nil, errors.Join(err, sc.close())
	}
	sc.root = keys.RootToken
	device := map[string]any{"type": "file", "options": map[string]string{"file_path": sc.audit, "log_raw": "true"}}
	err = sc.node.Call(ctx, http.MethodPut, "sys/audit/probe", sc.root, device, nil)
	for name, content := range map[string]string{"token": sc.root, "seed/own-password": "password of our own login"} {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	if err != nil {
		return nil, errors.Join(err, sc.close())
	}
	return sc, nil
}

func (sc *scene) close() error { return sc.vault.Close() }

// write writes the seed, in one of the ways in which it can be spelt.
func (sc *scene) write(items []*item, s settings, spell *spelling) error {
	files := documents(tree(items, s, spell), spell)
	maps.Copy(files, spell.files)
	dir := filepath.Join(sc.dir, "seed")
	old, err := filepath.Glob(filepath.Join(dir, "*.*"))
	if err != nil {
		return err
	}
	for _, file := range old {
		err = errors.Join(err, os.Remove(file))
	}
	err = errors.Join(err, os.RemoveAll(filepath.Join(dir, "policies")), os.MkdirAll(filepath.Join(dir, "policies"), 0o700))
	for name, content := range files {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	sc.variables = spell.variables
	for _, it := range items {
		for _, f := range it.fields {
			sc.secrets = append(sc.secrets, f.value.secrets()...)
		}
	}
	return err
}

// documents divides a seed into files: one, or one of its sections apart, and some policies as
// files of their own.
func documents(root value, spell *spelling) map[string]string {
	files := map[string]string{}
	rest := mappingOf()
	apart := mappingOf()
	for _, f := range root.fields {
		if f.name == "policies" && spell.once("policies apart", 3) {
			kept := listOf()
			for _, each := range f.value.items {
				name, rules := each.at("name").text, each.at("rules")
				if strings.Contains(name, "/") || rules.source { // references stand in YAML only
					kept.items = append(kept.items, each)
					continue
				}
				files["policies/"+name+".hcl"] = rules.text
			}
			f.value = kept
		}
		if spell.once("apart/"+f.name, 6) {
			apart.fields = append(apart.fields, f)
			continue
		}
		rest.fields = append(rest.fields, f)
	}
	for _, name := range []string{"policies", "groups", "startupSecrets", "requests", "tombstones", "cors", "harden", "login", "ui-headers"} {
		if root.at(name) == nil && spell.once("nothing/"+name, 10) {
			rest.fields = append(rest.fields, field{name, value{kind: nothing}})
		}
	}
	files["seed.yaml"] = spell.document(rest, "")
	if len(apart.fields) > 0 {
		files["apart.yml"] = spell.document(apart, "apart")
	}
	return files
}

// program runs the program, and sees to it that it shows no secret.
func (sc *scene) program(ctx context.Context, args ...string) (driver.Result, error) {
	c := driver.Command{Binary: sc.binary, Args: args, Home: sc.dir, Limit: 3 * time.Minute}
	for name, content := range sc.variables {
		c.Env = append(c.Env, name+"="+content)
	}
	result, err := c.Run(ctx)
	if err != nil {
		return result, err
	}
	sc.calls++
	sc.note(strings.Join(args, " ") + "\n" + result.Stdout + result.Stderr)
	for _, each := range append(slices.Clone(sc.secrets), sc.root) {
		if strings.Contains(result.Stdout+result.Stderr, each) {
			return result, &violation{"a secret is shown", args[0] + " shows " + each + "\n" + result.String()}
		}
	}
	return result, nil
}

func (sc *scene) flags(login bool) []string {
	flags := []string{"--keys=none", "--store=file:" + filepath.Join(sc.dir, "store"), "--vault-addr=" + sc.node.Addr, "--seed=" + filepath.Join(sc.dir, "seed"), "--timeout=1m"}
	if login { // else the seed says it
		flags = append(flags, "--login=userpass", "--login-path="+ownLogin, "--login-password-file="+filepath.Join(sc.dir, "seed", "own-password"))
	}
	return flags
}

// planned is what a plan says.
type planned struct {
	Empty   bool
	Changes []struct {
		ID, Action, Position string
		Unknown              []string `json:"unknown_fields"`
		Fields               []struct{ Field string }
	}
	Refusals []struct{ ID, Reason string }
	Left     []struct{ ID, Reason string }
	text     string
}

// plan asks for the plan by our own login.
func (sc *scene) plan(ctx context.Context, login bool, more ...string) (planned, error) {
	result, err := sc.program(ctx, append(append([]string{"plan", "-o", "json"}, sc.flags(login)...), more...)...)
	p := planned{text: result.String()}
	if err != nil {
		return p, err
	}
	if result.Code != 0 {
		return p, &violation{fmt.Sprintf("plan exits with %d, %s", result.Code, result.Failure), result.String()}
	}
	return p, json.Unmarshal([]byte(result.Stdout), &p)
}

// run runs, and returns the writes.
func (sc *scene) run(ctx context.Context, login bool, more ...string) ([]string, error) {
	_, before, err := driver.ReadAudit(sc.audit, sc.logged)
	if err != nil {
		return nil, err
	}
	result, err := sc.program(ctx, append(append([]string{"run"}, sc.flags(login)...), more...)...)
	if err != nil {
		return nil, err
	}
	if result.Code != 0 {
		return nil, &violation{fmt.Sprintf("run exits with %d, %s", result.Code, result.Failure), result.String()}
	}
	after, lines, err := driver.ReadAudit(sc.audit, before)
	sc.logged = lines
	return slices.DeleteFunc(after.Writes(), func(call string) bool {
		return strings.HasPrefix(call, "help ") || strings.HasPrefix(call, "update auth/"+ownLogin+"/login/")
	}), err
}

// token is the flag of a run that may do more than our own login.
func (sc *scene) token() string { return "--token-file=" + filepath.Join(sc.dir, "token") }
