package verify_test

import (
	"context"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	chromium "github.com/vault-bootstrap/vault-bootstrap/test/browser"
	"github.com/vault-bootstrap/vault-bootstrap/test/testbed"
)

// browser is one page in a real Chromium.
type browser struct {
	ctx context.Context

	mu sync.Mutex
	// troubles are errors on the console, and everything that was loaded beside the page.
	troubles []string
}

// open opens a file. Without scripts, none may run in the page.
func open(t *testing.T, file string, scripts bool) *browser {
	t.Helper()
	ctx := chromium.StartFor(t)
	b := &browser{ctx: ctx}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	call(t, b, network.Enable, network.EnableParams{})
	call(t, b, log.Enable, cdp.Empty{})
	call(t, b, runtime.Enable, cdp.Empty{})
	call(t, b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts})
	b.media(t, "")
	if err := chromedp.Do(ctx, chromedp.Navigate("file://"+file)); err != nil {
		t.Fatal(err)
	}
	return b
}

// call sends one command of the DevTools protocol.
func call[P, R any](t *testing.T, b *browser, command cdp.Command[P, R], params P) R {
	t.Helper()
	answer, err := chromedp.Call(b.ctx, command, params)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// media emulates a medium, in light colours.
func (b *browser) media(t *testing.T, media string) {
	t.Helper()
	call(t, b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Media: media, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "light"}},
	})
}

func (b *browser) listen(event any) {
	trouble := ""
	switch event := event.(type) {
	case *runtime.EventConsoleAPICalled:
		trouble = "console: " + string(event.Type)
	case *runtime.EventExceptionThrown:
		trouble = "exception: " + event.ExceptionDetails.Text
	case *log.EventEntryAdded:
		trouble = string(event.Entry.Level) + ": " + event.Entry.Text
	case *network.EventRequestWillBeSent:
		if url := event.Request.URL; event.Type != network.ResourceTypeDocument && !strings.HasPrefix(url, "data:") {
			trouble = "request: " + url
		}
	}
	if trouble != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.troubles = append(b.troubles, trouble)
	}
}

// boxes returns the places of the elements that a selector chooses and that are shown.
// No script has a part in it.
func (b *browser) boxes(t *testing.T, selector string) (boxes []*dom.BoxModel) {
	t.Helper()
	// chromedp follows the document as well: when it asks for it anew, our IDs are void.
	err := testbed.Poll(b.ctx, 10*time.Millisecond, selector, func(ctx context.Context) (err error) {
		boxes, err = boxesOf(ctx, selector)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return boxes
}

func boxesOf(ctx context.Context, selector string) ([]*dom.BoxModel, error) {
	document, err := chromedp.Call(ctx, dom.GetDocument, dom.GetDocumentParams{})
	if err != nil {
		return nil, err
	}
	found, err := chromedp.Call(ctx, dom.QuerySelectorAll, dom.QuerySelectorAllParams{NodeID: document.Root.NodeID, Selector: selector})
	if err != nil {
		return nil, err
	}
	var boxes []*dom.BoxModel
	for _, node := range found.NodeIDs {
		answer, err := chromedp.Call(ctx, dom.GetBoxModel, dom.GetBoxModelParams{NodeID: node})
		switch {
		case err == nil:
			boxes = append(boxes, answer.Model)
		case !strings.Contains(err.Error(), "Could not compute box model"): // which is said of what is not shown
			return nil, err
		}
	}
	return boxes, nil
}

func (b *browser) visible(t *testing.T, selector string) int {
	t.Helper()
	return len(b.boxes(t, selector))
}

// click clicks in the middle of an element, as a mouse does.
func (b *browser) click(t *testing.T, selector string) {
	t.Helper()
	boxes := b.boxes(t, selector)
	if len(boxes) != 1 {
		t.Fatalf("%d elements are %s", len(boxes), selector)
	}
	q := boxes[0].Content
	if err := chromedp.Do(b.ctx, chromedp.MouseClickXY((q[0]+q[4])/2, (q[1]+q[5])/2)); err != nil {
		t.Fatal(err)
	}
}

// TestPage opens the report of a real Vault in a real browser.
func TestPage(t *testing.T) {
	t.Parallel()
	b := hardened(t, testbed.VaultOptions{TLS: true}, `    - {control: audit-raw, object: readable, reason: The fraud team reads who did what., expires: 2999-12-31}
    - {control: rate-limit, reason: Until the load test., expires: 2020-01-31}
  fix: [user-lockout]
`)
	b.call(t, http.MethodDelete, "sys/quotas/rate-limit/everything", nil)
	b.call(t, http.MethodPut, "sys/audit/readable", m{"type": "file", "options": m{"file_path": filepath.Join(b.dir, "readable.log"), "log_raw": "true"}})
	b.call(t, http.MethodPut, "sys/config/cors", m{"allowed_origins": "*"})
	b.call(t, http.MethodPut, "sys/auth/userpass/tune", m{"user_lockout_config": m{"lockout_disable": true}})
	file := filepath.Join(t.TempDir(), "report.html")
	b.must(t, 3, "verify", "-o=html", "--output-file="+file, "--profile=strict", "--deep")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	testbed.NoteOutput(t, string(content))
	all := strings.Count(string(content), "<article ")

	for name, scripts := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			shows(t, open(t, file, scripts), all)
		})
	}
	t.Run("picture", func(t *testing.T) { picture(t, open(t, file, true)) })
}

