package acceptance

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"berth.dev/runner/internal/protocol"
	"berth.dev/runner/internal/wire"
)

// withInput is a shell whose standard input stays open for what is sent.
func withInput(line string) protocol.StartRequest {
	request := shell(line)
	request.Stdin = &protocol.StdinSource{Kind: protocol.StdinOpen}
	return request
}

func (c *client) write(request protocol.StdinRequest) (protocol.StdinResult, error) {
	c.t.Helper()
	_, answers := c.sendBytes(protocol.Stdin, request.Encode())
	return answered[protocol.StdinResult](c, answers)
}

// mustWrite insists on the state and on how far the input has come.
func (c *client) mustWrite(request protocol.StdinRequest, state protocol.StdinState, appliedTo uint64) {
	c.t.Helper()
	result, err := c.write(request)
	if err != nil || result.State != state || result.AppliedTo != appliedTo {
		c.t.Fatalf("%+v %v, not %s to %d", result, err, state, appliedTo)
	}
}

func refusedWith(err error) protocol.Code {
	var refusal *protocol.Error
	if errors.As(err, &refusal) {
		return refusal.Code
	}
	return ""
}

func TestEachByteOfTheInputIsAppliedOnceHoweverOftenItIsSent(t *testing.T) {
	c := newSandbox(t).dial()
	request := withInput("cat")
	c.mustStart(request)
	piece := func(offset uint64, text string, eof bool) protocol.StdinRequest {
		return protocol.StdinRequest{ExecID: request.ExecID, Offset: offset, Bytes: []byte(text), EOF: eof}
	}
	c.mustWrite(piece(0, "abcdef", false), protocol.StdinApplied, 6)
	c.mustWrite(piece(0, "abcdef", false), protocol.StdinApplied, 6)
	c.mustWrite(piece(3, "defghi", false), protocol.StdinApplied, 9)
	c.mustWrite(piece(10, "k", false), protocol.StdinGap, 9)
	c.mustWrite(piece(0, "abc", true), protocol.StdinGap, 9)
	c.mustWrite(piece(0, "", false), protocol.StdinApplied, 9)
	c.mustWrite(piece(9, "\n", true), protocol.StdinApplied, 10)
	got := c.ended(request.ExecID)
	if got.stdout.String() != "abcdefghi\n" || ending(got.record) != "exited 0 -" || got.record.StdinBytes != 10 {
		t.Fatalf("%q %+v", got.stdout.String(), got.record)
	}
	if _, err := c.write(piece(10, "", true)); refusedWith(err) != protocol.CodeNotRunning {
		t.Fatal(err)
	}
}

func TestTheEndOfTheInputMayBeSaidAgainAndNothingComesAfterIt(t *testing.T) {
	c := newSandbox(t).dial()
	request := withInput("cat; sleep 60")
	c.mustStart(request)
	end := protocol.StdinRequest{ExecID: request.ExecID, Bytes: []byte("x"), EOF: true}
	c.mustWrite(end, protocol.StdinApplied, 1)
	c.mustWrite(end, protocol.StdinApplied, 1)
	c.mustWrite(protocol.StdinRequest{ExecID: request.ExecID, Offset: 1, Bytes: []byte("y")}, protocol.StdinClosed, 1)
	c.cancel(request.ExecID, 0)
}

func TestACommandThatDoesNotReadMakesTheWriterWaitAndThenAskAgain(t *testing.T) {
	s := newSandbox(t)
	c := s.dial()
	request := withInput("while [ ! -e go ]; do sleep 0.05; done; exec wc -c")
	c.mustStart(request)
	piece := make([]byte, protocol.StdinBytesMax)
	var offset, total uint64 = 0, 1 << 20
	full := 0
	for offset < total {
		bytes := piece[:min(uint64(len(piece)), total-offset)]
		result, err := c.write(protocol.StdinRequest{ExecID: request.ExecID, Offset: offset, Bytes: bytes})
		if err != nil {
			t.Fatal(err)
		}
		if result.State == protocol.StdinFull {
			full++
			s.release("go")
		}
		offset = result.AppliedTo
	}
	c.mustWrite(protocol.StdinRequest{ExecID: request.ExecID, Offset: total, EOF: true}, protocol.StdinApplied, total)
	if got := c.ended(request.ExecID); strings.TrimSpace(got.stdout.String()) != fmt.Sprint(total) || full == 0 {
		t.Fatalf("%q, full %d times", got.stdout.String(), full)
	}
}

