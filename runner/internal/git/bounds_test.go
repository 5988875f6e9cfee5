package git

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// input is git with something to read.
func (r *remote) input(folder, text string, arguments ...string) string {
	r.t.Helper()
	command := exec.Command("git", arguments...)
	command.Dir = folder
	command.Stdin = strings.NewReader(text)
	output, err := command.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %v: %v\n%s", arguments, err, output)
	}
	return strings.TrimSpace(string(output))
}

// bomb is a repository on the server whose trees name each other ten times each: so many levels of folders, in a few kilobytes.
func (r *remote) bomb(name string, content string, levels int) {
	bare := r.make(name)
	entry := "100644 blob " + r.input(bare, content, "hash-object", "-w", "--stdin")
	for range levels {
		var tree bytes.Buffer
		for at := range 10 {
			fmt.Fprintf(&tree, "%s\tf%d\n", entry, at)
		}
		entry = "040000 tree " + r.input(bare, tree.String(), "mktree")
	}
	tree := strings.TrimPrefix(entry, "040000 tree ")
	commit := r.git(bare, "-c", "user.name=a", "-c", "user.email=a@b", "commit-tree", tree, "-m", "bomb")
	r.git(bare, "update-ref", "refs/heads/main", commit)
}

func (r *remote) cloning(name string) Request {
	path := filepath.Join(r.t.TempDir(), "project")
	return Request{Mark: mark, Action: "clone", Path: path, URL: r.address(name), Remote: r.access(), BytesMax: 1 << 30}
}

func expectNothingBeside(t *testing.T, path string) {
	t.Helper()
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 0 {
		t.Fatalf("left behind: %v %v", left, err)
	}
}

func TestChecksOutNoMoreThanMayBe(t *testing.T) {
	r := newRemote(t)
	r.bomb("files.git", "x", 9)
	r.bomb("bytes.git", strings.Repeat("\x00", 1<<20), 4)
	for name, word := range map[string]string{"files.git": "files", "bytes.git": "bytes"} {
		request := r.cloning(name)
		result, _ := ask(t, request)
		if message := expect(t, result, TooLarge).Message; !strings.Contains(message, word) {
			t.Fatalf("of %s it says %q", name, message)
		}
		expectNothingBeside(t, request.Path)
	}
}

func TestNeitherPullsNorGoesToABranchThatIsTooLarge(t *testing.T) {
	r := newRemote(t)
	path := r.cloneOf()
	before := r.git(path, "rev-parse", "HEAD")
	bare := filepath.Join(r.folder, "project.git")
	large := r.input(bare, strings.Repeat("x", 10_000), "hash-object", "-w", "--stdin")
	tree := r.input(bare, "100644 blob "+large+"\tlarge\n", "mktree")
	next := r.git(bare, "-c", "user.name=a", "-c", "user.email=a@b", "commit-tree", tree, "-p", "main", "-m", "large")
	r.git(bare, "update-ref", "refs/heads/main", next)

	result, _ := ask(t, Request{Action: "pull", Path: path, Remote: r.access(), BytesMax: 9_000})
	expect(t, result, TooLarge)
	if after := r.git(path, "rev-parse", "HEAD"); after != before {
		t.Fatalf("it went from %s to %s", before, after)
	}
	r.git(path, "branch", "large", next)
	result, _ = ask(t, Request{Action: "switch", Path: path, Branch: "large", BytesMax: 9_000})
	expect(t, result, TooLarge)
	result, _ = ask(t, Request{Action: "switch", Path: path, Branch: "none", BytesMax: 9_000})
	expect(t, result, Invalid)
	result, _ = ask(t, Request{Action: "switch", Path: path, Branch: "large", BytesMax: 11_000})
	expect(t, result, Seen)
}

