package acceptance

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
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
		_ = conn.SetReadDeadline(time.Now().Add(answerLimit))
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the channel stays open", name)
		}
		_ = conn.Close()
	}
	request := shell("echo alive")
	c.mustStart(request)
	c.ended(request.ExecID)
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
	if took := time.Since(begin); took < 14*time.Second {
		t.Fatalf("it ended after %v", took)
	}
	if err := command.Wait(); err == nil {
		t.Fatal("connect does not say that it has given up")
	}
	_ = ungreeted.SetReadDeadline(time.Now().Add(answerLimit))
	if _, err := io.Copy(io.Discard, ungreeted); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("init keeps a channel open that never greeted")
	}
}
