package acceptance

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"berth.dev/runner/internal/protocol"
)

func TestACommandRunsAndItsRecordTellsHowItEnded(t *testing.T) {
	s := newSandbox(t)
	c := s.dial()
	request := shell("echo hello; echo oops >&2; exit 7")
	c.mustStart(request)
	got := c.ended(request.ExecID)
	if ending(got.record) != "exited 7 -" || got.stdout.String() != "hello\n" || got.stderr.String() != "oops\n" {
		t.Fatalf("%s %q %q", ending(got.record), got.stdout.String(), got.stderr.String())
	}
	sum := sha256.Sum256([]byte("hello\n"))
	record := got.record
	if record.StdoutSHA256 != hex.EncodeToString(sum[:]) || record.StdoutBytes != 6 || record.StderrBytes != 5 ||
		record.EndPosition != uint64(got.framed.Len()) || record.DescendantsKilled != 0 || record.HadToKill {
		t.Fatalf("%+v", record)
	}
	if status := c.status(request.ExecID); status.State != protocol.StateFinished || status.ExitRecord == nil {
		t.Fatalf("%+v", status)
	}
}

func TestASignalIsRecordedByItsName(t *testing.T) {
	c := newSandbox(t).dial()
	request := shell("kill -SEGV $$")
	c.mustStart(request)
	if got := c.ended(request.ExecID); ending(got.record) != "exited - SIGSEGV" {
		t.Fatal(ending(got.record))
	}
}

func TestTheCommandHasItsUserNoCapabilitiesAndACleanEnvironment(t *testing.T) {
	s := newSandbox(t)
	c := s.dial()
	request := shell("id -u; id -g; pwd; grep -E 'Cap(Inh|Prm|Eff|Amb)|NoNewPrivs' /proc/self/status; cat /proc/self/oom_score_adj; nice; env; ls /proc/self/fd")
	c.mustStart(request)
	got := c.ended(request.ExecID)
	lines := strings.Split(got.stdout.String(), "\n")
	want := []string{execUID, execUID, s.workspace, "CapInh:\t0000000000000000", "CapPrm:\t0000000000000000",
		"CapEff:\t0000000000000000", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "500", nicenessOfCommands(t)}
	for at, line := range want {
		if lines[at] != line {
			t.Errorf("line %d: %q, not %q", at, lines[at], line)
		}
	}
	env := got.stdout.String()
	for _, present := range []string{"FROM_IMAGE=yes", "HOME=/workspace", "USER=" + execUID, "LANG=C.UTF-8", "PATH="} {
		if !strings.Contains(env, present) {
			t.Errorf("%s is missing", present)
		}
	}
	if strings.Contains(env, "BERTH_") || strings.Contains(env, "GOMAXPROCS") {
		t.Error("something of the runner's has reached the command: ", env)
	}
	if !strings.HasSuffix(env, "\n0\n1\n2\n3\n") {
		t.Errorf("descriptors have leaked: %q", env[len(env)-40:])
	}
}

// nicenessOfCommands is 10 more than that of the runner, which has that of this test.
func nicenessOfCommands(t *testing.T) string {
	missing, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(min(20-missing+10, 19))
}

func TestRootNeedsPermissionAndHasNoCapabilitiesEither(t *testing.T) {
	c := newSandbox(t).dial()
	refused := shell("true")
	refused.User = "root"
	if result, err := c.start(refused); err != nil || result.State != protocol.StateFinished ||
		result.ExitRecord.StartFailure.Code != protocol.UserInvalid {
		t.Fatalf("%+v %v", result, err)
	}
	allowed := shell("id -u; grep CapEff /proc/self/status")
	allowed.User, allowed.AllowRoot = "0", true
	c.mustStart(allowed)
	got := c.ended(allowed.ExecID)
	if got.stdout.String() != "0\nCapEff:\t0000000000000000\n" || !got.record.SelfReported {
		t.Fatalf("%q %+v", got.stdout.String(), got.record)
	}
}

