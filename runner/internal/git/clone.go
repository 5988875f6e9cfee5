package git

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// markFile says which operation has made a clone, so that the same one finds it done.
const markFile = "berth-clone"

const asidePrefix = ".berth-clone-"

func asidePath(request *Request) string {
	return filepath.Join(filepath.Dir(request.Path), asidePrefix+request.Mark)
}

// clone makes it whole beside its place and then puts it there in one step.
func clone(r *repository, request *Request) (Result, error) {
	aside := asidePath(request)
	done, err := isCloned(request)
	if err != nil || done {
		r.path = request.Path
		return cloned(r, err)
	}
	held, err := makeAside(aside)
	if err != nil {
		return Result{}, stopped(Failed, err.Error())
	}
	defer held.Close()
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

// makeAside makes the folder of a clone anew and holds it for as long as this process lives. What lies beside it and is
// held by nobody is of clones that were given up while nothing could run here.
func makeAside(aside string) (*os.File, error) {
	if err := os.MkdirAll(aside, 0o755); err != nil {
		return nil, err
	}
	if err := sweepAside(filepath.Dir(aside)); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(aside, 0o755); err != nil {
		return nil, err
	}
	held, err := os.Open(aside)
	if err != nil {
		return nil, err
	}
	return held, syscall.Flock(int(held.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

func sweepAside(parent string) error {
	folder, err := os.Open(parent)
	if err != nil {
		return err
	}
	names, err := folder.Readdirnames(-1)
	err = errors.Join(err, folder.Close())
	for _, name := range names {
		if !strings.HasPrefix(name, asidePrefix) {
			continue
		}
		path := filepath.Join(parent, name)
		left, openErr := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
		if openErr != nil {
			// A command may have put anything there; what is no folder of ours stays.
			continue
		}
		if syscall.Flock(int(left.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			err = errors.Join(err, os.RemoveAll(path))
		}
		err = errors.Join(err, left.Close())
	}
	return err
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
		if err := r.requireRoom("HEAD"); err != nil {
			return err
		}
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
