// Command vault-bootstrap takes a HashiCorp Vault on Kubernetes from nothing to
// hardened, and makes every rerun safe.
//
// # Environment
//
// Every flag can be given as a variable: --key-shares is VAULT_BOOTSTRAP_KEY_SHARES; a flag wins
// over its variable, and a flag that may be repeated takes a comma-separated list. The variables of
// the vault CLI mean what they mean there: VAULT_ADDR, VAULT_CACERT, VAULT_CACERT_BYTES,
// VAULT_CAPATH, VAULT_CLIENT_CERT, VAULT_CLIENT_KEY, VAULT_CLIENT_TIMEOUT, VAULT_NAMESPACE,
// VAULT_SKIP_VERIFY and VAULT_TLS_SERVER_NAME. VAULT_TOKEN is ignored: the program does not work
// with an operator's token.
//
// POD_NAME and POD_UID, if set by the downward API, name the process in the Lease. KUBECONFIG and KUBERNETES_SERVICE_HOST are honoured as in
// kubectl. NO_COLOR turns colours off.
//
// # Exit codes
//
//	0   done
//	1   transient: retries ran out, try again
//	2   a crash of the Go runtime
//	3   plan --detailed-exitcode: there are changes; verify: a required control does not hold
//	64  usage or configuration error
//	65  the seed is invalid
//	70  terminal: an operator is needed
//	75  another holder is at work and did not finish in time
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	forbidDumps()
	sizeHeap(os.Args, os.LookupEnv)
	trustFallbackRoots(os.Getenv("SSL_CERT_FILE")+os.Getenv("SSL_CERT_DIR") != "")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args, takeEnvironment(), os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// takeEnvironment returns the environment as it was, and unsets the variables that we read
// ourselves. Vault's API client (v1.23.0) reads them, too, each time that one is created, and fails
// on an invalid one even if a flag replaces it.
func takeEnvironment() []string {
	environment := os.Environ()
	for _, name := range []string{
		"VAULT_ADDR", "VAULT_CACERT", "VAULT_CACERT_BYTES", "VAULT_CAPATH", "VAULT_CLIENT_CERT", "VAULT_CLIENT_KEY",
		"VAULT_CLIENT_TIMEOUT", "VAULT_NAMESPACE", "VAULT_SKIP_VERIFY", "VAULT_TLS_SERVER_NAME", "VAULT_TOKEN",
	} {
		_ = os.Unsetenv(name) // fails for malformed names only
	}
	return environment
}

// run runs the program and returns the exit code; args begin with the program's name.
func run(ctx context.Context, args, environment []string, stdin io.Reader, stdout, stderr io.Writer) int {
	env := lookupIn(environment)
	plugin := asPlugin(args[0])
	if plugin {
		env = pluginEnvironment(env)
	}
	program := &program{env: env, environment: environment, stdin: stdin, stdout: stdout, stderr: stderr}
	root := program.root()
	if plugin {
		namedAsPlugin(root)
	}
	root.SetArgs(args[1:])
	code := program.exit(root.ExecuteContext(ctx))
	if len(args) > 1 && args[1] == postStart {
		return 0 // the kubelet kills a container whose hook fails, whatever the reason
	}
	return code
}
