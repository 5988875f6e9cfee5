package git

import (
	"regexp"
	"strings"
)

const trailer = "Berth-Operation: "

// trailerLine is what each line of a message's last paragraph looks like where that is one of trailers.
var trailerLine = regexp.MustCompile(`^[A-Za-z0-9-]+: `)

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
		"commit", "--quiet", "--no-verify", "--no-gpg-sign", "--cleanup=whitespace", "--allow-empty-message", "--file=-",
	}
	if author := request.Author; author != nil {
		for _, role := range []string{"user", "author", "committer"} {
			r.overrides = append(r.overrides, role+".name", author.Name, role+".email", author.Email)
		}
	}
	if len(request.Paths) > 0 {
		arguments = append(append(arguments, "--only", "--"), request.Paths...)
	}
	if _, err := r.runWith(strings.NewReader(withMark(request.Message, request.Mark)), arguments...); err != nil {
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

// withMark is the message with our trailer in its last paragraph. It is not git that adds it: a repository's configuration
// can make git's trailers run programs, change their value, or leave them out.
func withMark(message, mark string) string {
	lines := strings.Split(strings.TrimRight(message, " \t\r\n"), "\n")
	last := len(lines) - 1
	for last >= 0 && trailerLine.MatchString(lines[last]) {
		last--
	}
	// A subject alone is no paragraph of trailers, whatever it looks like.
	hasTrailers := last > 0 && last < len(lines)-1 && strings.TrimSpace(lines[last]) == ""
	if !hasTrailers {
		lines = append(lines, "")
	}
	return strings.Join(append(lines, trailer+mark), "\n") + "\n"
}

// marked is the commit that an earlier attempt has made; empty where it has made none.
func (r *repository) marked(mark string) (string, error) {
	found, err := r.run("rev-list", "--max-count=1", "--fixed-strings", "--grep="+trailer+mark, "HEAD", "--")
	if code(err) != 0 {
		// A branch without a commit has none of ours.
		return "", nil
	}
	return strings.TrimSpace(found), err
}

func committed(r *repository, head string, err error) (Result, error) {
	if err != nil {
		return Result{}, err
	}
	_, branch := r.head()
	return Result{Outcome: Committed, Commit: head, Branch: branch}, nil
}
