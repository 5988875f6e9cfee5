// Package supervisor is the small process beside each exec: it starts the command, spools its output, enforces its
// limits, ends its whole tree and writes the exit record last. It must never write a record while a process of the tree
// may still be running, unless the record says so.
package supervisor

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"berth.dev/runner/internal/control"
	"berth.dev/runner/internal/process"
	"berth.dev/runner/internal/protocol"
	"berth.dev/runner/internal/spool"
	"berth.dev/runner/internal/wire"
)

// threads are for both pumps, the sync, the supervision, and the one that starting the command uses up.
const threads = 5

// Run waits for its one order, carries it out and returns the process's exit code. A spare that is never needed ends
// with the connection.
func Run() int {
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	// Taken and dropped: ignored ones would stay ignored in the command.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT,
		syscall.SIGPIPE, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM)
	if err := process.Shield(); err != nil {
		return fail("shield", err)
	}
	if err := process.BecomeSubreaper(); err != nil {
		return fail("become subreaper", err)
	}
	conn, err := control.Own()
	if err != nil {
		return fail("open the connection to init", err)
	}
	process.Warm(threads)
	if err := conn.Write(control.Ready, 0); err != nil {
		return 0
	}
	message, err := conn.Read()
	if err != nil {
		return 0
	}
	if message.Type == control.Stop {
		return refuse(conn, protocol.Errorf(protocol.CodeStopping, "the sandbox is being stopped"))
	}
	var order control.StartOrder
	if message.Type != control.Start || json.Unmarshal(message.Payload, &order) != nil {
		return fail("read the order", wire.ErrProtocol)
	}
	return supervise(conn, &order, children)
}

func supervise(conn *control.Conn, order *control.StartOrder, children chan os.Signal) int {
	at := spool.At(order.SpoolRoot)
	claim, err := spool.HoldClaim(at.ExecFolder(order.Request.ExecID))
	if err != nil {
		return refuse(conn, fmt.Errorf("hold the claim: %w", err))
	}
	defer claim.Close()
	s := &supervision{
		conn:     conn,
		request:  &order.Request,
		folder:   at.ExecFolder(order.Request.ExecID),
		spooler:  newSpooler(at, &order.Request),
		children: children,
		messages: make(chan wire.Message),
		killed:   map[int]bool{},
	}
	failure, err := s.start(order)
	if err != nil {
		return refuse(conn, err)
	}
	if failure != nil {
		return s.finish(failure)
	}
	go s.listen()
	go s.reportProgress()
	s.untilOver()
	s.drain()
	code := s.finish(nil)
	s.attendBackground()
	return code
}

// listen hands on what init sends. The end of the connection closes the channel: init has died.
func (s *supervision) listen() {
	defer close(s.messages)
	for {
		message, err := s.conn.Read()
		if err != nil {
			return
		}
		s.messages <- message
	}
}

// reportProgress tells init how far the spool goes. Many frames at once are one report, and so are those that come while
// init does not hear.
func (s *supervision) reportProgress() {
	for range s.spooler.progress {
		first, end, blocked := s.spooler.position()
		notice := control.ProgressNotice{First: first, End: end, Blocked: blocked}
		if s.conn.Write(control.Progress, 0, notice.Encode()) != nil {
			return
		}
	}
}

func refuse(conn *control.Conn, err error) int {
	if writeErr := conn.WriteJSON(control.Refused, 0, protocol.AsError(err)); writeErr != nil {
		return fail("refuse", writeErr)
	}
	return 0
}

func fail(what string, err error) int {
	fmt.Fprintf(os.Stderr, "runner supervise: %s: %v\n", what, err)
	return 1
}