func TestTakesNoMoreFromARemoteThanMayBe(t *testing.T) {
	r := newRemote(t)
	request := r.cloning("project.git")
	request.BytesMax = 400
	result, _ := ask(t, request)
	expect(t, result, TooLarge)
	expectNothingBeside(t, request.Path)
}

// TestEndsInTime has a remote that never answers: the time that a request has is what ends it.
func TestEndsInTime(t *testing.T) {
	r := newRemote(t)
	over := make(chan struct{})
	r.cut = func(at string, request *http.Request) bool {
		if at == "before" && strings.HasSuffix(request.URL.Path, "git-upload-pack") {
			<-over
		}
		return false
	}
	request := r.cloning("project.git")
	request.TimeoutMs = 300
	result, _ := ask(t, request)
	close(over)
	expect(t, result, TimedOut)
	expectNothingBeside(t, request.Path)
	// What was killed is gone in a moment.
	for range 1_000 {
		if !gitLivesIn(filepath.Dir(request.Path)) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if gitLivesIn(filepath.Dir(request.Path)) {
		t.Fatal("a git goes on")
	}
	request.TimeoutMs = 0
	result, _ = ask(t, request)
	expect(t, result, Cloned)
}

// gitLivesIn looks for what still works in a folder.
func gitLivesIn(folder string) bool {
	found, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range found {
		if at, err := os.Readlink(link); err == nil && strings.HasPrefix(at, folder) {
			return true
		}
	}
	return false
}

func TestAFullDiskLeavesNothing(t *testing.T) {
	r := newRemote(t)
	bare := r.make("large.git")
	noise := exec.Command("sh", "-c", "head -c 8000000 /dev/urandom | git hash-object -w --stdin")
	noise.Dir = bare
	blob, err := noise.Output()
	if err != nil {
		t.Fatal(err)
	}
	tree := r.input(bare, "100644 blob "+strings.TrimSpace(string(blob))+"\tlarge\n", "mktree")
	commit := r.git(bare, "-c", "user.name=a", "-c", "user.email=a@b", "commit-tree", tree, "-m", "large")
	r.git(bare, "update-ref", "refs/heads/main", commit)
	small := t.TempDir()
	if err := syscall.Mount("berth", small, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("no small disk can be had here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(small, syscall.MNT_DETACH) })
	request := r.cloning("large.git")
	request.Path = filepath.Join(small, "project")
	result, _ := ask(t, request)
	expect(t, result, DiskFull)
	expectNothingBeside(t, request.Path)
}

func TestManyBranchesComeInPages(t *testing.T) {
	const many = 3_000
	r := newRemote(t)
	bare := filepath.Join(r.folder, "project.git")
	tip := r.git(bare, "rev-parse", "main")
	var packed strings.Builder
	packed.WriteString("# pack-refs with: peeled fully-peeled sorted \n")
	for at := range many {
		fmt.Fprintf(&packed, "%s refs/heads/many/%06d\n", tip, at)
	}
	write(t, bare, "packed-refs", packed.String())
	path := r.cloneOf()
	seen := map[string]bool{}
	pages := 0
	for after := ""; ; pages++ {
		result, _ := ask(t, Request{Action: "branches", Path: path, After: after})
		page := expect(t, result, Seen).Branches
		if len(page) == 0 || len(page) > branchesMax || result.Truncated != (result.Next != "") {
			t.Fatalf("a page of %d, truncated %v, next %q", len(page), result.Truncated, result.Next)
		}
		for _, branch := range page {
			seen[branch.Name] = true
		}
		if after = result.Next; after == "" {
			break
		}
	}
	// With main, here and there.
	if len(seen) != many+2 || pages != many/branchesMax {
		t.Fatalf("%d branches, more pages after %d", len(seen), pages)
	}
	result, _ := ask(t, Request{Action: "branches", Path: path, Limit: 1})
	if len(result.Branches) != 1 || result.Branches[0].Name != "main" || result.Next != "refs/heads/main" {
		t.Fatalf("%+v", result)
	}
}
