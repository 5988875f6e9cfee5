package git

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// markFile says which operation has made a clone, so that the same one finds it done.
const markFile = "berth-clone"

func asidePath(request *Request) string {
	return filepath.Join(filepath.Dir(request.Path), ".berth-clone-"+request.Mark)
}

// clone makes it whole beside its place and then puts it there in one step.
func clone(r *repository, request *Request) (Result, error) {
	aside := asidePath(request)
	done, err := isCloned(request)
	if err != nil || done {
		r.path = request.Path
		return cloned(r, err)
	}
	if err := errors.Join(os.RemoveAll(aside), os.MkdirAll(aside, 0o755)); err != nil {
		return Result{}, stopped(Failed, err.Error())
	}
	r.path = aside
	if err := cloneAside(r, request); err != nil {
		return Result{}, errors.Join(err, os.RemoveAll(aside))
	}
	// Replaces an empty folder, and nothing else.
	if err := os.Rename(aside, request.Path); err != nil {
		return Result{}, errors.Join(stopped(Occupied, err.Error()), os.RemoveAll(aside))
	}
	r.path = request.Path
	return cloned(r, nil)
}

func isCloned(request *Request) (bool, error) {
	if mark, err := os.ReadFile(filepath.Join(request.Path, ".git", markFile)); err == nil && string(mark) == request.Mark {
		return true, nil
	}
	entries, err := os.ReadDir(request.Path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil || len(entries) > 0 {
		return false, stopped(Occupied, "There is something at "+request.Path+" already.")
	}
	return false, nil
}

func cloneAside(r *repository, request *Request) error {
	c, err := r.connect(request.Remote, request.URL, false)
	if err != nil {
		return err
	}
	defer c.close()
	arguments := []string{
		"-c", "core.logAllRefUpdates=false", "clone", "--progress", "--no-checkout", "--no-local", "--no-recurse-submodules",
		"--origin", "origin",
	}
	if request.Ref != "" {
		arguments = append(arguments, "--branch", request.Ref)
	}
	if request.Depth > 0 {
		arguments = append(arguments, "--depth", strconv.Itoa(request.Depth))
	}
	if _, err := c.exchange(append(arguments, "--", c.relay.Address(), r.path)...); err != nil {
		if strings.Contains(err.Error(), "not found in upstream") {
			return stopped(Invalid, "The remote has no branch and no tag "+request.Ref+".")
		}
		return c.trouble(err)
	}
	if _, err := r.run("remote", "set-url", "origin", request.URL); err != nil {
		return err
	}
	if err := r.readConfiguration(); err != nil {
		return err
	}
	if _, err := r.run("rev-parse", "--verify", "--quiet", "HEAD"); err == nil {
		if _, err := c.exchange("checkout", "--progress", "--force", "HEAD", "--"); err != nil {
			return because(Failed, err)
		}
	}
	return os.WriteFile(filepath.Join(r.path, ".git", markFile), []byte(request.Mark), 0o644)
}

func cloned(r *repository, err error) (Result, error) {
	if err != nil {
		return Result{}, err
	}
	head, branch := r.head()
	return Result{Outcome: Cloned, Commit: head, Branch: branch}, nil
}

// head is the commit and the branch that are checked out; each empty where there is none.
func (r *repository) head() (commit, branch string) {
	if text, err := r.run("rev-parse", "HEAD", "--symbolic-full-name", "HEAD"); err == nil {
		commit, name, _ := strings.Cut(strings.TrimSpace(text), "\n")
		branch, isBranch := strings.CutPrefix(name, "refs/heads/")
		if !isBranch {
			branch = ""
		}
		return commit, branch
	}
	// A branch without a commit.
	if text, err := r.run("rev-parse", "--verify", "--quiet", "HEAD"); err == nil {
		commit = strings.TrimSpace(text)
	}
	if text, err := r.run("symbolic-ref", "--short", "--quiet", "HEAD"); err == nil {
		branch = strings.TrimSpace(text)
	}
	return commit, branch
}

// discard takes away what a clone has left that will not be gone on with.
func discard(_ *repository, request *Request) (Result, error) {
	if err := os.RemoveAll(asidePath(request)); err != nil {
		return Result{}, err
	}
	return Result{Outcome: Discarded}, nil
}
