package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/explain"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/help"
	"github.com/vault-bootstrap/vault-bootstrap/cmd/vault-bootstrap/internal/report"
	"github.com/vault-bootstrap/vault-bootstrap/docs"
	"github.com/vault-bootstrap/vault-bootstrap/internal/fault"
)

func (p *program) explainCommand() *cobra.Command {
	output := "text"
	cmd := &cobra.Command{
		Use:   "explain [NAME]",
		Short: "Say what a name means: a key, a field, a control, an error, a flag",
		Long: "explain prints the reference of a key of the seed (auth.roles), the fields of an engine\n" +
			"(auth/approle/role/+), a control, a terminal error with its section of the runbook, the\n" +
			"reason of an Event, an exit code or a flag. Without a name it lists all there are. It\n" +
			"reads no server.",
		Example: "  vault-bootstrap explain auth.roles\n" +
			"  vault-bootstrap explain 'keys lost'\n" +
			"  vault-bootstrap explain 75",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			topics, err := topics(cmd.Root())
			if err != nil || len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return topics.Names(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, words []string) error {
			return p.explain(cmd.Root(), words, output)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return fault.Misuse(err, "The name of a flag is written without the dashes: 'vault-bootstrap explain keys-to'.")
	})
	cmd.Flags().StringVarP(&output, "output", "o", output, "text or json")
	return cmd
}

func (p *program) explain(root *cobra.Command, words []string, output string) error {
	if output != "text" && output != "json" {
		return fault.Misuse(fmt.Errorf("--output=%q is neither text nor json", output), "Write one of the two.")
	}
	topics, err := topics(root)
	if err != nil {
		return err
	}
	if len(words) == 0 {
		return topics.WriteList(p.stdout, output, p.width())
	}
	// The names of errors have spaces, which people do not quote.
	found, err := topics.Find(strings.Join(words, " "))
	if unknown, ok := errors.AsType[*explain.UnknownError](err); ok {
		remedy := "'vault-bootstrap explain' lists all names."
		if len(unknown.Near) > 0 {
			remedy = fmt.Sprintf("Did you mean %s? %s", strings.Join(unknown.Near, ", "), remedy)
		}
		return fault.Misuse(unknown, remedy)
	}
	if err != nil {
		return err
	}
	return found.Write(p.stdout, output, p.width())
}

// The widths of texts that are filled. Longer lines are hard to read.
const (
	narrowest = 40
	widest    = 100
)

// width is how many columns a text on the standard output takes.
func (p *program) width() int {
	if file, ok := p.stdout.(*os.File); ok {
		if columns, _, err := term.GetSize(int(file.Fd())); err == nil {
			return min(max(columns, narrowest), widest)
		}
	}
	return help.Width
}

// topics returns everything that can be explained.
func topics(root *cobra.Command) (explain.Topics, error) {
	engines, err := explain.Engines()
	if err != nil {
		return nil, err
	}
	controls, err := explain.Controls()
	if err != nil {
		return nil, err
	}
	var codes explain.Topics
	for _, code := range report.Codes() {
		codes = append(codes, explain.Topic{Name: strconv.Itoa(code.Code), Kind: explain.ExitCode, About: code.Meaning, Text: strings.ToUpper(code.Meaning[:1]) + code.Meaning[1:] + ".\n"})
	}
	return slices.Concat(explain.Keys(), engines, controls, explain.Errors(docs.Runbook, report.ReasonOf),
		explain.Reasons(docs.Watch, report.Reasons()), codes, flagTopics(root)), nil
}

// flagTopics returns a topic for each flag: what it means to each verb.
func flagTopics(root *cobra.Command) explain.Topics {
	usages := map[string]map[string][]string{} // flag → usage → verbs
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		cmd.LocalFlags().VisitAll(func(flag *pflag.Flag) {
			if usages[flag.Name] == nil {
				usages[flag.Name] = map[string][]string{}
			}
			usage := flag.Usage
			if def := flag.DefValue; def != "" && def != "[]" && def != "false" && !strings.Contains(usage, "(default") {
				usage += fmt.Sprintf(" (default %s)", def)
			}
			verb := strings.TrimPrefix(strings.TrimPrefix(cmd.CommandPath(), root.Name()), " ")
			usages[flag.Name][usage] = append(usages[flag.Name][usage], verb)
		})
		for _, below := range cmd.Commands() {
			visit(below)
		}
	}
	root.InitDefaultVersionFlag()
	visit(root)
	var topics explain.Topics
	for name, byUsage := range usages {
		var b strings.Builder
		var about []string
		for usage := range byUsage {
			about = append(about, usage)
		}
		slices.Sort(about)
		for _, usage := range about {
			fmt.Fprintf(&b, "%s.\n\n- Of: %s\n\n", strings.ToUpper(usage[:1])+usage[1:], strings.Trim(strings.Join(byUsage[usage], ", "), ", "))
		}
		if name != "help" && name != "version" {
			fmt.Fprintf(&b, "As a variable: %s\n", variable(name))
		}
		topics = append(topics, explain.Topic{Name: "--" + name, Kind: explain.Flag, About: about[0], Text: b.String()})
	}
	slices.SortFunc(topics, func(a, b explain.Topic) int { return strings.Compare(a.Name, b.Name) })
	return topics
}

// withHelp has a command and all below it print pages of help.
func withHelp(root *cobra.Command) {
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		_, _ = fmt.Fprint(cmd.OutOrStdout(), helpPage(cmd))
	})
}

// helpPage returns the page of help of a command.
func helpPage(cmd *cobra.Command) string {
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	page := help.Command{Path: cmd.CommandPath(), About: cmd.Long, Example: cmd.Example}
	if page.About == "" {
		page.About = cmd.Short + "."
	}
	if cmd.Runnable() && (!cmd.HasAvailableSubCommands() || !cmd.HasParent()) {
		page.Usage = cmd.UseLine()
	}
	for _, below := range cmd.Commands() {
		if below.IsAvailableCommand() || below.Name() == "help" {
			page.Verbs = append(page.Verbs, [2]string{below.Name(), below.Short})
		}
	}
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		kind, usage := pflag.UnquoteUsage(flag)
		if !flag.Hidden {
			page.Flags = append(page.Flags, help.Flag{Name: flag.Name, Shorthand: flag.Shorthand, Kind: kind, Usage: usage, Default: flag.DefValue})
		}
	})
	return help.Page(page)
}

// withCompletion has the shell complete the values of the flags of a command and of all below it.
func withCompletion(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		values := help.Values(cmd.Name(), flag.Name)
		if values == nil {
			return
		}
		directive := cobra.ShellCompDirectiveNoFileComp
		if flag.Name == "store" { // file: goes on
			directive |= cobra.ShellCompDirectiveNoSpace
		}
		_ = cmd.RegisterFlagCompletionFunc(flag.Name, cobra.FixedCompletions(values, directive)) // fails for a flag that is not there
	})
	for _, below := range cmd.Commands() {
		withCompletion(below)
	}
}
