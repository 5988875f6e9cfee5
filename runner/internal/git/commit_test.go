package git

import "testing"

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
