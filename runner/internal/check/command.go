package check

import (
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"berth.dev/runner/internal/identity"
	"berth.dev/runner/internal/process"
	"berth.dev/runner/internal/sandbox"
	"berth.dev/runner/internal/supervisor"
)

const (
	killLook  = 10 * time.Millisecond
	killLimit = 5 * time.Second
)

// runCommand runs it as an exec would run, and ends whatever it leaves behind.
func runCommand(argv []string, settings sandbox.Settings, deadline time.Time) Outcome {
	if err := process.Shield(); err != nil {
		return failed("%v", err)
	}
	if err := process.BecomeSubreaper(); err != nil {
		return failed("%v", err)
	}
	who, err := identity.Container().Resolve(settings.DefaultUser)
	if err != nil {
		return failed("user %q: %v", settings.DefaultUser, err)
	}
	reader, pid, outcome := launch(argv, who, settings)
	if outcome != nil {
		return *outcome
	}
	said := make(chan string, 1)
	go func() { said <- firstBytes(reader) }()
	status, inTime := await(pid, deadline)
	endTree()
	_ = reader.Close()
	text := strings.TrimSpace(<-said)
	switch {
	case !inTime:
		return failed("it did not end in time. %s", text)
	case status.Signaled():
		return failed("it was ended by %v. %s", status.Signal(), text)
	case status.ExitStatus() != 0:
		return failed("exit code %d. %s", status.ExitStatus(), text)
	}
	return Outcome{OK: true}
}

func launch(argv []string, who identity.Identity, settings sandbox.Settings) (*os.File, int, *Outcome) {
	refuse := func(err error) (*os.File, int, *Outcome) {
		outcome := failed("it could not be started: %v", err)
		return nil, 0, &outcome
	}
	nothing, err := os.Open(os.DevNull)
	if err != nil {
		return refuse(err)
	}
	defer nothing.Close()
	reader, writer, err := os.Pipe()
	if err != nil {
		return refuse(err)
	}
	defer writer.Close()
	pid, failure, err := process.Launch(process.Command{
		Argv: argv, Env: supervisor.Environment(settings.Env, who, nil, false), WorkingDirectory: settings.Workspace,
		Identity: who, Stdin: nothing.Fd(), Stdout: writer.Fd(), Stderr: writer.Fd(),
	})
	if failure != nil {
		outcome := failed("it could not be started: %s", failure.Message)
		return nil, 0, &outcome
	}
	if err != nil {
		return refuse(err)
	}
	return reader, pid, nil
}

// firstBytes keeps the beginning and takes the rest, so that a command that says much is not held up.
func firstBytes(reader io.Reader) string {
	text, _ := io.ReadAll(io.LimitReader(reader, detailBytesMax))
	_, _ = io.Copy(io.Discard, reader)
	return string(text)
}

// await reaps until the command has ended or its time is over.
func await(pid int, deadline time.Time) (syscall.WaitStatus, bool) {
	ended := make(chan syscall.WaitStatus, 1)
	go func() {
		for {
			var status syscall.WaitStatus
			reaped, err := syscall.Wait4(-1, &status, 0, nil)
			switch {
			case err == syscall.EINTR:
			case err != nil:
				return
			case reaped == pid:
				ended <- status
			}
		}
	}()
	select {
	case status := <-ended:
		return status, true
	case <-time.After(time.Until(deadline)):
		return 0, false
	}
}

// endTree kills what is left until there is nothing. What is reaped by then is not our concern.
func endTree() {
	for end := time.Now().Add(killLimit); time.Now().Before(end); time.Sleep(killLook) {
		killed, err := process.Kill(os.Getpid(), process.Nobody)
		if err == nil && len(killed) == 0 {
			return
		}
	}
}
