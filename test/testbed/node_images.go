package testbed

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Image is a container image of one layer.
type Image struct {
	// Files are the image's files: where in the image, and which file of this machine.
	Files map[string]string
	// Links are symbolic links: where in the image, and where to.
	Links map[string]string
	// Dirs are directories that anybody may write to.
	Dirs []string
	// Entrypoint, Command and User are those of a Dockerfile.
	Entrypoint, Command []string
	User                string
	Env                 map[string]string
}

// PushImage makes an image that pods can use by this name, of any registry or none.
func (c *Cluster) PushImage(ctx context.Context, name string, image Image) error {
	err := errAttached
	if !c.Attached {
		err = c.pushImage(ctx, name, image)
	}
	if err != nil {
		return fmt.Errorf("making the image %q: %w", name, err)
	}
	return nil
}

func (c *Cluster) pushImage(ctx context.Context, name string, image Image) error {
	layer, err := writeLayer(filepath.Join(c.dir, "layers"), image)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(layer) }()
	reference := registryAddress + "/" + repository(name)
	// Pods would find an image without a command, were it pushed under its own name.
	raw := registryAddress + "/raw/" + filepath.Base(layer) + ":latest"
	if err := c.crane(ctx, "append", "--oci-empty-base", "--new_layer", layer, "--new_tag", raw); err != nil {
		return err
	}
	args := []string{"mutate", raw, "--tag", reference, "--set-platform", "linux/" + runtime.GOARCH}
	if len(image.Entrypoint) > 0 {
		args = append(args, "--entrypoint", strings.Join(image.Entrypoint, ","))
	}
	if len(image.Command) > 0 {
		args = append(args, "--cmd", strings.Join(image.Command, ","))
	}
	if image.User != "" {
		args = append(args, "--user", image.User)
	}
	for key, value := range image.Env {
		args = append(args, "--env", key+"="+value)
	}
	return c.crane(ctx, args...)
}

// repository returns where the registry keeps an image: without the name of the
// registry that it would come from, and in full for the short names that people use.
func repository(name string) string {
	first, rest, long := strings.Cut(name, "/")
	switch {
	case !long:
		name = "library/" + name
	case strings.ContainsAny(first, ".:") || first == "localhost":
		name = rest
	}
	if !strings.Contains(path.Base(name), ":") {
		name += ":latest"
	}
	return name
}

func (c *Cluster) crane(ctx context.Context, args ...string) error {
	crane, err := lookIn(c.tools, "crane")
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, crane, append([]string{"--insecure"}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("running crane %s: %w: %s", args[0], err, bytes.TrimSpace(out))
	}
	return nil
}

// writeLayer writes the image's files as an archive.
func writeLayer(dir string, image Image) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	file, err := os.CreateTemp(dir, "layer-*")
	if err != nil {
		return "", err
	}
	w := &layerWriter{tar: tar.NewWriter(file), made: map[string]bool{"/": true}}
	err = errors.Join(w.write(image), w.tar.Close(), file.Close())
	return file.Name(), err
}

type layerWriter struct {
	tar  *tar.Writer
	made map[string]bool
}

func (w *layerWriter) write(image Image) error {
	for _, dir := range image.Dirs {
		if err := w.dir(dir, 0o1777); err != nil {
			return err
		}
	}
	for _, name := range sortedKeys(image.Files) {
		if err := w.file(name, image.Files[name]); err != nil {
			return err
		}
	}
	for _, name := range sortedKeys(image.Links) {
		if err := w.dir(path.Dir(name), 0o755); err != nil {
			return err
		}
		err := w.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: name[1:], Linkname: image.Links[name], Mode: 0o777})
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *layerWriter) file(name, source string) error {
	if err := w.dir(path.Dir(name), 0o755); err != nil {
		return err
	}
	file, err := os.Open(source)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	mode := int64(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	if err := w.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name[1:], Size: info.Size(), Mode: mode}); err != nil {
		return err
	}
	_, err = io.Copy(w.tar, file)
	return err
}

// dir makes a directory and those above it.
func (w *layerWriter) dir(name string, mode int64) error {
	if w.made[name] {
		return nil
	}
	w.made[name] = true
	if err := w.dir(path.Dir(name), 0o755); err != nil {
		return err
	}
	return w.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name[1:] + "/", Mode: mode})
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, cmp.Compare[string])
	return keys
}

// pushPause builds the program that holds a pod's namespaces, and its image.
func (c *Cluster) pushPause(ctx context.Context) error {
	source, err := findUpwards(filepath.Join("test", "testbed", "pause"))
	if err != nil {
		return err
	}
	binary := filepath.Join(c.dir, "pause")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", binary, ".")
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the pause program: %w: %s", err, bytes.TrimSpace(out))
	}
	return c.PushImage(ctx, pauseImage, Image{
		Files: map[string]string{"/pause": binary}, Entrypoint: []string{"/pause"}, User: "65535:65535",
	})
}

// getPlain asks for a page without TLS.
func (c *Cluster) getPlain(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return GiveUp(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return nil
}
