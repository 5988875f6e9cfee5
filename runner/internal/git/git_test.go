package git

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCloneCommitPushOnce(t *testing.T) {
	r := newRemote(t)
	path := r.cloneOf()
	first, _ := ask(t, commitIn(path))
	expect(t, first, Committed)
	again := commitIn(path)
	again.Repeated = true
	write(t, path, "later", "not of this operation\n")
	second, _ := ask(t, again)
	if expect(t, second, Committed).Commit != first.Commit {
		t.Fatalf("a repeated commit made another one: %s and %s", first.Commit, second.Commit)
	}
	pushed, _ := ask(t, r.pushIn(path))
	if expect(t, pushed, Pushed).Commit != first.Commit || pushed.Branch != "main" {
		t.Fatalf("pushed %+v", pushed)
	}
	result, _ := ask(t, r.pushIn(path))
	expect(t, result, AlreadyThere)
	if got := r.subjects(); got != "second\nfirst" {
		t.Fatalf("the remote has %q", got)
	}
	if message := r.git(path, "log", "-1", "--format=%B"); !strings.Contains(message, "Berth-Operation: "+mark) {
		t.Fatalf("the commit has no mark: %q", message)
	}
	if address := r.git(path, "remote", "-v"); strings.Contains(address, "127.0.0.1") && !strings.Contains(address, r.server.URL) {
		t.Fatalf("the remote is %q", address)
	}
}

func TestNothingToCommitIsAResult(t *testing.T) {
	r := newRemote(t)
	path := r.cloneOf()
	result, _ := ask(t, commitIn(path))
	expect(t, result, Committed)
	other := commitIn(path)
	other.Mark = "another"
	result, _ = ask(t, other)
	expect(t, result, NothingToCommit)
	other.Paths = []string{"README"}
	result, _ = ask(t, other)
	expect(t, result, NothingToCommit)
}

func TestCommitOfPathsLeavesTheRest(t *testing.T) {
	r := newRemote(t)
	path := r.cloneOf()
	write(t, path, "other", "2\n")
	request := commitIn(path)
	request.Paths = []string{"other"}
	result, _ := ask(t, request)
	expect(t, result, Committed)
	if files := r.git(path, "show", "--name-only", "--format=", "HEAD"); files != "other" {
		t.Fatalf("committed %q", files)
	}
}

func TestSettlesALostAnswerByALook(t *testing.T) {
	for _, moment := range []string{"before", "within", "after"} {
		t.Run(moment, func(t *testing.T) {
			r := newRemote(t)
			path := r.cloneOf()
			committed, _ := ask(t, commitIn(path))
			expect(t, committed, Committed)
			cuts := 0
			r.cut = func(at string, request *http.Request) bool {
				hit := at == moment && cuts == 0 && strings.HasSuffix(request.URL.Path, "git-receive-pack")
				if hit {
					cuts++
				}
				return hit
			}
			result, _ := ask(t, r.pushIn(path))
			if moment == "before" {
				expect(t, result, Network)
				again := r.pushIn(path)
				again.Repeated = true
				result, _ = ask(t, again)
				expect(t, result, Pushed)
			} else if !expect(t, result, Pushed).Compared {
				t.Fatal("it does not say that it was a look that settled it")
			}
			if got := r.subjects(); cuts != 1 || got != "second\nfirst" {
				t.Fatalf("%d cuts, and the remote has %q", cuts, got)
			}
		})
	}
}

