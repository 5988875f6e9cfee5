// Command berth-file is what the host starts in a sandbox for each thing that it does with its files: docs/FILES.md. It
// runs as the user of the sandbox, so it may do what that user may do and nothing else.
package main

import (
	"os"

	"berth.dev/runner/internal/files"
)

func main() { os.Exit(files.Serve(os.Args[1:], os.Stdin, os.Stdout)) }
