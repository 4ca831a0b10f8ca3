package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// tampered returns a record with one change to its JSON.
func tampered(t *testing.T, record []byte, change func(header, sealing map[string]any)) []byte {
	t.Helper()
	var tree map[string]any
	decoder := json.NewDecoder(bytes.NewReader(record))
	decoder.UseNumber()
	if err := decoder.Decode(&tree); err != nil {
		t.Fatal(err)
	}
	change(tree["header"].(map[string]any), tree["sealing"].(map[string]any))
	text, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func sealingOf(t *testing.T, record []byte) (sealing map[string]any) {
	t.Helper()
	tampered(t, record, func(_, s map[string]any) { sealing = s })
	return sealing
}

// TestPublicKeyIsSwapped swaps the public key of an attempt before Vault is asked: the next run does
// not ask Vault, and one that knows its own key has nothing encrypted to the other one.
func TestPublicKeyIsSwapped(t *testing.T) {
	for name, goesOn := range map[string]bool{"before a run": false, "during a run": true} {
		t.Run(name, func(t *testing.T) {
			cluster, ours := testbed.VaultFor(t, testbed.VaultOptions{}), newPerson(t)
			p, dir := inFiles(t, cluster, "--keys-to="+ours.recipient, "--keys-identity="+ours.file, "--spool-dir="+t.TempDir())
			raw := p.keys
			p.keys = nil
			first := p.stopped("initialize.intended", "run")
			intended := raw()
			write(t, dir+"/vault-bootstrap-keys.json", string(tampered(t, intended, func(header, _ map[string]any) {
				header["attempt"].(map[string]any)["public_key"] = "dGhlaXJz"
			})))
			if goesOn {
				// It has Vault's answer to its own key, and stores it when the record is whole again.
				first.Send(sigcont)
				first.Says("attempt.public_key", 1)
				write(t, dir+"/vault-bootstrap-keys.json", string(intended))
				first.Exits(0)
				p.keys = ours.opens(t, raw)
				wantEvents(t, "afterwards", p.must(0, "run").Events())
				return
			}
			first.Kill()
			wantFailure(t, p.run("run"), 70, "record corrupt", "attempt.public_key")
			wantUninitialized(t, cluster)
		})
	}
}

// TestRecordIsSpliced puts parts of earlier records into a later one, and whole earlier records in
// its place. Each is refused by name, and the record is left as it is; with the latest one in place
// again, everything goes on.
func TestRecordIsSpliced(t *testing.T) {
	cluster, former, ours := testbed.VaultFor(t, testbed.VaultOptions{}), newPerson(t), newPerson(t)
	p, namespace, _ := inKubernetes(t, cluster, shortLease...)
	raw, flags := p.keys, p.flags
	to := func(who person) {
		p.flags = append(append([]string{}, flags...), "--keys-to="+who.recipient, "--keys-identity="+who.file)
		p.keys = who.opens(t, raw)
	}
	p.must(0, "run")
	clear := raw()
	to(former)
	p.must(0, "run")
	formers := raw()
	p.keys = nil
	p.must(0, "keys reseal", "--to="+ours.recipient, "--keys-identity="+ours.file)
	to(ours)
	p.must(0, "run")
	resealed := raw()
	p.must(0, "keys rotate")
	latest := raw()
	if sealingOf(t, formers)["data_key"] == sealingOf(t, resealed)["data_key"] || sealingOf(t, resealed)["data_key"] == sealingOf(t, latest)["data_key"] {
		t.Fatal("the data key is the same")
	}
	opener := p.keys
	for _, each := range []struct {
		name, kind, says string
		record           []byte
		who              person
	}{
		{"a box of another generation", "record corrupt", "box does not open", tampered(t, latest, func(_, s map[string]any) {
			s["box"], s["nonce"] = sealingOf(t, resealed)["box"], sealingOf(t, resealed)["nonce"]
		}), ours},
		{"the wrap of a former recipient beside the others", "record corrupt", "the list of recipients", tampered(t, latest, func(_, s map[string]any) {
			s["wraps"] = append(s["wraps"].([]any), sealingOf(t, formers)["wraps"].([]any)...)
		}), ours},
		{"the wrap of a former recipient, for that one", "keys sealed to others", former.recipient, tampered(t, latest, func(_, s map[string]any) {
			s["wraps"] = sealingOf(t, formers)["wraps"]
		}), former},
		{"that with its data key", "record put back", "of data key", tampered(t, latest, func(_, s map[string]any) {
			s["wraps"], s["data_key"] = sealingOf(t, formers)["wraps"], sealingOf(t, formers)["data_key"]
		}), former},
		{"that of a later generation", "record corrupt", "box does not open", tampered(t, latest, func(_, s map[string]any) {
			s["wraps"], s["data_key"], s["generation"] = sealingOf(t, formers)["wraps"], sealingOf(t, formers)["data_key"], 1000
		}), former},
		{"the record before a rotation", "record put back", "generation", resealed, ours},
		{"the record before a reseal", "record put back", "generation", formers, former},
		{"the record before it was encrypted", "record put back", "in clear", clear, ours},
		{"the record before a rotation, its generation raised", "record corrupt", "box does not open", tampered(t, resealed, func(_, s map[string]any) {
			s["generation"] = 1000
		}), ours},
	} {
		t.Run(each.name, func(t *testing.T) {
			in := *p
			in.t = t
			in.flags = append(append([]string{}, flags...), "--keys-to="+each.who.recipient, "--keys-identity="+each.who.file)
			in.keys = nil
			putBack(t, namespace, "vault-bootstrap-keys", "keys.json", each.record)
			wantFailure(t, in.run("run", "--timeout=20s"), 70, each.kind, each.says)
			if now := raw(); each.kind == "record put back" && !bytes.Equal(now, each.record) {
				t.Error("the record was written")
			}
			if each.kind == "record put back" {
				wantFailure(t, in.run("keys rotate"), 70, each.kind)
			}
		})
	}
	putBack(t, namespace, "vault-bootstrap-keys", "keys.json", latest)
	p.keys = opener
	wantEvents(t, "with the latest record", p.must(0, "run").Events())
}

// TestOlderRecordIsAccepted restores a backup of the keys record, which is older than the checkpoint
// knows it, and goes on with it.
func TestOlderRecordIsAccepted(t *testing.T) {
	cluster, former, ours := testbed.VaultFor(t, testbed.VaultOptions{}), newPerson(t), newPerson(t)
	p, dir := inFiles(t, cluster)
	raw, flags := p.keys, p.flags
	p.flags = append(append([]string{}, flags...), "--keys-to="+former.recipient, "--keys-identity="+former.file)
	p.keys = nil // it changes who opens it
	p.must(0, "run")
	backup := raw()
	p.must(0, "keys reseal", "--to="+ours.recipient, "--keys-identity="+ours.file)
	record := dir + "/vault-bootstrap-keys.json"
	if err := os.WriteFile(record, backup, 0o600); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, p.run("run"), 70, "record put back", record, "keys reseal --accept-older")
	wantFailure(t, p.run("keys reseal"), 70, "record put back")
	p.must(0, "keys reseal", "--accept-older", "--to="+ours.recipient, "--keys-identity="+ours.file)
	p.flags = append(append([]string{}, flags...), "--keys-to="+ours.recipient, "--keys-identity="+ours.file)
	p.keys = ours.opens(t, raw)
	wantEvents(t, "afterwards", p.must(0, "run").Events())
	// What was accepted is the latest now.
	if err := os.WriteFile(record, backup, 0o600); err != nil {
		t.Fatal(err)
	}
	p.keys = nil
	wantFailure(t, p.run("run"), 70, "record put back")
}
