package acceptance

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"berth.dev/runner/internal/protocol"
)

// stubborn is a tree that does all it can to stay: ignored TERM, a double fork, a session of its own, standard output
// held open.
const stubborn = `trap '' TERM
( setsid sh -c 'trap "" TERM; while :; do sleep 1; done' & ) &
setsid sh -c 'sleep 300 & exec sleep 300' &
sleep 300 &
echo ready
wait; wait; while :; do sleep 1; done`

// firstLineLimit is enough for a shell to come to its first lines, also on a machine that has much else to do.
const firstLineLimit = 2 * time.Second

func (c *client) awaitOutput(execID string) {
	c.t.Helper()
	eventually(c.t, "it writes", func() bool { return c.status(execID).EndPosition > 0 })
}

func TestADescendantThatHoldsStdoutOpenNeitherDelaysTheEndNorSurvivesIt(t *testing.T) {
	c := newSandbox(t).dial()
	request := shell("setsid sleep 300 & ( setsid sleep 301 & ); echo done; exit 3")
	c.mustStart(request)
	// Those that hold it open would do so for minutes.
	got := c.ended(request.ExecID)
	if ending(got.record) != "exited 3 -" || got.stdout.String() != "done\n" || got.record.DescendantsKilled != 2 ||
		got.record.DescendantsLeft != 0 || got.record.OutputHeldOpen {
		t.Fatalf("%+v", got.record)
	}
	if left := marked(t, request.ExecID); len(left) != 0 {
		t.Fatalf("left: %v", left)
	}
}

func TestATimeoutEndsTheWholeTreeWhateverItIgnores(t *testing.T) {
	c := newSandbox(t).dial()
	request := shell(stubborn)
	request.TimeoutMs = firstLineLimit.Milliseconds()
	begin := time.Now()
	c.mustStart(request)
	got := c.ended(request.ExecID)
	if ending(got.record) != "timed_out - SIGKILL" || !got.record.HadToKill || got.record.DescendantsKilled < 3 {
		t.Fatalf("%+v", got.record)
	}
	if took := time.Since(begin); took < firstLineLimit+time.Second {
		t.Fatalf("without the time to go by itself it was ended after %v", took)
	}
	if left := marked(t, request.ExecID); len(left) != 0 {
		t.Fatalf("left: %v", left)
	}
}

func TestATimeoutThatTheCommandObeysNeedsNoKill(t *testing.T) {
	c := newSandbox(t).dial()
	request := shell("trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.05; done")
	request.TimeoutMs = firstLineLimit.Milliseconds()
	c.mustStart(request)
	got := c.ended(request.ExecID)
	if ending(got.record) != "timed_out 5 -" || got.record.HadToKill || !strings.HasSuffix(got.stdout.String(), "bye\n") {
		t.Fatalf("%s %q %+v", ending(got.record), got.stdout.String(), got.record)
	}
}

func TestAnIdleTimeoutCountsOnlySilence(t *testing.T) {
	c := newSandbox(t).dial()
	request := shell("for i in 1 2 3 4 5 6; do echo $i; sleep 0.5; done; sleep 300")
	request.IdleTimeoutMs = firstLineLimit.Milliseconds()
	c.mustStart(request)
	got := c.ended(request.ExecID)
	if got.record.Reason != protocol.ReasonIdleTimedOut || got.stdout.String() != "1\n2\n3\n4\n5\n6\n" {
		t.Fatalf("%+v %q", got.record, got.stdout.String())
	}
}

func TestOutputBeyondItsLimitEndsTheExecAndIsCutAtTheByte(t *testing.T) {
	c := newSandbox(t).dial()
	request := shell("yes")
	request.OutputBytesMax = 1_000_001
	c.mustStart(request)
	got := c.ended(request.ExecID)
	if got.record.Reason != protocol.ReasonOutputLimited || got.stdout.Len() != 1_000_001 {
		t.Fatalf("%+v %d", got.record, got.stdout.Len())
	}
	exact := shell("head -c 1000 /dev/zero")
	exact.OutputBytesMax = 1_000
	c.mustStart(exact)
	if got := c.ended(exact.ExecID); ending(got.record) != "exited 0 -" {
		t.Fatalf("%+v", got.record)
	}
}

