// Command runner is the program inside every sandbox: docs/RUNNER-PROTOCOL.md.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"berth.dev/runner/internal/archive"
	"berth.dev/runner/internal/check"
	"berth.dev/runner/internal/connect"
	"berth.dev/runner/internal/drain"
	"berth.dev/runner/internal/protocol"
	"berth.dev/runner/internal/sandbox"
	"berth.dev/runner/internal/session"
	"berth.dev/runner/internal/spool"
	"berth.dev/runner/internal/supervisor"
)

// version is set by the build.
var version = "development"

const (
	exitFailed = 1
	exitUsage  = 2
)

const usage = `usage: runner init | supervise | connect | drain SPOOL | archive write|extract FOLDER JSON | version
`

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(arguments []string) int {
	switch {
	case is(arguments, "init", 0):
		return sandbox.Run(sandbox.SettingsFrom(version, os.Environ()))
	case is(arguments, "supervise", 0):
		return supervisor.Run()
	case is(arguments, "connect", 0):
		settings := sandbox.SettingsFrom(version, os.Environ())
		return onStdio("connect", func(stream session.Stream) error {
			return connect.Run(spool.At(settings.SpoolRoot).SocketPath(), stream)
		})
	case is(arguments, "drain", 1):
		return onStdio("drain", func(stream session.Stream) error { return drain.Run(version, arguments[1], stream) })
	case is(arguments, "archive", 3) && arguments[1] == "write":
		return archive.RunWrite(arguments[2], arguments[3], os.Stdout, os.Stderr)
	case is(arguments, "archive", 3) && arguments[1] == "extract":
		return archive.RunExtract(arguments[2], arguments[3], os.Stdin, os.Stderr)
	case is(arguments, "check", 1):
		return check.Run(arguments[1], sandbox.SettingsFrom(version, os.Environ()), os.Stdout)
	case is(arguments, "version", 0):
		return printVersion()
	}
	fmt.Fprint(os.Stderr, usage)
	return exitUsage
}

func is(arguments []string, name string, count int) bool {
	return len(arguments) == count+1 && arguments[0] == name
}

func onStdio(name string, serve func(session.Stream) error) int {
	stream, err := session.Stdio()
	if err == nil {
		err = serve(stream)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "runner %s: %v\n", name, err)
		return exitFailed
	}
	return 0
}

func printVersion() int {
	text := map[string]any{"version": version, "protocol": protocol.Version, "protocols": protocols()}
	if err := json.NewEncoder(os.Stdout).Encode(text); err != nil {
		return exitFailed
	}
	return 0
}

func protocols() []int {
	var all []int
	for version := protocol.VersionMin; version <= protocol.Version; version++ {
		all = append(all, version)
	}
	return all
}
