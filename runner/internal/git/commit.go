package git

import (
	"strings"
)

const (
	trailer = "Berth-Operation"
	// searchedMax is how far back a repeated commit looks for itself.
	searchedMax = "1000"
)

// commit records what has changed, once for each mark.
func commit(r *repository, request *Request) (Result, error) {
	if request.Repeated {
		if found, err := r.marked(request.Mark); err != nil || found != "" {
			return committed(r, found, err)
		}
	}
	if err := r.stage(request.Paths); err != nil {
		return Result{}, err
	}
	arguments := []string{
		"commit", "--quiet", "--no-verify", "--no-gpg-sign", "--cleanup=whitespace", "--allow-empty-message",
		"--trailer", trailer + ": " + request.Mark, "--file=-",
	}
	if author := request.Author; author != nil {
		r.overrides = append(r.overrides, "user.name", author.Name, "user.email", author.Email)
	}
	if len(request.Paths) > 0 {
		arguments = append(append(arguments, "--only", "--"), request.Paths...)
	}
	if _, err := r.runWith(strings.NewReader(request.Message), arguments...); err != nil {
		return r.notCommitted(err)
	}
	head, branch := r.head()
	return Result{Outcome: Committed, Commit: head, Branch: branch}, nil
}

func (r *repository) stage(paths []string) error {
	arguments := []string{"add", "--all"}
	if len(paths) > 0 {
		arguments = append(append(arguments, "--"), paths...)
	}
	if _, err := r.run(arguments...); err != nil {
		if code(err) == 0 {
			return err
		}
		return because(Invalid, err)
	}
	return nil
}

// notCommitted tells a tree without changes from what keeps git from committing.
func (r *repository) notCommitted(err error) (Result, error) {
	if code(err) == 0 {
		return Result{}, err
	}
	if _, different := r.run("diff", "--cached", "--quiet", "--no-ext-diff"); different == nil {
		head, branch := r.head()
		return Result{Outcome: NothingToCommit, Commit: head, Branch: branch}, nil
	}
	if strings.Contains(err.Error(), "user.useConfigOnly") || strings.Contains(err.Error(), "tell me who you are") {
		return Result{}, stopped(Invalid, "Nobody is named as the author, neither in the request nor by the repository.")
	}
	if strings.Contains(err.Error(), "nothing to commit") || strings.Contains(err.Error(), "no changes added") {
		head, branch := r.head()
		return Result{Outcome: NothingToCommit, Commit: head, Branch: branch}, nil
	}
	return Result{}, because(Failed, err)
}

// marked is the commit that an earlier attempt has made; empty where it has made none.
func (r *repository) marked(mark string) (string, error) {
	found, err := r.run("log", "--max-count="+searchedMax, "--format=%H %(trailers:key="+trailer+",valueonly,separator=%x2C)", "HEAD", "--")
	if code(err) != 0 {
		// A branch without a commit has none of ours.
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for _, line := range strings.Split(found, "\n") {
		if commit, marks, _ := strings.Cut(line, " "); strings.Contains(","+marks+",", ","+mark+",") {
			return commit, nil
		}
	}
	return "", nil
}

func committed(r *repository, head string, err error) (Result, error) {
	if err != nil {
		return Result{}, err
	}
	_, branch := r.head()
	return Result{Outcome: Committed, Commit: head, Branch: branch}, nil
}