func TestACancelEndsTheTreeAndAsTwiceAnswersTheSame(t *testing.T) {
	s := newSandbox(t)
	c := s.dial()
	request := shell(stubborn)
	c.mustStart(request)
	c.awaitOutput(request.ExecID)
	var waiting sync.WaitGroup
	for range 2 {
		waiting.Go(func() {
			result := s.dial().cancel(request.ExecID, 300*time.Millisecond)
			if result.State != protocol.StateCanceled || !result.HadToKill || result.DescendantsKilled < 3 ||
				ending(result.ExitRecord) != "canceled - SIGKILL" {
				t.Errorf("%+v %+v", result, result.ExitRecord)
			}
			if left := marked(t, request.ExecID); len(left) != 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
	waiting.Wait()
	if again := c.cancel(request.ExecID, 0); again.State != protocol.StateCanceled {
		t.Fatalf("%+v", again)
	}
	if result, err := c.start(request); err != nil || result.State != protocol.StateFinished {
		t.Fatalf("%+v %v", result, err)
	}
}

func TestACancelReachesAStoppedProcess(t *testing.T) {
	c := newSandbox(t).dial()
	request := shell("trap 'exit 9' TERM; echo ready; kill -STOP $$; sleep 300")
	c.mustStart(request)
	c.awaitOutput(request.ExecID)
	if result := c.cancel(request.ExecID, 5*time.Second); ending(result.ExitRecord) != "canceled 9 -" || result.HadToKill {
		t.Fatalf("%+v %+v", result, result.ExitRecord)
	}
}

func TestACancelBeforeTheStartKeepsItFromEverStarting(t *testing.T) {
	s := newSandbox(t)
	c := s.dial()
	request := shell("touch ran")
	if result := c.cancel(request.ExecID, 0); result.State != protocol.StateNeverStarted {
		t.Fatalf("%+v", result)
	}
	for range 2 {
		if result, err := c.start(request); err != nil || result.State != protocol.StateCanceled {
			t.Fatalf("%+v %v", result, err)
		}
		if status := c.status(request.ExecID); status.State != protocol.StateCanceled {
			t.Fatalf("%+v", status)
		}
		s.kill()
		s.boot()
		c = s.dial()
	}
}

func TestACancelOfAnEndedExecSaysHowItEnded(t *testing.T) {
	c := newSandbox(t).dial()
	request := shell("exit 4")
	c.mustStart(request)
	c.ended(request.ExecID)
	if result := c.cancel(request.ExecID, 0); result.State != protocol.StateFinished || ending(result.ExitRecord) != "exited 4 -" {
		t.Fatalf("%+v", result)
	}
}

func TestStartAndCancelAtTheSameTimeAgreeAboutWhatHappened(t *testing.T) {
	s := newSandbox(t)
	starter, canceler := s.dial(), s.dial()
	for range 50 {
		request := shell("echo x >> $MARK; sleep 300")
		var waiting sync.WaitGroup
		var started protocol.StartResult
		var canceled protocol.CancelResult
		waiting.Go(func() { started, _ = starter.start(request) })
		waiting.Go(func() { canceled = canceler.cancel(request.ExecID, 0) })
		waiting.Wait()
		ran := started.State == protocol.StateStarted && canceled.State == protocol.StateCanceled
		never := started.State == protocol.StateCanceled && canceled.State == protocol.StateNeverStarted
		if !ran && !never {
			t.Fatalf("start %+v, cancel %+v", started, canceled)
		}
		if left := marked(t, request.ExecID); len(left) != 0 {
			t.Fatalf("left: %v", left)
		}
	}
}

func TestBackgroundProcessesStayOnlyWhereTheRequestAllowsIt(t *testing.T) {
	s := newSandbox(t)
	c := s.dial()
	request := shell("( while :; do echo noise; sleep 0.01; done ) & echo started")
	request.AllowBackground = true
	c.mustStart(request)
	got := c.ended(request.ExecID)
	if ending(got.record) != "exited 0 -" || got.record.DescendantsLeft == 0 || !got.record.OutputHeldOpen {
		t.Fatalf("%+v", got.record)
	}
	time.Sleep(100 * time.Millisecond)
	if len(marked(t, request.ExecID)) == 0 {
		t.Fatal("the background process has not stayed")
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if left := marked(t, request.ExecID); len(left) != 0 {
		t.Fatalf("left after the stop: %v", left)
	}
}

func TestAStopOfTheSandboxLeavesRecords(t *testing.T) {
	s := newSandbox(t)
	c := s.dial()
	obedient, deaf := shell("trap 'exit 6' TERM; echo ready; while :; do sleep 0.05; done"), shell(stubborn)
	c.mustStart(obedient)
	c.mustStart(deaf)
	c.awaitOutput(obedient.ExecID)
	c.awaitOutput(deaf.ExecID)
	followed := make(chan *transcript, 1)
	go func() { followed <- c.follow(obedient.ExecID, 0, nil) }()
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if got := <-followed; got.record == nil || ending(got.record) != "sandbox_stopped 6 -" {
		t.Fatalf("%+v", got)
	}
	s.boot()
	c = s.dial()
	if got := c.ended(deaf.ExecID); ending(got.record) != "sandbox_stopped - SIGKILL" {
		t.Fatalf("%+v", got.record)
	}
	if result, err := c.start(obedient); err != nil || result.State != protocol.StateFinished {
		t.Fatalf("%+v %v", result, err)
	}
}

func TestWhatIsEndedBeforeAStopOfTheSandboxIsNotCanceledAndHasNoTombstone(t *testing.T) {
	c := newSandbox(t).dial()
	obedient, deaf, later := shell("trap 'exit 6' TERM; echo ready; while :; do sleep 0.05; done"), shell(stubborn), shell("echo later")
	var refusal *protocol.Error
	if _, err := c.endForStop(later.ExecID, time.Second); !errors.As(err, &refusal) || refusal.Code != protocol.CodeUnknownExec {
		t.Fatalf("one that was never claimed: %v", err)
	}
	for execID, want := range map[string]string{obedient.ExecID: "sandbox_stopped 6 -", deaf.ExecID: "sandbox_stopped - SIGKILL"} {
		request := obedient
		if execID == deaf.ExecID {
			request = deaf
		}
		c.mustStart(request)
		c.awaitOutput(execID)
		// Asked twice it is one end.
		for range 2 {
			result, err := c.endForStop(execID, 200*time.Millisecond)
			if err != nil || result.State != protocol.StateFinished || ending(result.ExitRecord) != want {
				t.Fatalf("%+v %v", result, err)
			}
		}
		if left := marked(t, execID); len(left) != 0 {
			t.Fatalf("left: %v", left)
		}
	}
	c.mustStart(later)
	if got := c.ended(later.ExecID); ending(got.record) != "exited 0 -" {
		t.Fatalf("%+v", got.record)
	}
}

func TestAForkBombIsEndedByItsTimeout(t *testing.T) {
	c := newSandbox(t).dial()
	request := shell("f() { [ $1 -gt 7 ] || { f $(($1+1)) & f $(($1+1)) & }; sleep 300; }; f 0")
	request.TimeoutMs = 700
	c.mustStart(request)
	got := c.ended(request.ExecID)
	if got.record.Reason != protocol.ReasonTimedOut || got.record.DescendantsLeft != 0 {
		t.Fatalf("%+v", got.record)
	}
	if left := marked(t, request.ExecID); len(left) != 0 {
		t.Fatalf("left: %d", len(left))
	}
}
