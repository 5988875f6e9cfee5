package acceptance

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"berth.dev/runner/internal/protocol"
)

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
	s.release("go")
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