// shows holds the page to what a reader does with it.
func shows(t *testing.T, page *browser, all int) {
	if got := page.visible(t, "article"); got != all || all < 30 {
		t.Fatalf("%d of %d controls are visible", got, all)
	}
	for _, severity := range []string{"critical", "high", "medium", "low"} {
		of := page.visible(t, "article."+severity)
		page.click(t, "#show-"+severity)
		if got := page.visible(t, "article."+severity); of == 0 || got != 0 {
			t.Errorf("%s: %d are there, and %d visible without them", severity, of, got)
		}
		if got := page.visible(t, "article"); got != all-of {
			t.Errorf("without %s %d are visible, want %d", severity, got, all-of)
		}
		page.click(t, "#show-"+severity)
	}
	well := page.visible(t, "article.holds") + page.visible(t, "article.inapplicable")
	page.click(t, "#show-well")
	if got := page.visible(t, "article"); well == 0 || got != all-well {
		t.Errorf("without what is well %d are visible, want %d", got, all-well)
	}
	page.click(t, "#show-well")
	if got := page.visible(t, "article"); got != all {
		t.Errorf("in the end %d are visible", got)
	}
	page.prints(t, all)
	page.mu.Lock()
	defer page.mu.Unlock()
	if len(page.troubles) > 0 {
		t.Errorf("the browser says: %v", page.troubles)
	}
}

// prints holds the page to paper: no filters on it, all controls, nothing cut off.
func (b *browser) prints(t *testing.T, all int) {
	t.Helper()
	b.media(t, "print")
	if filters, controls := b.visible(t, "form"), b.visible(t, "article"); filters != 0 || controls != all {
		t.Errorf("on paper %d filters and %d controls are visible", filters, controls)
	}
	pdf, err := chromedp.Run(b.ctx, chromedp.PrintToPDF())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(pdf), "%PDF") || len(pdf) < 10_000 {
		t.Errorf("the print has %d bytes", len(pdf))
	}
	b.media(t, "")
}

// picture takes the screenshot that the docs show, with -update only: fonts differ.
func picture(t *testing.T, b *browser) {
	taken, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	const kept = "../../docs/report.png"
	if *update {
		if err := os.WriteFile(kept, taken, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.Open(kept)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	image, err := png.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	if size := image.Bounds().Size(); size.X < 800 || size.Y < 800 {
		t.Errorf("the picture in docs/ measures %v", size)
	}
	if info, err := file.Stat(); err != nil || info.Size() > 300<<10 {
		t.Errorf("the picture in docs/ is large: %v, %v", info.Size(), err)
	}
}
