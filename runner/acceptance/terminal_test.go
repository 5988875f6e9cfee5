package acceptance

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"berth.dev/runner/internal/frame"
	"berth.dev/runner/internal/protocol"
)

func inTerminal(line string) protocol.StartRequest {
	request := shell(line)
	request.TTY = &protocol.TerminalSize{Columns: 80, Rows: 24}
	return request
}

// typed is everything that has come out of the exec so far.
func (c *client) typed(execID, text string, offset uint64) uint64 {
	c.t.Helper()
	end := offset + uint64(len(text))
	c.mustWrite(protocol.StdinRequest{ExecID: execID, Offset: offset, Bytes: []byte(text)}, protocol.StdinApplied, end)
	return end
}

// showsMore waits until the exec has written again.
func (c *client) showsMore(execID string, than uint64) uint64 {
	c.t.Helper()
	var end uint64
	eventually(c.t, "it shows more", func() bool {
		end = c.status(execID).EndPosition
		return end > than
	})
	return end
}

func TestACommandInATerminalHasOneAndItsOutputIsOneStream(t *testing.T) {
	s := newSandbox(t)
	c := s.dial()
	request := inTerminal("tty; stty size; echo $TERM; ps -o tpgid= -p $$ | tr -d ' '; echo $$; echo oops >&2; touch ready; read line; echo got $line; exit 5")
	c.mustStart(request)
	s.awaitFile("ready")
	c.typed(request.ExecID, "hi\n", 0)
	got := c.ended(request.ExecID)
	lines := strings.Split(strings.ReplaceAll(got.stdout.String(), "\r\n", "\n"), "\n")
	if !strings.HasPrefix(lines[0], "/dev/pts/") || lines[1] != "24 80" || lines[2] != "xterm-256color" || lines[3] != lines[4] ||
		!strings.Contains(got.stdout.String(), "oops\r\n") || !strings.Contains(got.stdout.String(), "got hi\r\n") {
		t.Fatalf("%q", lines)
	}
	if ending(got.record) != "exited 5 -" || got.record.StdoutBytes != uint64(got.stdout.Len()) || got.record.StderrBytes != 0 {
		t.Fatalf("%+v", got.record)
	}
	header, err := frame.Parse(got.framed.Bytes())
	if err != nil || header.Stream != frame.Terminal {
		t.Fatalf("%+v %v", header, err)
	}
}

func TestAResizeIsSeenAndHeardOf(t *testing.T) {
	c := newSandbox(t).dial()
	request := inTerminal("trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done")
	c.mustStart(request)
	c.showsMore(request.ExecID, 0)
	resize := protocol.ResizeRequest{ExecID: request.ExecID, TerminalSize: protocol.TerminalSize{Columns: 132, Rows: 43}}
	if result, err := ask[protocol.ResizeResult](c, protocol.Resize, resize); err != nil || result.State != protocol.Resized {
		t.Fatalf("%+v %v", result, err)
	}
	if got := c.ended(request.ExecID); !strings.Contains(got.stdout.String(), "43 132") {
		t.Fatalf("%q", got.stdout.String())
	}
	resize.Columns = 1_001
	if _, err := ask[protocol.ResizeResult](c, protocol.Resize, resize); refusedWith(err) != protocol.CodeBadRequest {
		t.Fatal(err)
	}
	plain := shell("sleep 60")
	c.mustStart(plain)
	resize = protocol.ResizeRequest{ExecID: plain.ExecID, TerminalSize: protocol.TerminalSize{Columns: 1, Rows: 1}}
	if _, err := ask[protocol.ResizeResult](c, protocol.Resize, resize); refusedWith(err) != protocol.CodeInputNotOpen {
		t.Fatal(err)
	}
	c.cancel(plain.ExecID, 0)
}

// namedSleep is told from every other sleep of the machine by its seconds.
type namedSleep struct{ line, commandLine string }

func sleepOfItsOwn() namedSleep {
	seconds := fmt.Sprint(1_000_000 + rand.IntN(1_000_000_000))
	return namedSleep{line: "sleep " + seconds + "\n", commandLine: "sleep\x00" + seconds + "\x00"}
}

func (n namedSleep) runs(t *testing.T) bool {
	t.Helper()
	return len(pidsOf(t, n.commandLine)) > 0
}