func TestSaysWhyARemoteDidNotTakeIt(t *testing.T) {
	r := newRemote(t)
	path := r.cloneOf()
	result, _ := ask(t, commitIn(path))
	expect(t, result, Committed)

	wrong := r.pushIn(path)
	wrong.Remote.Credential.Secret = "wrong"
	result, _ = ask(t, wrong)
	expect(t, result, AuthFailed)
	other := r.pushIn(path)
	other.Remote.Credential.Host = "github.com"
	result, _ = ask(t, other)
	expect(t, result, AuthFailed)
	refused := r.pushIn(path)
	refused.Remote.AllowedNetworks = nil
	result, _ = ask(t, refused)
	expect(t, result, AddressRefused)
	untrusted := r.pushIn(path)
	untrusted.Remote.Certificates = ""
	result, _ = ask(t, untrusted)
	if !strings.Contains(expect(t, result, Network).Message, "certificate") {
		t.Fatalf("%+v", result)
	}

	hook := filepath.Join(r.folder, "project.git", "hooks", "pre-receive")
	if err := os.WriteFile(hook, []byte("#!/bin/sh\necho no \""+secret+"\" today >&2; exit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	result, _ = ask(t, r.pushIn(path))
	if text := expect(t, result, RemoteRejected).RemoteText; !strings.Contains(text, "no [hidden] today") {
		t.Fatalf("the hook said %q", text)
	}
	if err := os.Remove(hook); err != nil {
		t.Fatal(err)
	}

	r.git(path, "remote", "set-url", "origin", r.address("none.git"))
	result, _ = ask(t, r.pushIn(path))
	expect(t, result, NotFound)
	r.git(path, "remote", "set-url", "origin", r.address("moved.git"))
	result, _ = ask(t, r.pushIn(path))
	if !strings.Contains(expect(t, result, Redirected).Message, "https://elsewhere.test/x.git") {
		t.Fatalf("%+v", result)
	}
	for _, bad := range []string{"ext::sh -c true", "file:///etc", "/etc", "http://127.0.0.1/x", "https://a@b/x", "-u", "git@github.com:a/b"} {
		r.git(path, "config", "remote.origin.url", bad)
		result, _ = ask(t, r.pushIn(path))
		expect(t, result, Invalid)
	}
}

func TestNeverOverwritesWhatItHasNotSeen(t *testing.T) {
	r := newRemote(t)
	path, other := r.cloneOf(), r.cloneOf()
	result, _ := ask(t, commitIn(other))
	expect(t, result, Committed)
	result, _ = ask(t, r.pushIn(other))
	theirs := expect(t, result, Pushed).Commit

	mine := commitIn(path)
	mine.Message = "mine"
	result, _ = ask(t, mine)
	expect(t, result, Committed)
	result, _ = ask(t, r.pushIn(path))
	expect(t, result, RejectedNonFastForward)
	forced := r.pushIn(path)
	forced.Force = true
	result, _ = ask(t, forced)
	expect(t, result, RejectedNonFastForward)
	pulled, _ := ask(t, Request{Action: "pull", Path: path, Remote: r.access()})
	expect(t, pulled, Diverged)
	forced.ExpectedOld = theirs
	result, _ = ask(t, forced)
	expect(t, result, Pushed)
	if got := r.subjects(); got != "mine\nfirst" {
		t.Fatalf("the remote has %q", got)
	}
}

func TestPullsStraightAhead(t *testing.T) {
	r := newRemote(t)
	path, other := r.cloneOf(), r.cloneOf()
	result, _ := ask(t, commitIn(other))
	expect(t, result, Committed)
	result, _ = ask(t, r.pushIn(other))
	expect(t, result, Pushed)
	if err := os.Remove(filepath.Join(path, "new")); err != nil {
		t.Fatal(err)
	}
	pull := Request{Action: "pull", Path: path, Remote: r.access()}
	pulled, _ := ask(t, pull)
	if expect(t, pulled, Updated).Commit != result.Commit {
		t.Fatalf("%+v", pulled)
	}
	pulled, _ = ask(t, pull)
	expect(t, pulled, UpToDate)
}

// TestRunsNothingThatARepositoryNames gives a repository every program that git would run for it.
func TestRunsNothingThatARepositoryNames(t *testing.T) {
	r := newRemote(t)
	path := r.cloneOf()
	ran := filepath.Join(t.TempDir(), "ran")
	script := filepath.Join(t.TempDir(), "script")
	write(t, filepath.Dir(script), "script", "#!/bin/sh\necho \"$0 $*\" >> "+ran+"\nexit 0\n")
	hooks := filepath.Join(path, ".git", "hooks")
	if err := os.MkdirAll(hooks, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, hook := range []string{"pre-commit", "commit-msg", "prepare-commit-msg", "post-commit", "pre-push", "post-checkout", "post-merge", "reference-transaction", "post-index-change"} {
		write(t, hooks, hook, "#!/bin/sh\necho hook "+hook+" >> "+ran+"\n")
	}
	included := filepath.Join(t.TempDir(), "included")
	write(t, filepath.Dir(included), "included", "[filter \"third\"]\n\tclean = "+script+"\n")
	for _, setting := range [][2]string{
		{"core.fsmonitor", script}, {"core.sshCommand", script}, {"core.askPass", script}, {"core.pager", script},
		{"core.editor", script}, {"credential.helper", script}, {"credential.https://github.com.helper", script},
		{"filter.first.clean", script}, {"filter.first.smudge", script}, {"filter.first.required", "true"},
		{"filter.a=b.process", script}, {"diff.external", script}, {"diff.odd.textconv", script}, {"gpg.program", script},
		{"commit.gpgSign", "true"}, {"http.proxy", "http://127.0.0.1:1"}, {"http.sslVerify", "false"},
		{"http.extraHeader", "X: y"}, {"url.ext::" + script + " .insteadOf", "http://127.0.0.1"}, {"core.gitProxy", script},
		{"include.path", included}, {"core.hooksPath", hooks}, {"core.alternateRefsCommand", script},
		{"trailer.x.command", script}, {"trailer.x.ifmissing", "add"}, {"trailer.berth-operation.ifmissing", "doNothing"},
		{"trailer.Berth-Operation.cmd", script}, {"trailer.separators", "#"}, {"grep.patternType", "perl"},
		{"author.name", "Nobody"}, {"committer.email", "nobody@elsewhere.test"},
	} {
		r.git(path, "config", "--add", setting[0], setting[1])
	}
	write(t, path, ".gitattributes", "* filter=first diff=odd\n*.b filter=a=b\n*.c filter=third\n")
	write(t, path, "x.b", "b\n")
	write(t, path, "x.c", "c\n")
	for _, action := range []string{"status", "diff", "branches"} {
		result, _ := ask(t, Request{Action: action, Path: path, Limit: 5})
		expect(t, result, Seen)
	}
	request := commitIn(path)
	request.Author = &Author{"Ada", "ada@example.test"}
	result, _ := ask(t, request)
	expect(t, result, Committed)
	if by := r.git(path, "log", "-1", "--format=%an %ae %cn %ce"); by != "Ada ada@example.test Ada ada@example.test" {
		t.Fatalf("committed by %q", by)
	}
	again := request
	again.Repeated = true
	repeated, _ := ask(t, again)
	if expect(t, repeated, Committed); repeated.Commit != result.Commit {
		t.Fatalf("committed twice: %s and %s", result.Commit, repeated.Commit)
	}
	asked := make(chan string, 100)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) { asked <- request.URL.Path }))
	defer elsewhere.Close()
	r.git(path, "config", "--add", "url."+elsewhere.URL+"/.insteadOf", "http://127.0.0.1")
	r.git(path, "config", "--add", "url."+elsewhere.URL+"/.pushInsteadOf", "http://")
	result, _ = ask(t, r.pushIn(path))
	expect(t, result, Pushed)
	if len(asked) > 0 {
		t.Fatalf("the repository led git to %s", <-asked)
	}
	if text, err := os.ReadFile(ran); err == nil {
		t.Fatalf("these were run:\n%s", text)
	}
}

