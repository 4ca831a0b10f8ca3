// Command demo shows vault-bootstrap on a real three-node raft cluster with TLS.
// Nothing in it is staged: it starts servers, runs the binary as a user would, and
// reads what came of it from Vault and from Vault's own audit log.
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/driver"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	d := &demo{}
	flag.StringVar(&d.server, "server", "", "the path of Vault's or OpenBao's binary")
	flag.StringVar(&d.binary, "binary", "bin/vault-bootstrap", "vault-bootstrap's binary")
	flag.StringVar(&d.seed, "seed", "demo/seed.yaml", "the seed to apply")
	flag.BoolVar(&d.keep, "keep", false, "leave everything running until interrupted")
	flag.Parse()
	if err := d.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// demo is one showing.
type demo struct {
	server, binary, seed string
	keep                 bool

	dir     string
	cluster *testbed.VaultCluster
	flags   []string
	env     []string
	root    <-chan string
}

// step prints a heading.
func step(format string, args ...any) { fmt.Printf("\n\033[1m── "+format+"\033[0m\n", args...) }

func (d *demo) run(ctx context.Context) (err error) {
	d.dir, err = os.MkdirTemp("", "vault-bootstrap-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(d.dir) }()
	server, err := testbed.ReadServer(ctx, d.server)
	if err != nil {
		return err
	}
	step("Starting three servers with raft storage and TLS (%s)", server)
	// In the product's own settings, as anybody would meet it.
	options := testbed.VaultOptions{Dir: filepath.Join(d.dir, "servers"), Binary: d.server, Nodes: 3, TLS: true, Guarded: true}
	if d.cluster, err = testbed.StartVault(ctx, options); err != nil {
		return err
	}
	defer func() { _ = d.cluster.Close() }()
	if err := d.declare(ctx); err != nil {
		return err
	}
	d.prepare()
	for _, show := range []func(context.Context) error{d.first, d.status, d.again, d.restart, d.checks} {
		if err := show(ctx); err != nil {
			return err
		}
	}
	fmt.Println("\nShown: nothing → hardened in one command; a rerun that wrote nothing; one sealed replica unsealed alone; no root token left.")
	if d.keep {
		d.explore(ctx)
	}
	return nil
}

// declare has OpenBao make the audit devices of the seed, which it does not do by its API.
func (d *demo) declare(ctx context.Context) error {
	return d.cluster.DeclareAudit(ctx,
		testbed.AuditDevice{Type: "file", Path: "first", Description: "who did what", Options: map[string]string{"file_path": d.audit()}},
		testbed.AuditDevice{Type: "file", Path: "second", Options: map[string]string{"file_path": d.audit() + ".2"}})
}

func (d *demo) prepare() {
	d.flags = []string{"--store=file:" + d.store()}
	d.flags = append(d.flags, driver.VaultFlags(d.cluster)...)
	d.env = append(os.Environ(), "DEMO_AUDIT_LOG="+d.audit(), "DEMO_SECOND_AUDIT_LOG="+d.audit()+".2", "DEMO_PASSWORD="+rand.Text())
}

func (d *demo) store() string { return filepath.Join(d.dir, "store") }
func (d *demo) audit() string { return filepath.Join(d.dir, "audit.log") }

// bootstrap runs the binary on our terminal.
func (d *demo) bootstrap(ctx context.Context, args ...string) error {
	shown := append([]string{"vault-bootstrap"}, args...)
	fmt.Printf("$ %s …\n", strings.Join(shown, " "))
	// In our process group: what is typed at the terminal is typed at the program.
	done, err := driver.Command{
		Binary: d.binary, Args: append(args, d.flags...), Env: d.env,
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Interrupt: syscall.SIGTERM, Attributes: &syscall.SysProcAttr{},
	}.Run(ctx)
	if err == nil && done.Code != 0 {
		err = fmt.Errorf("%s: exit status %d", strings.Join(shown, " "), done.Code)
	}
	return err
}

func (d *demo) first(ctx context.Context) error {
	step("First run: initialize, unseal, seed, harden")
	d.root = d.watchRoot(ctx)
	return d.bootstrap(ctx, "run", "--seed="+d.seed)
}

func (d *demo) status(ctx context.Context) error {
	step("Where it stands")
	return d.bootstrap(ctx, "status")
}

func (d *demo) again(ctx context.Context) error {
	step("Second run: nothing is left to do")
	_, before, err := driver.ReadAudit(d.audit(), 0)
	if err != nil {
		return err
	}
	if err := d.bootstrap(ctx, "run", "--seed="+d.seed); err != nil {
		return err
	}
	made, _, err := driver.ReadAudit(d.audit(), before)
	if err != nil {
		return err
	}
	return show(made)
}

func (d *demo) restart(ctx context.Context) error {
	standby := d.cluster.Nodes[2]
	if active, err := d.cluster.Active(ctx); err == nil && active == standby {
		standby = d.cluster.Nodes[1]
	}
	step("One replica restarts (%s): it comes back sealed", standby.Addr)
	if err := standby.Restart(ctx); err != nil {
		return err
	}
	if err := d.bootstrap(ctx, "status"); err != nil {
		return err
	}
	step("Third run: unseals just that one")
	return d.bootstrap(ctx, "run", "--seed="+d.seed)
}

func (d *demo) explore(ctx context.Context) {
	fmt.Printf("\nEverything keeps running until you press Ctrl-C. In another terminal:\n\n")
	fmt.Printf("  export VAULT_ADDR=%s VAULT_CACERT=%s\n", d.cluster.Nodes[0].Addr, d.cluster.CAFile)
	for _, variable := range d.env[len(d.env)-3:] {
		fmt.Printf("  export %s\n", variable)
	}
	fmt.Printf("  %s login -method=userpass username=ada password=\"$DEMO_PASSWORD\"\n", d.server)
	fmt.Printf("  %s status %s\n", d.binary, strings.Join(d.flags, " "))
	fmt.Printf("  %s run --seed=%s %s\n", d.binary, d.seed, strings.Join(d.flags, " "))
	fmt.Printf("  tail -f %s\n", d.audit())
	began := time.Now()
	<-ctx.Done()
	fmt.Printf("\nStopped after %s.\n", time.Since(began).Round(time.Second))
}