func TestKeysAndSignalsReachTheForegroundOfAnInteractiveShell(t *testing.T) {
	c := newSandbox(t).dial()
	request := protocol.StartRequest{
		ExecID: newID(), Argv: []string{"bash", "--norc", "-i"}, TTY: &protocol.TerminalSize{Columns: 80, Rows: 24},
		Env: map[string]string{"PS1": "$ ", "HISTFILE": ""},
	}
	c.mustStart(request)
	end := c.showsMore(request.ExecID, 0)
	first, second := sleepOfItsOwn(), sleepOfItsOwn()
	offset := c.typed(request.ExecID, first.line, 0)
	end = c.showsMore(request.ExecID, end)
	eventually(t, "the sleep is in front", func() bool { return first.runs(t) })
	result, err := ask[protocol.SignalResult](c, protocol.Signal, protocol.SignalRequest{ExecID: request.ExecID, Signal: "SIGINT"})
	if err != nil || result.ProcessGroup == c.status(request.ExecID).PID {
		t.Fatalf("%+v %v", result, err)
	}
	eventually(t, "the sleep has gone", func() bool { return !first.runs(t) })
	offset = c.typed(request.ExecID, second.line, offset)
	eventually(t, "the next one is in front", func() bool { return second.runs(t) })
	offset = c.typed(request.ExecID, "\x03", offset)
	eventually(t, "Ctrl+C has ended it", func() bool { return !second.runs(t) })
	c.typed(request.ExecID, "exit 6\n", offset)
	got := c.ended(request.ExecID)
	if ending(got.record) != "exited 6 -" || strings.Contains(got.stdout.String(), "job control") {
		t.Fatalf("%s %q", ending(got.record), got.stdout.String())
	}
}

func TestTheEndOfTheInputOfATerminalIsItsCharacter(t *testing.T) {
	c := newSandbox(t).dial()
	request := inTerminal("cat; echo over")
	c.mustStart(request)
	c.mustWrite(protocol.StdinRequest{ExecID: request.ExecID, Bytes: []byte("a\n"), EOF: true}, protocol.StdinApplied, 2)
	if got := c.ended(request.ExecID); !strings.HasSuffix(got.stdout.String(), "over\r\n") {
		t.Fatalf("%q", got.stdout.String())
	}
}

func TestNothingOfATerminalIsLostAtItsEnd(t *testing.T) {
	c := newSandbox(t).dial()
	request := inTerminal("stty raw; (sleep 300 &) ; seq 1 200000")
	request.UncommittedBytesMax = protocol.UncommittedBytesMin
	c.mustStart(request)
	got := c.follow(request.ExecID, 0, func(position uint64) { c.commit(request.ExecID, position) })
	if got.record == nil || !strings.HasSuffix(got.stdout.String(), "\n200000\n") || strings.Count(got.stdout.String(), "\n") != 200_000 {
		t.Fatalf("%d bytes, %+v", got.stdout.Len(), got.record)
	}
	// How many had to be killed is the kernel's to say: it hangs up the group of a terminal whose leader ends.
	if got.record.DescendantsLeft != 0 {
		t.Fatalf("%+v", got.record)
	}
}

func TestATerminalTakesNoInlineInput(t *testing.T) {
	c := newSandbox(t).dial()
	request := inTerminal("true")
	request.Stdin = &protocol.StdinSource{Kind: protocol.StdinInline, Bytes: []byte("x")}
	if _, err := c.start(request); refusedWith(err) != protocol.CodeBadRequest {
		t.Fatal(err)
	}
}

func TestATerminalThatACommandHasClosedAndOpensAgainLosesNothing(t *testing.T) {
	s := newSandbox(t)
	c := s.dial()
	request := inTerminal("stty raw; exec </dev/null >/dev/null 2>&1; touch closed; while [ ! -e go ]; do sleep 0.05; done; seq 1 100000 >/dev/tty")
	c.mustStart(request)
	s.awaitFile("closed")
	s.release("go")
	got := c.ended(request.ExecID)
	if ending(got.record) != "exited 0 -" || strings.Count(got.stdout.String(), "\n") != 100_000 {
		t.Fatalf("%d bytes, %+v", got.stdout.Len(), got.record)
	}
	if got.record.OutputHeldOpen || got.record.OutputTruncated {
		t.Fatalf("%+v", got.record)
	}
}