func TestLeavesNoSecretAndNoHalfClone(t *testing.T) {
	r := newRemote(t)
	place := t.TempDir()
	request := Request{Mark: mark, Action: "clone", Path: filepath.Join(place, "project"), URL: r.address("project.git"), Remote: r.access()}
	r.cut = func(at string, request *http.Request) bool {
		return at == "within" && strings.HasSuffix(request.URL.Path, "git-upload-pack")
	}
	result, _ := ask(t, request)
	expect(t, result, Network)
	if left, err := os.ReadDir(place); err != nil || len(left) != 0 {
		t.Fatalf("left behind: %v %v", left, err)
	}
	r.cut = func(string, *http.Request) bool { return false }
	// As a kill in the middle would leave it.
	write(t, place, "x", "")
	if err := os.MkdirAll(asidePath(&request)+"/.git", 0o755); err != nil {
		t.Fatal(err)
	}
	result, _ = ask(t, request)
	expect(t, result, Cloned)
	request.Repeated = true
	result, _ = ask(t, request)
	expect(t, result, Cloned)
	other := request
	other.Mark = "another"
	result, _ = ask(t, other)
	expect(t, result, Occupied)
	walk(t, place, func(path, text string) {
		if strings.Contains(text, secret) || strings.Contains(text, "127.0.0.1:") && !strings.Contains(text, r.server.URL) {
			t.Errorf("%s holds what it must not", path)
		}
	})
}

func walk(t *testing.T, root string, look func(path, text string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		look(path, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTakesAwayALockThatNobodyHolds(t *testing.T) {
	r := newRemote(t)
	path := r.cloneOf()
	write(t, filepath.Join(path, ".git"), "index.lock", "")
	result, _ := ask(t, commitIn(path))
	if gitLives() {
		t.Skip("another git runs on this machine, so the lock may be anybody's")
	}
	expect(t, result, Committed)
}

func TestLooks(t *testing.T) {
	r := newRemote(t)
	path := r.cloneOf()
	write(t, path, "README", "changed\n")
	result, _ := ask(t, Request{Action: "status", Path: path})
	files := expect(t, result, Seen).Status.Files
	if len(files) != 2 || files[0].Path != "README" || files[0].Tree != "M" || files[1].Path != "new" || result.Status.Branch != "main" {
		t.Fatalf("%+v", result.Status)
	}
	result, _ = ask(t, Request{Action: "diff", Path: path})
	if !strings.Contains(*expect(t, result, Seen).Diff, "+changed") {
		t.Fatalf("%q", *result.Diff)
	}
	result, _ = ask(t, Request{Action: "create", Path: path, Branch: "topic"})
	expect(t, result, Seen)
	result, _ = ask(t, Request{Action: "switch", Path: path, Branch: "topic"})
	expect(t, result, Seen)
	result, _ = ask(t, Request{Action: "branches", Path: path})
	if found := expect(t, result, Seen).Branches; len(found) != 3 || !found[1].Current || found[1].Name != "topic" {
		t.Fatalf("%+v", result.Branches)
	}
	result, _ = ask(t, Request{Action: "log", Path: path, Limit: 5})
	if found := expect(t, result, Seen).Commits; len(found) != 1 || found[0].Subject != "first" || found[0].Author.Name != "a" {
		t.Fatalf("%+v", result.Commits)
	}
	result, _ = ask(t, Request{Action: "status", Path: t.TempDir()})
	expect(t, result, NoRepository)
}
