package git

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestAddsItsTrailerToThoseThatAreThere(t *testing.T) {
	for message, want := range map[string]string{
		"":                                       "\n\nBerth-Operation: m\n",
		"Subject\n":                              "Subject\n\nBerth-Operation: m\n",
		"Fix: a subject":                         "Fix: a subject\n\nBerth-Operation: m\n",
		"Subject\n\nBody.\n\n\n":                 "Subject\n\nBody.\n\nBerth-Operation: m\n",
		"Subject\n\nSigned-off-by: A <a@b.test>": "Subject\n\nSigned-off-by: A <a@b.test>\nBerth-Operation: m\n",
		"Subject\n\nSee: this\nand that":         "Subject\n\nSee: this\nand that\n\nBerth-Operation: m\n",
	} {
		if got := withMark(message, "m"); got != want {
			t.Errorf("%q became %q, want %q", message, got, want)
		}
	}
}

func TestPushesNoBranchThatHasNotTheCommit(t *testing.T) {
	r := newRemote(t)
	path := r.cloneOf()
	r.git(path, "switch", "--quiet", "--create", "feature")
	committed, _ := ask(t, commitIn(path))
	expect(t, committed, Committed)
	r.git(path, "switch", "--quiet", "main")
	request := r.pushIn(path)
	request.Contains = committed.Commit
	result, _ := ask(t, request)
	expect(t, result, Invalid)
	request.Branch = "feature"
	result, _ = ask(t, request)
	expect(t, result, Pushed)
}

func TestTakesAwayWhatACloneThatWasGivenUpHasLeft(t *testing.T) {
	r := newRemote(t)
	place := t.TempDir()
	left, stays := filepath.Join(place, asidePrefix+"left"), filepath.Join(place, asidePrefix+"held")
	for _, folder := range []string{left, stays} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, folder, "half", "")
	}
	held, err := os.Open(stays)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := syscall.Flock(int(held.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	result, _ := ask(t, Request{Mark: mark, Action: "clone", Path: filepath.Join(place, "project"), URL: r.address("project.git"), Remote: r.access()})
	expect(t, result, Cloned)
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Fatalf("it is still there: %v", err)
	}
	if _, err := os.Stat(stays); err != nil {
		t.Fatal(err)
	}
}

func TestCreatesABranchTwiceAsOnce(t *testing.T) {
	r := newRemote(t)
	path := r.cloneOf()
	request := Request{Action: "create", Path: path, Branch: "feature"}
	for range 2 {
		result, _ := ask(t, request)
		expect(t, result, Seen)
	}
	if result, _ := ask(t, commitIn(path)); result.Outcome != Committed {
		t.Fatalf("outcome %s", result.Outcome)
	}
	result, _ := ask(t, request)
	expect(t, result, Invalid)
}
