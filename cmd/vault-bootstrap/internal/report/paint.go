package report

import (
	"bytes"
	"io"
	"strings"
)

// The colours by meaning, as SGR sequences: what is well or new, what to look at, what is wrong or goes.
const (
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	red    = "\x1b[31m"
	reset  = "\x1b[0m"
)

// PlanColours are those of the lines of a plan, by what they begin with. Lines of values are escaped, and
// have one of these beginnings only where the plan gives it to them.
func PlanColours() map[string]string {
	return map[string]string{
		"+ ": green, "~ ": yellow, "- ": red, "! ": red, "? ": yellow, "Warning:": yellow,
		"      + ": green, "      - ": red, "    ! ": red, "    ? ": yellow,
	}
}

// VerifyColours are those of the first column of the controls.
func VerifyColours() map[string]string {
	return map[string]string{"holds ": green, "fails ": red, "fails (advice) ": yellow, "unknown ": yellow, "unknown (advice) ": yellow, "accepted ": yellow, "declared ": green}
}

// painter colours the beginnings of the lines that are written to it.
type painter struct {
	to      io.Writer
	colours map[string]string
	// line is whether a line takes the colour, and not only its beginning.
	line bool
}

// Paint returns a writer that colours lines by how they begin: whole lines, or their beginnings. Each Write
// must hold whole lines.
func Paint(to io.Writer, colours map[string]string, line bool) io.Writer {
	return painter{to, colours, line}
}

// Write writes the lines with their colours.
func (p painter) Write(text []byte) (int, error) {
	var out bytes.Buffer
	for line := range strings.Lines(string(text)) {
		out.WriteString(p.paint(line))
	}
	if _, err := p.to.Write(out.Bytes()); err != nil {
		return 0, err
	}
	return len(text), nil
}

// paint colours one line by the longest beginning that it has.
func (p painter) paint(line string) string {
	longest := ""
	for beginning := range p.colours {
		if strings.HasPrefix(line, beginning) && len(beginning) > len(longest) {
			longest = beginning
		}
	}
	if longest == "" {
		return line
	}
	painted := strings.TrimRight(longest, " ")
	if p.line {
		painted = strings.TrimRight(line, "\n")
	}
	return p.colours[longest] + painted + reset + line[len(painted):]
}
