package acceptance

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"berth.dev/runner/internal/protocol"
)

func TestWhatRootHasSpoiledInTheSpoolIsLostAndHidesNothingElse(t *testing.T) {
	s := newSandbox(t)
	c := s.dial()
	ended := shell("echo ended; exit 2")
	c.mustStart(ended)
	c.ended(ended.ExecID)
	spoilers := map[string]func(folder string) error{
		"a link":        func(folder string) error { return s.replaceSegment(folder, "/etc/passwd") },
		"a missing one": func(folder string) error { return os.Remove(filepath.Join(folder, "seg-0000000000000000")) },
		"no frame": func(folder string) error {
			return os.WriteFile(filepath.Join(folder, "seg-0000000000000000"), make([]byte, 1000), 0o600)
		},
		"a file for the folder": func(folder string) error {
			return errors.Join(os.RemoveAll(folder), os.WriteFile(folder, nil, 0o600))
		},
	}
	spoilers["a forged record"] = func(folder string) error {
		forged := `{"execId":"` + filepath.Base(folder) + `","exitCode":0,"reason":"exited"}`
		return os.WriteFile(filepath.Join(folder, "exit.json"), []byte(forged), 0o600)
	}
	spoiled := map[string]string{}
	for name := range spoilers {
		request := shell("echo running; sleep 300")
		c.mustStart(request)
		c.awaitOutput(request.ExecID)
		spoiled[name] = request.ExecID
	}
	s.kill()
	for name, spoil := range spoilers {
		if err := spoil(filepath.Join(s.spool, "execs", spoiled[name])); err != nil {
			t.Fatal(err)
		}
	}
	s.boot()
	c = s.dial()
	list, err := ask[protocol.ListResult](c, protocol.List, protocol.ListRequest{})
	if err != nil || len(list.Execs) != 1+len(spoiled) {
		t.Fatalf("%+v %v", list, err)
	}
	for _, status := range list.Execs {
		if known := status.ExecID == ended.ExecID; known != (status.State == protocol.StateFinished) {
			t.Fatalf("%+v", status)
		}
	}
	if got := c.ended(ended.ExecID); ending(got.record) != "exited 2 -" || got.stdout.String() != "ended\n" {
		t.Fatalf("%+v", got.record)
	}
	for name, id := range spoiled {
		if got := c.follow(id, 0, nil); got.record != nil || strings.Contains(got.stdout.String(), "root:") {
			t.Fatalf("%s: %+v", name, got)
		}
		if _, err := ask[struct{}](c, protocol.Forget, protocol.ExecRequest{ExecID: id}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

func (s *sandbox) replaceSegment(folder, target string) error {
	segment := filepath.Join(folder, "seg-0000000000000000")
	return errors.Join(os.Remove(segment), os.Symlink(target, segment))
}

func TestASupervisorThatDiesBetweenTheEndAndItsRecordLeavesALostExecWithAllOfItsOutput(t *testing.T) {
	s := newSandbox(t)
	c := s.dial()
	request := shell("echo before; while [ ! -e go ]; do sleep 0.01; done; echo after; exit 0")
	c.mustStart(request)
	c.awaitOutput(request.ExecID)
	supervisor := parentOf(t, s, request.ExecID)
	// Nobody reads this pipe, so the supervisor stops where it opens its record for writing.
	draft := filepath.Join(s.spool, "execs", request.ExecID, "exit.json.tmp")
	eventually(t, "its place is set aside", func() bool { _, err := os.Stat(draft); return err == nil })
	if err := errors.Join(os.Remove(draft), syscall.Mkfifo(draft, 0o600)); err != nil {
		t.Fatal(err)
	}
	followed := make(chan *transcript, 1)
	go func() { followed <- c.follow(request.ExecID, 0, nil) }()
	s.release("go")
	eventually(t, "the command has ended", func() bool { return len(marked(t, request.ExecID)) == 0 })
	if state := c.status(request.ExecID).State; state != protocol.StateRunning {
		t.Fatalf("without a record it is %s", state)
	}
	if err := syscall.Kill(supervisor, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	got := <-followed
	if got.record != nil || got.lost == nil || got.lost.Reason != protocol.LostSupervisorDied || got.stdout.String() != "before\nafter\n" {
		t.Fatalf("%+v %q", got, got.stdout.String())
	}
	s.kill()
	s.boot()
	if got := s.dial().follow(request.ExecID, 0, nil); got.lost == nil || got.stdout.String() != "before\nafter\n" {
		t.Fatalf("after a restart: %+v %q", got, got.stdout.String())
	}
}
