package acceptance

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"berth.dev/runner/internal/protocol"
)

// stop is what Docker does: TERM to init, and the exit code of init.
func (s *sandbox) stop() error {
	s.t.Helper()
	if err := syscall.Kill(s.initPID(), syscall.SIGTERM); err != nil {
		return err
	}
	return s.init.Wait()
}

func TestAWantOfDescriptorsIsNotExitCode127AndLeavesNoClaim(t *testing.T) {
	s := startSandbox(t, []string{"prlimit", "--nofile=28:28", "unshare", "--pid", "--fork", "--kill-child", "--mount-proc"})
	c := s.dial()
	var idle []net.Conn
	for {
		conn, err := net.Dial("unix", s.socket())
		if err != nil {
			t.Fatal(err)
		}
		idle = append(idle, conn)
		if len(idle) > 40 {
			break
		}
	}
	request := shell("echo once >> ran")
	// A spare supervisor may serve the first ones; in the end a new one is needed, and none can be had.
	var refusal *protocol.Error
	for range 5 {
		request = shell("echo once >> ran-$MARK")
		if _, err := c.start(request); errors.As(err, &refusal) {
			break
		}
	}
	if refusal == nil || refusal.Code != protocol.CodeResourceExhausted {
		t.Fatalf("%+v", refusal)
	}
	for _, conn := range idle {
		_ = conn.Close()
	}
	if claims, err := os.ReadDir(filepath.Join(s.spool, "execs", request.ExecID)); err == nil {
		t.Fatalf("a claim is left: %v", claims)
	}
	eventually(t, "it can be started again", func() bool {
		result, err := c.start(request)
		return err == nil && result.State == protocol.StateStarted
	})
	if got := c.ended(request.ExecID); ending(got.record) != "exited 0 -" || s.read("ran-"+request.ExecID) != "once\n" {
		t.Fatalf("%+v", got.record)
	}
}

func TestADeadSupervisorLeavesALostExecAndNoProcess(t *testing.T) {
	s := newSandbox(t)
	c := s.dial()
	request := shell("echo before; ( setsid sleep 300 & ); sleep 300")
	other := shell("echo ready; while [ ! -e go ]; do sleep 0.01; done; echo went on")
	c.mustStart(other)
	c.mustStart(request)
	c.awaitOutput(request.ExecID)
	c.awaitOutput(other.ExecID)
	followed := make(chan *transcript, 1)
	go func() { followed <- c.follow(request.ExecID, 0, nil) }()
	if err := syscall.Kill(parentOf(t, s, request.ExecID), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	got := <-followed
	if got.lost == nil || got.lost.Reason != protocol.LostSupervisorDied || got.stdout.String() != "before\n" {
		t.Fatalf("%+v", got)
	}
	if left := marked(t, request.ExecID); len(left) != 0 {
		t.Fatalf("left: %v", left)
	}
	if result, err := c.start(request); err != nil || result.State != protocol.StateLost {
		t.Fatalf("%+v %v", result, err)
	}
	c.mustStart(protocol.StartRequest{ExecID: newID(), Argv: []string{"touch", "go"}})
	if got := c.ended(other.ExecID); got.stdout.String() != "ready\nwent on\n" {
		t.Fatalf("the other exec was hurt: %+v %q", got.record, got.stdout.String())
	}
}

// parentOf finds the supervisor: the parent of the oldest process with the exec's mark.
func parentOf(t *testing.T, s *sandbox, execID string) int {
	t.Helper()
	oldest := marked(t, execID)[0]
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", oldest))
	if err != nil {
		t.Fatal(err)
	}
	var parent int
	for line := range strings.Lines(string(text)) {
		_, _ = fmt.Sscanf(line, "PPid:\t%d", &parent)
	}
	return parent
}

func TestASecondInitOfASpoolTakesItFromTheFirstWhichEndsItsExecsWithRecords(t *testing.T) {
	s := newSandbox(t)
	c := s.dial()
	running := shell("echo running; sleep 300")
	c.mustStart(running)
	c.awaitOutput(running.ExecID)
	forgotten := s.init
	s.boot()
	if err := forgotten.Wait(); err != nil {
		t.Fatalf("the first init: %v", err)
	}
	eventually(t, "the second init serves", func() bool {
		conn, err := net.Dial("unix", s.socket())
		if err != nil {
			return false
		}
		_ = conn.Close()
		return true
	})
	again := s.dial()
	if again.hello.BootID == c.hello.BootID {
		t.Fatal("the first init answers still")
	}
	if got := again.ended(running.ExecID); got.record == nil || got.record.Reason != protocol.ReasonSandboxStopped {
		t.Fatalf("%+v", got)
	}
	if left := marked(t, running.ExecID); len(left) != 0 {
		t.Fatalf("left: %v", left)
	}
}

func TestARestartOfTheSandboxKeepsWhatEndedAndLosesWhatRan(t *testing.T) {
	s := newSandbox(t)
	c := s.dial()
	ended, running := shell("echo ended; exit 2"), shell("echo once >> ran; echo running; sleep 300")
	c.mustStart(ended)
	c.ended(ended.ExecID)
	c.mustStart(running)
	c.awaitOutput(running.ExecID)
	boot := c.hello.BootID
	s.kill()
	s.boot()
	c = s.dial()
	if c.hello.BootID == boot {
		t.Fatal("the boot id has not changed")
	}
	if got := c.ended(ended.ExecID); ending(got.record) != "exited 2 -" || got.stdout.String() != "ended\n" {
		t.Fatalf("%+v", got.record)
	}
	got := c.follow(running.ExecID, 0, nil)
	if got.lost == nil || got.lost.Reason != protocol.LostSandboxRestarted || got.stdout.String() != "running\n" {
		t.Fatalf("%+v", got)
	}
	if result, err := c.start(running); err != nil || result.State != protocol.StateLost || s.read("ran") != "once\n" {
		t.Fatalf("%+v %v", result, err)
	}
}

func TestAForgottenExecLeavesOnlyItsTombstone(t *testing.T) {
	s := newSandbox(t)
	c := s.dial()
	request := shell("echo once >> ran; while [ ! -e go ]; do sleep 0.01; done")
	c.mustStart(request)
	forget := protocol.ExecRequest{ExecID: request.ExecID}
	var refusal *protocol.Error
	if _, err := ask[struct{}](c, protocol.Forget, forget); !errors.As(err, &refusal) || refusal.Code != protocol.CodeStillRunning {
		t.Fatal(err)
	}
	s.release("go")
	c.ended(request.ExecID)
	for range 2 {
		if _, err := ask[struct{}](c, protocol.Forget, forget); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(s.spool, "execs", request.ExecID)); !os.IsNotExist(err) {
			t.Fatal("the spool is still there")
		}
		if result, err := c.start(request); err != nil || result.State != protocol.StateForgotten || s.read("ran") != "once\n" {
			t.Fatalf("%+v %v", result, err)
		}
		s.kill()
		s.boot()
		c = s.dial()
	}
}