func TestACommandThatClosesItsInputIsAResult(t *testing.T) {
	c := newSandbox(t).dial()
	request := withInput("head -c 3; exec <&-; sleep 60")
	c.mustStart(request)
	c.mustWrite(protocol.StdinRequest{ExecID: request.ExecID, Bytes: []byte("abc")}, protocol.StdinApplied, 3)
	offset := uint64(3)
	eventually(t, "the input is closed", func() bool {
		result, err := c.write(protocol.StdinRequest{ExecID: request.ExecID, Offset: offset, Bytes: []byte("d")})
		if err != nil {
			t.Fatal(err)
		}
		offset = result.AppliedTo
		return result.State == protocol.StdinClosed
	})
	c.cancel(request.ExecID, 0)
}

func TestAnInputThatNobodyEndsEndsWithItsExec(t *testing.T) {
	c := newSandbox(t).dial()
	request := withInput("cat; echo never")
	request.TimeoutMs = 300
	c.mustStart(request)
	if got := c.ended(request.ExecID); got.record.Reason != protocol.ReasonTimedOut || got.stdout.Len() > 0 {
		t.Fatalf("%+v", got.record)
	}
	early := withInput("exit 3")
	c.mustStart(early)
	if got := c.ended(early.ExecID); ending(got.record) != "exited 3 -" {
		t.Fatalf("%+v", got.record)
	}
}

func TestAnInlineInputIsThereAndEnds(t *testing.T) {
	s := newSandbox(t)
	c := s.dial()
	content := make([]byte, protocol.StdinInlineBytesMax)
	_, _ = rand.Read(content)
	for _, some := range [][]byte{nil, []byte("x"), content} {
		request := shell("while [ ! -e go-$MARK ]; do sleep 0.01; done; cat")
		request.Stdin = &protocol.StdinSource{Kind: protocol.StdinInline, Bytes: some}
		c.mustStart(request)
		if _, err := c.write(protocol.StdinRequest{ExecID: request.ExecID}); refusedWith(err) != protocol.CodeInputNotOpen {
			t.Fatal(err)
		}
		s.release("go-" + request.ExecID)
		got := c.ended(request.ExecID)
		if !bytes.Equal(got.stdout.Bytes(), some) || got.record.StdinBytes != uint64(len(some)) {
			t.Fatalf("%d of %d bytes, %+v", got.stdout.Len(), len(some), got.record)
		}
	}
}

func TestAnInlineInputThatNobodyReadsHoldsNothingUp(t *testing.T) {
	c := newSandbox(t).dial()
	request := shell("exit 0")
	request.Stdin = &protocol.StdinSource{Kind: protocol.StdinInline, Bytes: make([]byte, protocol.StdinInlineBytesMax)}
	c.mustStart(request)
	if got := c.ended(request.ExecID); ending(got.record) != "exited 0 -" {
		t.Fatalf("%+v", got.record)
	}
}

func TestOnlyWhoHasTakenTheInputMayWrite(t *testing.T) {
	c := newSandbox(t).dial()
	request := withInput("cat")
	c.mustStart(request)
	by := func(writer string, take bool, offset uint64, text string) protocol.StdinRequest {
		return protocol.StdinRequest{ExecID: request.ExecID, Writer: writer, Take: take, Offset: offset, Bytes: []byte(text)}
	}
	c.mustWrite(by("", false, 0, "a"), protocol.StdinApplied, 1)
	c.mustWrite(by("one", true, 1, "b"), protocol.StdinApplied, 2)
	c.mustWrite(by("", false, 2, "x"), protocol.StdinTaken, 2)
	c.mustWrite(by("two", false, 2, "x"), protocol.StdinTaken, 2)
	c.mustWrite(by("two", true, 2, "c"), protocol.StdinApplied, 3)
	c.mustWrite(by("one", false, 3, "x"), protocol.StdinTaken, 3)
	c.mustWrite(protocol.StdinRequest{ExecID: request.ExecID, Writer: "two", Offset: 3, EOF: true}, protocol.StdinApplied, 3)
	if got := c.ended(request.ExecID); got.stdout.String() != "abc" {
		t.Fatalf("%q", got.stdout.String())
	}
}

