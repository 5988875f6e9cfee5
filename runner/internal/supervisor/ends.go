package supervisor

import (
	"os"
	"syscall"

	"berth.dev/runner/internal/frame"
	"berth.dev/runner/internal/identity"
	"berth.dev/runner/internal/protocol"
	"berth.dev/runner/internal/terminal"
)

// commandEnds are the descriptors that the command gets. The same one may stand for several.
type commandEnds struct {
	stdin, stdout, stderr int
	open                  []int
}

func (e *commandEnds) add(descriptor int) int {
	e.open = append(e.open, descriptor)
	return descriptor
}

func (e *commandEnds) close() {
	for _, descriptor := range e.open {
		_ = syscall.Close(descriptor)
	}
}

// openEnds opens a terminal, or input and two pipes. What it returns is to be closed also after an error.
func (s *supervision) openEnds(who identity.Identity) (*commandEnds, error) {
	ends := &commandEnds{}
	err := s.openInto(ends)
	for _, end := range ends.open {
		// So that the command may open /dev/stdout; without it only that fails. Never what was not made for it.
		if end != ends.stdin || s.input != nil {
			_ = syscall.Fchown(end, int(who.UID), int(who.GID))
		}
	}
	return ends, err
}

func (s *supervision) openInto(ends *commandEnds) error {
	if s.request.TTY != nil {
		return s.openTerminal(ends)
	}
	if err := s.openInput(ends); err != nil {
		return err
	}
	stdout, stdoutEnd, err := openPipe(frame.Stdout, s.spooler)
	if err != nil {
		return err
	}
	ends.stdout = ends.add(stdoutEnd)
	stderr, stderrEnd, err := openPipe(frame.Stderr, s.spooler)
	if err != nil {
		return err
	}
	ends.stderr = ends.add(stderrEnd)
	s.pumps = []*pump{stdout, stderr}
	return nil
}

func (s *supervision) openTerminal(ends *commandEnds) error {
	opened, side, err := terminal.Open(*s.request.TTY)
	if err != nil {
		return err
	}
	side = ends.add(side)
	ends.stdin, ends.stdout, ends.stderr = side, side, side
	s.terminal = opened
	s.input = newInput(opened.File, true, s.spooler.heard)
	s.pumps = []*pump{newPump(frame.Terminal, opened.File, s.spooler)}
	return nil
}

func (s *supervision) openInput(ends *commandEnds) error {
	if source := s.request.Stdin; source != nil && source.Kind != protocol.StdinNone {
		opened, end, err := openStdin(s.spooler.heard)
		if err != nil {
			return err
		}
		s.input, ends.stdin = opened, ends.add(end)
		return nil
	}
	null, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/dev/null", Err: err}
	}
	ends.stdin = ends.add(null)
	return nil
}
