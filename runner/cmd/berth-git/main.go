// Command berth-git is what the host starts in a sandbox for each thing that it does with a repository:
// docs/GIT.md. It runs as the user of the sandbox and reads its one request, with the credential, from standard input.
package main

import (
	"fmt"
	"os"

	"berth.dev/runner/internal/git"
)

func main() {
	if err := git.Serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "berth-git: %v\n", err)
		os.Exit(1)
	}
}
