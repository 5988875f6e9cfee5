package git

import "strings"

// pull brings the checked-out branch to where the remote's is, if that is straight ahead. It merges nothing.
func pull(r *repository, request *Request) (Result, error) {
	before, current := r.head()
	if current == "" {
		return Result{}, stopped(Invalid, "No branch is checked out.")
	}
	branch := request.Branch
	if branch == "" {
		branch = current
	}
	address, err := r.originAddress()
	if err != nil {
		return Result{}, err
	}
	c, err := r.connect(request.Remote, address, false)
	if err != nil {
		return Result{}, err
	}
	defer c.close()
	tracking := "refs/remotes/" + remoteName + "/" + branch
	if _, err := c.exchange("fetch", "--progress", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--",
		c.relay.Address(), "+refs/heads/"+branch+":"+tracking); err != nil {
		if strings.Contains(err.Error(), "couldn't find remote ref") {
			return Result{}, stopped(Invalid, "The remote has no branch "+branch+".")
		}
		return Result{}, c.trouble(err)
	}
	if err := r.requireRoom(tracking); err != nil {
		return Result{}, err
	}
	if _, err := r.run("merge", "--quiet", "--ff-only", "--no-verify-signatures", tracking); err != nil {
		return r.notPulled(err, tracking)
	}
	after, _ := r.head()
	result := Result{Outcome: Updated, Commit: after, Branch: current}
	if after == before && !request.Repeated {
		result.Outcome = UpToDate
	}
	return result, nil
}

func (r *repository) notPulled(err error, tracking string) (Result, error) {
	if code(err) == 0 {
		return Result{}, err
	}
	if _, apart := r.run("merge-base", "--is-ancestor", "HEAD", tracking); code(apart) == 1 {
		return Result{}, stopped(Diverged, "Both sides have commits that the other has not; nothing was merged.")
	}
	return Result{}, because(Failed, err)
}
