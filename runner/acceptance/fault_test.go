package acceptance

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

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

func TestBackpressureHoldsTheCommandBackUntilACommit(t *testing.T) {
	s := newSandbox(t)
	c := s.dial()
	const total = 20_000_000
	request := shell(fmt.Sprintf("seq 1 100000000 | head -c %d; touch finished", total))
	request.UncommittedBytesMax = 2 << 20
	c.mustStart(request)
	eventually(t, "it is held back", func() bool { return c.status(request.ExecID).Blocked == protocol.BlockUncommittedLimit })
	held := c.status(request.ExecID).EndPosition
	time.Sleep(200 * time.Millisecond)
	if now := c.status(request.ExecID).EndPosition; now != held || now > 2<<20 {
		t.Fatalf("it goes on: %d, then %d", held, now)
	}
	if _, err := os.Stat(s.file("finished")); err == nil {
		t.Fatal("the command has not been held back")
	}
	got := c.follow(request.ExecID, 0, func(position uint64) { c.commit(request.ExecID, position) })
	sum := sha256.Sum256(got.stdout.Bytes())
	if got.record == nil || got.stdout.Len() != total || got.record.StdoutSHA256 != hex.EncodeToString(sum[:]) {
		t.Fatalf("%+v", got.record)
	}
	segments, err := filepath.Glob(filepath.Join(s.spool, "execs", request.ExecID, "seg-*"))
	if err != nil || len(segments) > 2 {
		t.Fatalf("committed segments are still there: %v %v", segments, err)
	}
	if got := c.follow(request.ExecID, 0, nil); got.refusal == nil || got.refusal.Code != protocol.CodePositionTrimmed {
		t.Fatalf("%+v", got)
	}
}

