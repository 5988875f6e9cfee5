package git

import (
	"strings"
	"time"
)

const (
	remoteName = "origin"
	// compareAttemptsMax looks at a remote whose answer was lost are made before somebody else decides.
	compareAttemptsMax = 5
	comparePause       = 300 * time.Millisecond
)

// push brings a branch to the remote, once: what git and the remote agree on is the commit that the branch was at, so
// nothing that came there meanwhile is lost, and a lost answer is settled by a look.
func push(r *repository, request *Request) (Result, error) {
	branch, local, err := r.branchToPush(request.Branch)
	if err != nil {
		return Result{}, err
	}
	if err := r.requireIn(local, request.Contains); err != nil {
		return Result{}, err
	}
	address, err := r.originAddress()
	if err != nil {
		return Result{}, err
	}
	c, err := r.connect(request.Remote, address, true)
	if err != nil {
		return Result{}, err
	}
	defer c.close()
	arguments := []string{
		"push", "--porcelain", "--progress", "--no-verify", "--no-signed", "--no-follow-tags", "--recurse-submodules=no",
	}
	if request.Force {
		arguments = append(arguments, "--force-with-lease=refs/heads/"+branch+":"+r.expected(branch, request.ExpectedOld))
	}
	said, err := c.exchange(append(arguments, "--", c.relay.Address(), local+":refs/heads/"+branch)...)
	outcome, reason := verdict(said)
	result := Result{Outcome: outcome, Branch: branch, Commit: local, RemoteText: c.remoteText.String()}
	switch outcome {
	case Pushed:
		return result, r.noteRemote(branch, local, request.SetUpstream)
	case AlreadyThere:
		if request.Repeated {
			result.Outcome, result.Compared = Pushed, true
		}
		return result, r.noteRemote(branch, local, request.SetUpstream)
	case RejectedNonFastForward, RemoteRejected:
		result.Message = "The remote did not take the push: " + reason
		return result, nil
	}
	return c.compare(result, request, c.trouble(err))
}

// compare settles a push whose end is not known: the remote has the commit, or it has not.
func (c *connection) compare(result Result, request *Request, trouble error) (Result, error) {
	if over, is := trouble.(*stop); !is || over.result.Outcome != Network {
		return result, trouble
	}
	for attempt := 0; attempt < compareAttemptsMax; attempt++ {
		tip, err := c.tip(result.Branch)
		if err == nil && tip == result.Commit {
			result.Outcome, result.Compared = Pushed, true
			return result, c.noteRemote(result.Branch, result.Commit, request.SetUpstream)
		}
		if err == nil {
			return result, trouble
		}
		time.Sleep(comparePause)
	}
	return result, trouble
}

// verdict reads the line that git writes for the one branch.
func verdict(said string) (Outcome, string) {
	for _, line := range strings.Split(said, "\n") {
		fields := strings.SplitN(line, "\t", 3)
		if len(fields) != 3 || len(fields[0]) != 1 {
			continue
		}
		switch summary := fields[2]; {
		case fields[0] == "=":
			return AlreadyThere, ""
		case fields[0] != "!":
			return Pushed, ""
		case strings.HasPrefix(summary, "[remote rejected]"):
			return RemoteRejected, summary
		case strings.HasPrefix(summary, "[rejected]"):
			return RejectedNonFastForward, summary
		}
	}
	return Failed, ""
}

func (r *repository) branchToPush(asked string) (branch, commit string, err error) {
	head, current := r.head()
	if asked == "" || asked == current {
		if current == "" || head == "" {
			return "", "", stopped(Invalid, "No branch with a commit is checked out: name the branch to push.")
		}
		return current, head, nil
	}
	text, err := r.run("rev-parse", "--verify", "--quiet", "--end-of-options", "refs/heads/"+asked+"^{commit}")
	if err != nil {
		return "", "", stopped(Invalid, "There is no branch "+asked+" in the sandbox.")
	}
	return asked, strings.TrimSpace(text), nil
}

// requireIn refuses a branch that has not the commit which is to be pushed.
func (r *repository) requireIn(tip, commit string) error {
	if commit == "" || commit == tip {
		return nil
	}
	_, err := r.run("merge-base", "--is-ancestor", "--end-of-options", commit, tip)
	if code(err) != 0 {
		return stopped(Invalid, "The branch does not have the commit "+commit+", which is to be pushed: name one that does.")
	}
	return err
}

func (r *repository) originAddress() (string, error) {
	if r.origin == "" {
		return "", stopped(Invalid, "The repository has no remote "+remoteName+".")
	}
	return r.origin, nil
}

// expected is the commit that a forced push may replace, and no other: the one named, or the one last seen there.
func (r *repository) expected(branch, named string) string {
	if named != "" {
		return named
	}
	text, err := r.run("rev-parse", "--verify", "--quiet", "refs/remotes/"+remoteName+"/"+branch)
	if err != nil {
		// The branch must not be there.
		return ""
	}
	return strings.TrimSpace(text)
}

// noteRemote keeps what the remote is known to have, as a push by name would.
func (r *repository) noteRemote(branch, commit string, setUpstream bool) error {
	if _, err := r.run("update-ref", "refs/remotes/"+remoteName+"/"+branch, commit); err != nil {
		return err
	}
	if !setUpstream {
		return nil
	}
	if _, err := r.run("config", "branch."+branch+".remote", remoteName); err != nil {
		return err
	}
	_, err := r.run("config", "branch."+branch+".merge", "refs/heads/"+branch)
	return err
}
