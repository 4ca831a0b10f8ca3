package seed_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// startPostgres starts a real PostgreSQL (Debian: postgresql) for the recipe.
func startPostgres(t *testing.T, b *bed) []string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		t.Skip("there is no PostgreSQL here (apt-get install postgresql)")
	}
	programs := filepath.Dir(found[len(found)-1])
	dir, attributes := postgresDir(t)
	run := func(name string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), filepath.Join(programs, name), args...)
		cmd.SysProcAttr, cmd.Dir = attributes, dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(variables["ORDERS_PASSWORD"]+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run("initdb", "-D", dir+"/data", "-U", "vault", "--pwfile="+password, "-A", "scram-sha-256", "-N", "-E", "UTF8", "--locale=C")
	port := freePort(t)
	server := exec.Command(filepath.Join(programs, "postgres"), "-D", dir+"/data", "-p", port, "-c", "listen_addresses=127.0.0.1", "-k", dir, "-F")
	server.SysProcAttr, server.Dir = attributes, dir
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGINT)
		_ = server.Wait()
	})
	b.postgres = func(username, password, query string) (string, error) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(programs, "psql"), "-h", "127.0.0.1", "-p", port, "-U", username, "-d", "postgres", "-Atc", query)
		cmd.Env = []string{"PGPASSWORD=" + password, "PATH=" + os.Getenv("PATH")}
		out, err := cmd.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	err := testbed.Poll(t.Context(), 50*time.Millisecond, "PostgreSQL", func(context.Context) error {
		_, err := b.postgres("vault", variables["ORDERS_PASSWORD"], "select 1")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return []string{"postgresql.orders.svc:5432/orders?sslmode=verify-full", "127.0.0.1:" + port + "/postgres?sslmode=disable"}
}

// postgresDir returns a directory of the user that PostgreSQL may run as: it refuses root.
func postgresDir(t *testing.T) (string, *syscall.SysProcAttr) {
	t.Helper()
	dir, err := os.MkdirTemp("", "postgres")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if os.Getuid() != 0 {
		return dir, nil
	}
	account, err := user.Lookup("nobody")
	if err != nil {
		t.Skipf("PostgreSQL does not run as root, and there is no other user: %v", err)
	}
	uid, _ := strconv.Atoi(account.Uid)
	gid, _ := strconv.Atoi(account.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	return dir, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	_ = listener.Close()
	return port
}

func useDatabase(t *testing.T, b *bed) {
	creds := b.call(t, "GET", "database/creds/orders-read", nil)
	who, err := b.postgres(fmt.Sprint(creds["username"]), fmt.Sprint(creds["password"]), "select current_user")
	if err != nil || who != creds["username"] {
		t.Errorf("PostgreSQL says %q, %v", who, err)
	}
}

// TestRotate has Vault change the password that the seed declares: once, and the
// database then knows another one.
func TestRotate(t *testing.T) {
	b := start(t)
	content, err := os.ReadFile("../../docs/cookbook/database.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const password = `password: ${ env "ORDERS_PASSWORD" }`
	text := strings.NewReplacer(append(startPostgres(t, b), password, password+"\n          rotate: true")...).Replace(string(content))
	l := &ledger{}
	_, writes := l.run(t, b, parse(t, text))
	if n := strings.Count(fmt.Sprint(writes), "database/rotate-root/orders"); n != 1 {
		t.Errorf("rotated %d times: %v", n, writes)
	}
	useDatabase(t, b)
	if out, err := b.postgres("vault", variables["ORDERS_PASSWORD"], "select 1"); err == nil {
		t.Errorf("the declared password still works: %s", out)
	}
	wantEmpty(t, l.plan(t, b, parse(t, text)))
	if _, writes := l.run(t, b, parse(t, text)); len(writes) > 0 {
		t.Errorf("the rerun wrote %v", writes)
	}
	useDatabase(t, b)
}