func TestATimeoutHoldsWhileTheCommandIsHeldBack(t *testing.T) {
	c := newSandbox(t).dial()
	request := shell("yes")
	request.UncommittedBytesMax, request.TimeoutMs = 1<<20, 500
	c.mustStart(request)
	got := c.ended(request.ExecID)
	if got.record.Reason != protocol.ReasonTimedOut || uint64(got.framed.Len()) != got.record.EndPosition {
		t.Fatalf("%+v", got.record)
	}
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
	if err := os.WriteFile(s.file("go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
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

// process is the other end of a sub-command's standard input and output.
type processStream struct {
	io.Reader
	io.WriteCloser
}

func (s processStream) Close() error { return s.WriteCloser.Close() }

func runOnStdio(t *testing.T, arguments ...string) (*client, *exec.Cmd) {
	t.Helper()
	command := exec.Command(runnerPath, arguments...)
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	return startOnStdio(t, command, processStream{stdout, stdin}), command
}

func startOnStdio(t *testing.T, command *exec.Cmd, stream processStream) *client {
	t.Helper()
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	return greet(t, stream)
}

func TestADrainReadsWhatADeadSandboxLeftAndChangesNothing(t *testing.T) {
	s := newSandbox(t)
	c := s.dial()
	ended, running := shell("echo ended; exit 2"), shell("echo line; head -c 9000000 /dev/urandom; sleep 300")
	c.mustStart(ended)
	c.ended(ended.ExecID)
	c.mustStart(running)
	eventually(t, "it has written", func() bool { return c.status(running.ExecID).EndPosition > 9_000_000 })
	before := c.status(running.ExecID).EndPosition
	living, _ := runOnStdio(t, "drain", s.spool)
	if got := living.follow(running.ExecID, 0, nil); got.refusal == nil || got.refusal.Code != protocol.CodeStillRunning {
		t.Fatalf("%+v", got)
	}
	s.kill()
	tear(t, s, running.ExecID)
	d, command := runOnStdio(t, "drain", s.spool)
	if d.hello.Mode != "drain" {
		t.Fatalf("%+v", d.hello)
	}
	if got := d.ended(ended.ExecID); ending(got.record) != "exited 2 -" {
		t.Fatalf("%+v", got.record)
	}
	got := d.follow(running.ExecID, 0, nil)
	if got.lost == nil || got.lost.EndPosition < before || uint64(got.framed.Len()) != got.lost.EndPosition ||
		!bytes.HasPrefix(got.stdout.Bytes(), []byte("line\n")) {
		t.Fatalf("%+v, %d of %d", got.lost, got.framed.Len(), before)
	}
	var refusal *protocol.Error
	if _, err := d.start(shell("true")); !errors.As(err, &refusal) || refusal.Code != protocol.CodeReadOnly {
		t.Fatal(err)
	}
	_ = d.conn.Close()
	if err := command.Wait(); err != nil {
		t.Fatalf("the drain did not end in order: %v", err)
	}
}

// tear appends the beginning of a frame to the last segment, as a death in the middle of a write would.
func tear(t *testing.T, s *sandbox, execID string) {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(s.spool, "execs", execID, "seg-*"))
	if err != nil || len(segments) < 2 {
		t.Fatalf("%v %v", segments, err)
	}
	file, err := os.OpenFile(segments[len(segments)-1], os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Write([]byte{0xb7, 1, 0, 0, 0, 0, 1, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
}

func TestConnectCarriesAChannelAndEndsWithIt(t *testing.T) {
	s := newSandbox(t)
	t.Setenv("BERTH_SPOOL", s.spool)
	c, command := runOnStdio(t, "connect")
	request := shell("head -c 5000000 /dev/urandom")
	c.mustStart(request)
	got := c.ended(request.ExecID)
	sum := sha256.Sum256(got.stdout.Bytes())
	if got.record.StdoutSHA256 != hex.EncodeToString(sum[:]) {
		t.Fatalf("%+v", got.record)
	}
	_ = c.conn.Close()
	if err := command.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestGarbageEndsItsChannelAndNothingElse(t *testing.T) {
	s := newSandbox(t)
	c := s.dial()
	hello := "\x00\x00\x00\x17\x01\x00\x00\x00\x00{\"protocols\":[1]}"
	for name, bytes := range map[string]string{
		"nothing of ours":   strings.Repeat("garbage", 1_000),
		"a length of 4 GiB": hello + "\xff\xff\xff\xff\x10\x00\x00\x00\x01",
		"no hello":          "\x00\x00\x00\x05\x12\x00\x00\x00\x01",
		"an old request id": hello + strings.Repeat("\x00\x00\x00\x07\x12\x00\x00\x00\x01{}", 2),
		"a huge ping":       hello + "\x00\x00\x00\x65\x02\x00\x00\x00\x00" + strings.Repeat("x", 96),
	} {
		conn, err := net.Dial("unix", s.socket())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, bytes); err != nil && !errors.Is(err, syscall.EPIPE) {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the channel stays open", name)
		}
		_ = conn.Close()
	}
	request := shell("echo alive")
	c.mustStart(request)
	c.ended(request.ExecID)
}

func TestAFullDiskHoldsBackAndStillRecordsTheEnd(t *testing.T) {
	root, err := os.MkdirTemp("", "berth-disk-")
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", root, "tmpfs", 0, "size=28m,mode=755"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Unmount(root, syscall.MNT_DETACH)
		_ = os.Remove(root)
	})
	t.Setenv("TMPDIR", root)
	s := newSandbox(t)
	c := s.dial()
	request := shell("head -c 300000 /dev/urandom; echo half; while [ ! -e go ]; do sleep 0.01; done; head -c 20000000 /dev/urandom; sleep 300")
	c.mustStart(request)
	c.awaitOutput(request.ExecID)
	ballast := filepath.Join(root, "ballast")
	fill(t, ballast)
	if err := os.WriteFile(s.file("go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is held back by the disk", func() bool { return c.status(request.ExecID).Blocked == protocol.BlockDiskFull })
	var refusal *protocol.Error
	if _, err := c.start(shell("true")); !errors.As(err, &refusal) || refusal.Code != protocol.CodeDiskFull {
		t.Fatalf("a start on a full disk: %v", err)
	}
	result := c.cancel(request.ExecID, 0)
	if result.State != protocol.StateCanceled {
		t.Fatalf("%+v", result)
	}
	got := c.ended(request.ExecID)
	sum := sha256.Sum256(got.stdout.Bytes())
	if got.record.StdoutSHA256 != hex.EncodeToString(sum[:]) || got.record.OutputTruncated {
		t.Fatalf("%+v", got.record)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	again := shell("echo room")
	c.mustStart(again)
	c.ended(again.ExecID)
}

// fill takes all of the disk but what is set aside.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, piece := range []int{1 << 20, 4 << 10} {
		for err == nil || piece == 4<<10 {
			if _, err = file.Write(make([]byte, piece)); err != nil {
				break
			}
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
}

func TestAConnectionWhoseHostIsSilentEnds(t *testing.T) {
	s := newSandbox(t)
	t.Setenv("BERTH_SPOOL", s.spool)
	ungreeted, err := net.Dial("unix", s.socket())
	if err != nil {
		t.Fatal(err)
	}
	defer ungreeted.Close()
	begin := time.Now()
	c, command := runOnStdio(t, "connect")
	<-c.closed
	if took := time.Since(begin); took < 14*time.Second || took > 18*time.Second {
		t.Fatalf("it ended after %v", took)
	}
	if err := command.Wait(); err == nil {
		t.Fatal("connect does not say that it has given up")
	}
	_ = ungreeted.SetReadDeadline(time.Now().Add(time.Second))
	if _, err := io.Copy(io.Discard, ungreeted); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("init keeps a channel open that never greeted")
	}
}
