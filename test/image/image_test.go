// Package image_test builds the container image as 'make image' does, twice, and
// looks at what came out.
package image_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// largest is how many bytes an image may have, compressed.
const largest = 16_000_000

// built is the result of a build, in an OCI layout.
type built struct{ dir string }

// descriptor names a blob, as in the OCI image specification 1.1.
type descriptor struct {
	MediaType, Digest string
	Size              int64
	Platform          struct{ OS, Architecture string }
}

// build runs the script with a storage of images that nothing is in yet.
func build(t *testing.T, name string) built {
	t.Helper()
	dir := t.TempDir()
	b := built{dir: filepath.Join(dir, "out")}
	cmd := exec.CommandContext(t.Context(), "./build", b.dir)
	cmd.Env = append(os.Environ(), "STORAGE="+filepath.Join(dir, "storage"), "BASE=", "RUNTIME=", "PLATFORMS=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the %s build: %v\n%s", name, err, out)
	}
	t.Logf("the %s build:\n%s", name, out)
	return b
}

func (b built) read(t *testing.T, path ...string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(append([]string{b.dir}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// blob reads a blob of the layout as JSON into value.
func (b built) blob(t *testing.T, digest string, value any) {
	t.Helper()
	if err := json.Unmarshal(b.bytes(t, digest), value); err != nil {
		t.Fatalf("the blob %s: %v", digest, err)
	}
}

func (b built) bytes(t *testing.T, digest string) []byte {
	t.Helper()
	return b.read(t, "oci", "blobs", "sha256", strings.TrimPrefix(digest, "sha256:"))
}

// images returns the images that the layout's only reference leads to.
func (b built) images(t *testing.T) []descriptor {
	t.Helper()
	var layout, index struct{ Manifests []descriptor }
	if err := json.Unmarshal(b.read(t, "oci", "index.json"), &layout); err != nil {
		t.Fatal(err)
	}
	if len(layout.Manifests) != 1 {
		t.Fatalf("the layout has %d references, want 1", len(layout.Manifests))
	}
	if got, want := layout.Manifests[0].Digest, strings.TrimSpace(string(b.read(t, "digest"))); got != want {
		t.Errorf("the layout holds %s, and the file 'digest' says %s", got, want)
	}
	b.blob(t, layout.Manifests[0].Digest, &index)
	return index.Manifests
}

func TestImage(t *testing.T) {
	if out, err := exec.CommandContext(t.Context(), "./setup").CombinedOutput(); err != nil {
		t.Skipf("%s", bytes.TrimSpace(out))
	}
	first := build(t, "first")
	images := first.images(t)
	if len(images) != 2 {
		t.Fatalf("there are %d images, want one for each of two platforms", len(images))
	}
	for i, arch := range []string{"amd64", "arm64"} {
		t.Run(arch, func(t *testing.T) {
			if got := images[i].Platform; got.OS != "linux" || got.Architecture != arch {
				t.Errorf("it is listed for %+v", got)
			}
			look(t, first, images[i], arch)
		})
	}
	t.Run("the same digest twice", func(t *testing.T) {
		second := build(t, "second")
		for _, file := range []string{"digest", "sbom-amd64.cdx.json", "sbom-arm64.cdx.json"} {
			if a, b := first.read(t, file), second.read(t, file); !bytes.Equal(a, b) {
				t.Errorf("%s differs", file)
			}
		}
	})
}

// look checks one image.
func look(t *testing.T, b built, image descriptor, arch string) {
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	var config struct {
		OS, Architecture string
		Config           struct {
			User            string
			Entrypoint, Cmd []string
			Labels          map[string]string
		}
	}
	b.blob(t, image.Digest, &manifest)
	b.blob(t, manifest.Config.Digest, &config)
	if config.OS != "linux" || config.Architecture != arch {
		t.Errorf("it is for %s/%s", config.OS, config.Architecture)
	}
	if got := config.Config.User; got != "65532:65532" {
		t.Errorf("it runs as %q", got)
	}
	if got := fmt.Sprint(config.Config.Entrypoint, config.Config.Cmd); got != "[/vault-bootstrap] [run]" {
		t.Errorf("it runs %s", got)
	}
	for _, label := range []string{"title", "description", "source", "licenses", "version"} {
		if config.Config.Labels["org.opencontainers.image."+label] == "" {
			t.Errorf("it has no label %s, only %v", label, config.Config.Labels)
		}
	}
	size := image.Size + manifest.Config.Size
	files := map[string][]byte{}
	for _, layer := range manifest.Layers {
		size += layer.Size
		if err := unpack(b.bytes(t, layer.Digest), files); err != nil {
			t.Fatalf("the layer %s: %v", layer.Digest, err)
		}
	}
	fmt.Printf("image: linux/%s has %d bytes compressed, at most %d\n", arch, size, largest) // for the log of CI
	if size > largest {
		t.Errorf("it has %d bytes, more than %d", size, largest)
	}
	program := files["vault-bootstrap"]
	if program == nil || len(files) != 1 {
		t.Fatalf("there are %d files, want the program and nothing else, no shell either", len(files))
	}
	checkProgram(t, program, arch)
	checkList(t, b.read(t, "sbom-"+arch+".cdx.json"))
}

// unpack adds the files of a layer; directories are none.
func unpack(layer []byte, files map[string][]byte) error {
	compressed, err := gzip.NewReader(bytes.NewReader(layer))
	if err != nil {
		return err
	}
	for archive := tar.NewReader(compressed); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if header.Typeflag == tar.TypeDir {
			continue
		}
		if header.Typeflag != tar.TypeReg || header.Mode&0o7777 != 0o755 || header.Uid != 0 {
			return fmt.Errorf("%s has type %q, mode %o and owner %d", header.Name, header.Typeflag, header.Mode, header.Uid)
		}
		if files[header.Name], err = io.ReadAll(archive); err != nil {
			return err
		}
	}
}

// checkProgram sees that the program is static, for this platform, and begins.
func checkProgram(t *testing.T, program []byte, arch string) {
	t.Helper()
	file, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch]; file.Machine != want {
		t.Errorf("the program is for %s", file.Machine)
	}
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP {
			t.Error("the program is not static: the image has no loader for it")
		}
	}
	if arch != runtime.GOARCH {
		return
	}
	path := filepath.Join(t.TempDir(), "vault-bootstrap")
	if err := os.WriteFile(path, program, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), path, "version").CombinedOutput(); err != nil {
		t.Errorf("the program does not start: %v\n%s", err, out)
	}
}

// checkList sees that the list of what is in the program has what anybody knows to
// be in it, each with a version.
func checkList(t *testing.T, list []byte) {
	t.Helper()
	type component struct{ Name, Version, PURL string }
	var bom struct {
		BOMFormat  string
		Metadata   struct{ Component component }
		Components []component
	}
	if err := json.Unmarshal(list, &bom); err != nil {
		t.Fatal(err)
	}
	if bom.BOMFormat != "CycloneDX" || bom.Metadata.Component.Name != "github.com/vault-bootstrap/vault-bootstrap" {
		t.Errorf("it is in %q's format, about %q", bom.BOMFormat, bom.Metadata.Component.Name)
	}
	missing := map[string]bool{"std": true, "github.com/hashicorp/vault/api": true, "github.com/looplab/fsm": true, "k8s.io/client-go": true}
	for _, each := range bom.Components {
		if each.Version == "" || !strings.HasPrefix(each.PURL, "pkg:golang/") {
			t.Errorf("%q has version %q and purl %q", each.Name, each.Version, each.PURL)
		}
		delete(missing, each.Name)
	}
	if len(missing) > 0 {
		t.Errorf("not listed: %v", missing)
	}
}
