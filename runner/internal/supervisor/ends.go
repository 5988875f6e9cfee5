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
	who                   identity.Identity
	stdin, stdout, stderr int
	open                  []int
}

// add takes a descriptor that is closed here once the command has it.
func (e *commandEnds) add(descriptor int) int {
	e.open = append(e.open, descriptor)
	return descriptor
}

// own gives the command what was made for it, so that it may open /dev/stdout; without it only that fails.
func (e *commandEnds) own(descriptor int) int {
	_ = syscall.Fchown(descriptor, int(e.who.UID), int(e.who.GID))
	return descriptor
}

func (e *commandEnds) close() {
	for _, descriptor := range e.open {
		_ = syscall.Close(descriptor)
	}
}

// openEnds opens a terminal, or input and two pipes. What it returns is to be closed also after an error.
func (s *supervision) openEnds(who identity.Identity) (*commandEnds, error) {
	ends := &commandEnds{who: who}
	return ends, s.openInto(ends)
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
	ends.stdout = ends.own(ends.add(stdoutEnd))
	stderr, stderrEnd, err := openPipe(frame.Stderr, s.spooler)
	if err != nil {
		return err
	}
	ends.stderr = ends.own(ends.add(stderrEnd))
	s.pumps = []*pump{stdout, stderr}
	return nil
}

func (s *supervision) openTerminal(ends *commandEnds) error {
	opened, err := terminal.Open(*s.request.TTY)
	if err != nil {
		return err
	}
	side := ends.own(opened.CommandSide)
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
		s.input, ends.stdin = opened, ends.own(ends.add(end))
		return nil
	}
	null, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/dev/null", Err: err}
	}
	ends.stdin = ends.add(null)
	return nil
}
