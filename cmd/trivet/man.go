package main

import (
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func newManCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man FOLDER",
		Short: "Write the manual pages of this command and of all below it",
		Example: `  trivet man /usr/local/share/man/man1
  man trivet-lab-run`,
		Args: oneArg("a folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			// A date of its own would make each build differ.
			date := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
			header := doc.GenManHeader{Title: "TRIVET", Section: "1", Source: "Trivet", Manual: "Trivet", Date: &date}
			return doc.GenManTree(cmd.Root(), &header, args[0])
		},
	}
}
