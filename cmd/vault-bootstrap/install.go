package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

// installedName is the name of the installed program.
const installedName = "vault-bootstrap"

func (p *program) installCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "install DIRECTORY",
		Short: "Copy this program into a directory, for hooks that run in other images",
		Long: "install copies the running binary to DIRECTORY/" + installedName + ". An init container that\n" +
			"does this into an emptyDir makes the program available to a container of another image,\n" +
			"such as Vault's own with its postStart hook. The binary is static and runs in any Linux\n" +
			"image.",
		Example: "  vault-bootstrap install /vault-bootstrap",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fault.Misuse(fmt.Errorf("%s takes one directory, but got %d arguments", cmd.CommandPath(), len(args)),
					fmt.Sprintf("Write '%s DIRECTORY'.", cmd.CommandPath()))
			}
			return p.install(args[0])
		},
	}
}

func (p *program) install(dir string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding our own binary: %w", err)
	}
	target := filepath.Join(dir, installedName)
	if err := copyExecutable(self, target); err != nil {
		return fault.Misuse(fmt.Errorf("installing into %q: %w", dir, err),
			"The directory must exist and be writable for our user (in a pod: an emptyDir and securityContext.fsGroup).")
	}
	_, err = fmt.Fprintln(p.stdout, target)
	return err
}

// copyExecutable puts a copy of source at target by rename, so that a program that runs from there,
// or a container that starts meanwhile, sees either the old or the new one.
func copyExecutable(source, target string) (err error) {
	in, err := os.Open(source)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.CreateTemp(filepath.Dir(target), "."+installedName+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(out.Name())
		}
	}()
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Chmod(0o755), out.Close()); err != nil {
		return err
	}
	return os.Rename(out.Name(), target)
}
