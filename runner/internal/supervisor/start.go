package supervisor

import (
	"errors"
	"fmt"
	"time"

	"berth.dev/runner/internal/cgroup"
	"berth.dev/runner/internal/control"
	"berth.dev/runner/internal/identity"
	"berth.dev/runner/internal/process"
	"berth.dev/runner/internal/protocol"
)

// start launches the command and tells init. A StartFailure ends the exec with a record; an error means that nothing was
// started and nothing is to remain.
func (s *supervision) start(order *control.StartOrder) (*protocol.StartFailure, error) {
	s.started = time.Now()
	who, failure, err := resolve(order)
	if failure != nil || err != nil {
		return failure, err
	}
	s.selfReported = who.UID == 0
	command := process.Command{
		Argv:             s.request.Argv,
		Env:              Environment(order.Env, who, s.request.Env, s.request.TTY != nil),
		WorkingDirectory: s.request.WorkingDirectory,
		Identity:         who,
	}
	if command.WorkingDirectory == "" {
		command.WorkingDirectory = order.Workspace
	}
	s.oomKillsBefore, s.oomKnown = cgroup.OOMKills()
	failure, err = s.launch(command)
	if failure != nil || err != nil {
		return failure, err
	}
	for _, pump := range s.pumps {
		go pump.run()
	}
	if s.input != nil {
		go s.attendInput()
	}
	notice := control.StartedNotice{PID: s.main, StartedAt: protocol.Timestamp(s.started)}
	// If init has died the listener finds out, and the command is ended.
	_ = s.conn.WriteJSON(control.Started, 0, notice)
	return nil, nil
}

func resolve(order *control.StartOrder) (identity.Identity, *protocol.StartFailure, error) {
	text := order.Request.User
	if text == "" {
		text = order.DefaultUser
	}
	who, err := identity.Container().Resolve(text)
	switch {
	case errors.Is(err, identity.ErrUnknown):
		return who, userInvalid("user %q does not exist in the sandbox", text), nil
	case err != nil:
		return who, nil, fmt.Errorf("resolve user: %w", err)
	case who.UID == 0 && !order.Request.AllowRoot:
		return who, userInvalid("user %q is root, which this sandbox does not allow", text), nil
	}
	return who, nil, nil
}

func userInvalid(format, text string) *protocol.StartFailure {
	return &protocol.StartFailure{Code: protocol.UserInvalid, Message: fmt.Sprintf(format, text)}
}

// launch opens the ways in and out and forks. Whatever happens, this process keeps none of the command's ends, except the
// side of a terminal until drain: output ends with the tree.
func (s *supervision) launch(command process.Command) (*protocol.StartFailure, error) {
	ends, err := s.openEnds(command.Identity)
	defer ends.close()
	if err != nil {
		return nil, err
	}
	command.Stdin, command.Stdout, command.Stderr = uintptr(ends.stdin), uintptr(ends.stdout), uintptr(ends.stderr)
	command.Terminal = s.terminal != nil
	pid, failure, err := process.Launch(command)
	if err != nil {
		return nil, fmt.Errorf("start the command: %w", err)
	}
	s.main = pid
	return failure, nil
}

// attendInput applies what comes, or what came with the request.
func (s *supervision) attendInput() {
	if s.request.InputOpen() {
		s.input.obey(s.replyInput)
		return
	}
	s.input.feed(s.request.Stdin.Bytes)
}