func TestACommandThatCannotBeExecutedIsToldApartFromAFailureOfOurs(t *testing.T) {
	s := newSandbox(t)
	c := s.dial()
	if err := os.WriteFile(s.file("plain"), []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(s.file("closed"), 0o700); err != nil {
		t.Fatal(err)
	}
	cases := map[protocol.StartFailureCode]protocol.StartRequest{
		protocol.CommandNotFound:         {Argv: []string{"no-such-command"}},
		protocol.CommandNotExecutable:    {Argv: []string{"./plain"}},
		protocol.WorkingDirectoryInvalid: {Argv: []string{"true"}, WorkingDirectory: s.file("closed")},
		protocol.UserInvalid:             {Argv: []string{"true"}, User: "nobody-knows-me"},
		protocol.ArgumentListTooLong:     {Argv: []string{"true", strings.Repeat("x", 200_000)}},
	}
	for code, request := range cases {
		request.ExecID = newID()
		result, err := c.start(request)
		if err != nil || result.State != protocol.StateFinished || result.ExitRecord.Reason != protocol.ReasonStartFailed ||
			result.ExitRecord.StartFailure.Code != code || *result.ExitRecord.ExitCode != code.ExitCode() {
			t.Errorf("%s: %+v %+v %v", code, result, result.ExitRecord, err)
			continue
		}
		if got := c.ended(request.ExecID); got.record.StartFailure.Code != code {
			t.Errorf("%s: followed %+v", code, got.record)
		}
	}
}

func TestOneHundredStartsOfOneIDAreOneRun(t *testing.T) {
	s := newSandbox(t)
	request := shell("echo once >> ran; sleep 0.3")
	var waiting sync.WaitGroup
	var mutex sync.Mutex
	states := map[protocol.State]int{}
	for range 10 {
		c := s.dial()
		for range 10 {
			waiting.Go(func() {
				result, err := c.start(request)
				if err != nil {
					t.Error(err)
				}
				mutex.Lock()
				states[result.State]++
				mutex.Unlock()
			})
		}
	}
	waiting.Wait()
	s.dial().ended(request.ExecID)
	if s.read("ran") != "once\n" || states[protocol.StateStarted] != 1 {
		t.Fatalf("%q %v", s.read("ran"), states)
	}
	if result, err := s.dial().start(request); err != nil || result.State != protocol.StateFinished || result.ExitRecord == nil {
		t.Fatalf("%+v %v", result, err)
	}
}

func TestOneHundredDifferentExecsAtOnceAllEndAsTheyShould(t *testing.T) {
	c := newSandbox(t).dial()
	var waiting sync.WaitGroup
	for number := range 100 {
		waiting.Go(func() {
			request := shell(fmt.Sprintf("echo %d; exit %d", number, number))
			if result, err := c.start(request); err != nil {
				t.Error(result, err)
				return
			}
			got := c.follow(request.ExecID, 0, nil)
			if got.record == nil || ending(got.record) != fmt.Sprintf("exited %d -", number) || got.stdout.String() != fmt.Sprintf("%d\n", number) {
				t.Errorf("%d: %+v", number, got.record)
			}
		})
	}
	waiting.Wait()
}

func TestBinaryOutputAndALineOfFiftyMegabytesComeBackByteForByte(t *testing.T) {
	c := newSandbox(t).dial()
	request := shell(`printf 'a\000\377\376b\267'; head -c 50000000 /dev/zero | tr '\0' x; head -c 300000 /dev/urandom | tee /dev/stderr`)
	c.mustStart(request)
	got := c.follow(request.ExecID, 0, func(position uint64) { c.commit(request.ExecID, position) })
	sum := sha256.Sum256(got.stdout.Bytes())
	if got.record == nil || got.record.StdoutSHA256 != hex.EncodeToString(sum[:]) || got.record.StdoutBytes != 50_300_006 {
		t.Fatalf("%+v", got.record)
	}
	if !bytes.HasPrefix(got.stdout.Bytes(), []byte("a\x00\xff\xfeb\xb7xxx")) ||
		!bytes.Equal(got.stdout.Bytes()[50_000_006:], got.stderr.Bytes()) {
		t.Fatal("the bytes differ")
	}
}

func TestAFollowMayBeginAtEveryFrameBoundaryAndNowhereElse(t *testing.T) {
	s := newSandbox(t)
	c := s.dial()
	request := shell("echo 1; while [ ! -e go ]; do sleep 0.01; done; for i in 2 3 4 5; do echo $i; done")
	c.mustStart(request)
	// The first line is a frame of its own once it was written before the next one.
	c.awaitOutput(request.ExecID)
	s.release("go")
	whole := c.ended(request.ExecID)
	middle := uint64(26)
	got := c.follow(request.ExecID, middle, nil)
	if !bytes.Equal(got.framed.Bytes(), whole.framed.Bytes()[middle:]) {
		t.Fatal("resuming gives other bytes")
	}
	for position, code := range map[uint64]protocol.Code{25: protocol.CodePositionInvalid, 1 << 40: protocol.CodePositionInvalid} {
		if got := c.follow(request.ExecID, position, nil); got.refusal == nil || got.refusal.Code != code {
			t.Errorf("%d: %+v", position, got.refusal)
		}
	}
	if got := c.follow(newID(), 0, nil); got.refusal == nil || got.refusal.Code != protocol.CodeUnknownExec {
		t.Errorf("%+v", got.refusal)
	}
}

func TestAFollowerSeesOutputAsItComes(t *testing.T) {
	c := newSandbox(t).dial()
	request := shell("echo first; while [ ! -e go ]; do sleep 0.01; done; echo second")
	c.mustStart(request)
	s := c.status(request.ExecID)
	if s.State != protocol.StateRunning || s.PID == 0 {
		t.Fatalf("%+v", s)
	}
	released := false
	got := c.follow(request.ExecID, 0, func(uint64) {
		if !released {
			released = true
			go c.mustStart(protocol.StartRequest{ExecID: newID(), Argv: []string{"touch", "go"}})
		}
	})
	if got.stdout.String() != "first\nsecond\n" {
		t.Fatalf("%q", got.stdout.String())
	}
}

func TestListPagesThroughAllExecs(t *testing.T) {
	c := newSandbox(t).dial()
	started := map[string]bool{}
	for range 7 {
		request := shell("true")
		c.mustStart(request)
		c.ended(request.ExecID)
		started[request.ExecID] = true
	}
	after := ""
	for pages := 1; ; pages++ {
		page, err := ask[protocol.ListResult](c, protocol.List, protocol.ListRequest{After: after, Limit: 3})
		if err != nil {
			t.Fatal(err)
		}
		for _, status := range page.Execs {
			delete(started, status.ExecID)
		}
		if after = page.Next; after == "" {
			if pages != 3 || len(started) != 0 {
				t.Fatalf("%d pages, %d missing", pages, len(started))
			}
			return
		}
	}
}

// With pauses the spare supervisor is ready, as it is for a person or an agent; without them it is not.
func BenchmarkTrueFromStartToEnd(b *testing.B) {
	for name, pause := range map[string]time.Duration{"one after the other": 0, "with pauses": 20 * time.Millisecond} {
		b.Run(name, func(b *testing.B) {
			c := newSandbox(b).dial()
			var started, ended time.Duration
			for b.Loop() {
				request := protocol.StartRequest{ExecID: newID(), Argv: []string{"true"}}
				begin := time.Now()
				c.mustStart(request)
				started += time.Since(begin)
				c.ended(request.ExecID)
				ended += time.Since(begin)
				time.Sleep(pause)
			}
			b.ReportMetric(float64(started.Microseconds())/float64(b.N), "µs/started")
			b.ReportMetric(float64(ended.Microseconds())/float64(b.N), "µs/ended")
		})
	}
}

func TestATransientExecRunsAsAnyOtherAndLeavesNothingOnceForgotten(t *testing.T) {
	s := newSandbox(t)
	c := s.dial()
	request := shell("echo out; exit 3")
	request.Transient = true
	c.mustStart(request)
	if got := c.ended(request.ExecID); got.stdout.String() != "out\n" || ending(got.record) != "exited 3 -" {
		t.Fatalf("%q %+v", got.stdout.String(), got.record)
	}
	if result, err := c.start(request); err != nil || result.State != protocol.StateFinished {
		t.Fatalf("%+v %v: it runs once as long as it is not forgotten", result, err)
	}
	if _, err := ask[struct{}](c, protocol.Forget, protocol.ExecRequest{ExecID: request.ExecID}); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"execs", "tombstones"} {
		if left, err := os.ReadDir(filepath.Join(s.spool, folder)); err != nil || len(left) > 0 {
			t.Fatalf("%s: %v %v", folder, left, err)
		}
	}
}