func TestSignalsReachTheProcessGroup(t *testing.T) {
	s := newSandbox(t)
	c := s.dial()
	request := shell("trap 'echo got usr1; : >heard' USR1; trap 'echo got int; exit 4' INT; echo ready; while :; do sleep 0.05; done")
	c.mustStart(request)
	eventually(t, "it is ready", func() bool { return c.status(request.ExecID).EndPosition > 0 })
	signal := func(name string) {
		result, err := ask[protocol.SignalResult](c, protocol.Signal, protocol.SignalRequest{ExecID: request.ExecID, Signal: name})
		if err != nil || result.ProcessGroup < 2 {
			t.Fatalf("%+v %v", result, err)
		}
	}
	signal("SIGUSR1")
	// Not any output: a shell says of its sleep that the signal has killed it, and does so before the trap.
	s.awaitFile("heard")
	signal("SIGINT")
	if got := c.ended(request.ExecID); ending(got.record) != "exited 4 -" || got.stdout.String() != "ready\ngot usr1\ngot int\n" {
		t.Fatalf("%s %q", ending(got.record), got.stdout.String())
	}
	for _, refused := range []protocol.SignalRequest{
		{ExecID: request.ExecID, Signal: "SIGINT"}, {ExecID: newID(), Signal: "SIGINT"}, {ExecID: request.ExecID, Signal: "9"},
	} {
		_, err := ask[protocol.SignalResult](c, protocol.Signal, refused)
		if code := refusedWith(err); code != protocol.CodeNotRunning && code != protocol.CodeUnknownExec && code != protocol.CodeBadRequest {
			t.Fatal(err)
		}
	}
}

func TestAHostOfTheProtocolBeforeIsServedAndOffersNothingNew(t *testing.T) {
	s := newSandbox(t)
	conn, err := net.Dial("unix", s.socket())
	if err != nil {
		t.Fatal(err)
	}
	c := greetWith(t, conn, 1)
	if c.hello.Protocol != 1 {
		t.Fatalf("%+v", c.hello)
	}
	request := shell("echo old; sleep 0.3")
	c.mustStart(request)
	if _, err := c.write(protocol.StdinRequest{ExecID: request.ExecID}); refusedWith(err) != protocol.CodeBadRequest {
		t.Fatal(err)
	}
	if got := c.ended(request.ExecID); got.stdout.String() != "old\n" {
		t.Fatalf("%q", got.stdout.String())
	}
	if newer := s.dial(); newer.hello.Protocol != 2 {
		t.Fatalf("%+v", newer.hello)
	}
}

func TestAnIdleExecIsKeptAliveByItsInput(t *testing.T) {
	c := newSandbox(t).dial()
	request := withInput("cat > /dev/null")
	request.IdleTimeoutMs = 3_000
	c.mustStart(request)
	begin := time.Now()
	for offset := uint64(0); offset < 8; offset++ {
		c.mustWrite(protocol.StdinRequest{ExecID: request.ExecID, Offset: offset, Bytes: []byte("x")}, protocol.StdinApplied, offset+1)
		time.Sleep(500 * time.Millisecond)
	}
	if got := c.ended(request.ExecID); got.record.Reason != protocol.ReasonIdleTimedOut || time.Since(begin) < 6_000*time.Millisecond {
		t.Fatalf("%+v after %v", got.record, time.Since(begin))
	}
}

func TestInputsThatAreOnTheirWayAtOnceAreAppliedInTheirOrder(t *testing.T) {
	c := newSandbox(t).dial()
	request := withInput("cat")
	c.mustStart(request)
	const pieces, pieceBytes, atOnce = 200, 1_000, 4
	var whole bytes.Buffer
	var sent []chan wire.Message
	for at := range pieces {
		if len(sent) == atOnce {
			mustBeApplied(t, c, sent[0])
			sent = sent[1:]
		}
		piece := bytes.Repeat([]byte(fmt.Sprintf("%03d\n", at)), pieceBytes)
		stdin := protocol.StdinRequest{
			ExecID: request.ExecID, Offset: uint64(whole.Len()), Bytes: piece, EOF: at == pieces-1,
		}
		whole.Write(piece)
		_, answers := c.sendBytes(protocol.Stdin, stdin.Encode())
		sent = append(sent, answers)
	}
	for _, answers := range sent {
		mustBeApplied(t, c, answers)
	}
	if got := c.ended(request.ExecID); !bytes.Equal(got.stdout.Bytes(), whole.Bytes()) {
		t.Fatalf("%d bytes came through, other than the %d sent", got.stdout.Len(), whole.Len())
	}
}

func mustBeApplied(t *testing.T, c *client, answers chan wire.Message) {
	t.Helper()
	result, err := answered[protocol.StdinResult](c, answers)
	if err != nil || result.State != protocol.StdinApplied {
		t.Fatalf("%+v %v", result, err)
	}
}
