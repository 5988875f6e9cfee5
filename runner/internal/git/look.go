package git

import (
	"strconv"
	"strings"
)

const (
	filesMax     = 1_000
	branchesMax  = 1_000
	diffBytesMax = 192 << 10
	bodyBytesMax = 8 << 10
	fieldMark    = "%x1f"
	fieldText    = "\x1f"
)

// Status is what has changed in the working tree, and against the branch that it follows.
type Status struct {
	Branch   string        `json:"branch"`
	Commit   string        `json:"commit"`
	Upstream string        `json:"upstream"`
	Ahead    int           `json:"ahead"`
	Behind   int           `json:"behind"`
	Files    []ChangedFile `json:"files"`
}

// ChangedFile has git's letters for what happened to it: in the index and in the working tree.
type ChangedFile struct {
	Path  string `json:"path"`
	From  string `json:"from,omitempty"`
	Index string `json:"index"`
	Tree  string `json:"tree"`
}

// Commit is one entry of the history.
type Commit struct {
	Commit  string   `json:"commit"`
	Parents []string `json:"parents"`
	Author  Author   `json:"author"`
	At      string   `json:"at"`
	Subject string   `json:"subject"`
	Body    string   `json:"body"`
}

// Branch is a name and where it points.
type Branch struct {
	Name     string `json:"name"`
	Commit   string `json:"commit"`
	Upstream string `json:"upstream,omitempty"`
	Remote   bool   `json:"remote"`
	Current  bool   `json:"current"`
}

func status(r *repository, _ *Request) (Result, error) {
	text, err := r.run("status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all", "--ignore-submodules=all")
	if err != nil {
		return Result{}, because(Failed, err)
	}
	seen := &Status{Files: []ChangedFile{}}
	truncated := len(text) >= outputBytesMax
	entries := strings.Split(text, "\x00")
	for at := 0; at < len(entries); at++ {
		entry := entries[at]
		if header, is := strings.CutPrefix(entry, "# branch."); is {
			seen.note(header)
			continue
		}
		file, known := changedFile(entry)
		if !known {
			continue
		}
		if strings.HasPrefix(entry, "2 ") && at+1 < len(entries) {
			at++
			file.From = entries[at]
		}
		if len(seen.Files) == filesMax {
			truncated = true
			break
		}
		seen.Files = append(seen.Files, file)
	}
	return Result{Outcome: Seen, Status: seen, Truncated: truncated}, nil
}

func (s *Status) note(header string) {
	name, value, _ := strings.Cut(header, " ")
	switch name {
	case "oid":
		s.Commit = strings.TrimPrefix(value, "(initial)")
	case "head":
		s.Branch = strings.TrimPrefix(value, "(detached)")
	case "upstream":
		s.Upstream = value
	case "ab":
		ahead, behind, _ := strings.Cut(value, " ")
		s.Ahead, _ = strconv.Atoi(strings.TrimPrefix(ahead, "+"))
		s.Behind, _ = strconv.Atoi(strings.TrimPrefix(behind, "-"))
	}
}

// changedFile reads one entry: how many fields stand before the path depends on its kind.
func changedFile(entry string) (ChangedFile, bool) {
	before := map[byte]int{'1': 8, '2': 9, 'u': 10, '?': 1}
	if entry == "" || before[entry[0]] == 0 {
		return ChangedFile{}, false
	}
	fields := strings.SplitN(entry, " ", before[entry[0]]+1)
	if len(fields) <= before[entry[0]] {
		return ChangedFile{}, false
	}
	file := ChangedFile{Path: strings.ToValidUTF8(fields[len(fields)-1], "�"), Index: ".", Tree: "?"}
	if entry[0] != '?' && len(fields[1]) == 2 {
		file.Index, file.Tree = fields[1][:1], fields[1][1:]
	}
	return file, true
}

func diff(r *repository, request *Request) (Result, error) {
	arguments := []string{"diff", "--no-ext-diff", "--no-textconv", "--no-color", "--ignore-submodules=all"}
	if request.Staged {
		arguments = append(arguments, "--cached")
	}
	arguments = append(arguments, "--end-of-options")
	for _, revision := range []string{request.From, request.To} {
		if revision != "" {
			arguments = append(arguments, revision)
		}
	}
	text, err := r.run(append(append(arguments, "--"), request.Paths...)...)
	if err != nil {
		return Result{}, because(Invalid, err)
	}
	truncated := len(text) > diffBytesMax
	if truncated {
		text = text[:diffBytesMax]
	}
	text = strings.ToValidUTF8(text, "�")
	return Result{Outcome: Seen, Diff: &text, Truncated: truncated}, nil
}

func history(r *repository, request *Request) (Result, error) {
	format := strings.Join([]string{"%H", "%P", "%an", "%ae", "%cI", "%s", "%b"}, fieldMark)
	from := request.Ref
	if from == "" {
		if head, _ := r.head(); head == "" {
			return Result{Outcome: Seen, Commits: []Commit{}}, nil
		}
		from = "HEAD"
	}
	text, err := r.run("log", "-z", "--no-show-signature", "--no-color", "--format="+format, "--max-count="+strconv.Itoa(request.Limit),
		"--skip="+strconv.Itoa(request.Skip), "--end-of-options", from, "--")
	if err != nil {
		return Result{}, because(Invalid, err)
	}
	commits := []Commit{}
	truncated := len(text) >= outputBytesMax
	for _, entry := range strings.Split(text, "\x00") {
		fields := strings.Split(strings.ToValidUTF8(entry, "�"), fieldText)
		if len(fields) < 7 {
			continue
		}
		body := strings.TrimSpace(fields[6])
		if len(body) > bodyBytesMax {
			body, truncated = strings.ToValidUTF8(body[:bodyBytesMax], ""), true
		}
		commits = append(commits, Commit{
			Commit: fields[0], Parents: strings.Fields(fields[1]), Author: Author{fields[2], fields[3]}, At: fields[4],
			Subject: fields[5], Body: body,
		})
	}
	return Result{Outcome: Seen, Commits: commits, Truncated: truncated}, nil
}

// branches are a page of those that are there, local ones first.
func branches(r *repository, request *Request) (Result, error) {
	format := strings.Join([]string{"%(refname)", "%(objectname)", "%(upstream:short)", "%(HEAD)", "%(symref)"}, fieldMark)
	format = strings.ReplaceAll(format, fieldMark, "%1f")
	most := branchesMax
	if request.Limit > 0 {
		most = min(request.Limit, branchesMax)
	}
	result := Result{Outcome: Seen, Branches: []Branch{}}
	last := request.After
	err := r.scan('\n', func(line string) bool {
		fields := strings.Split(line, fieldText)
		if len(fields) != 5 || fields[4] != "" || fields[0] <= request.After {
			return true
		}
		if len(result.Branches) == most {
			result.Truncated, result.Next = true, last
			return false
		}
		last = fields[0]
		name, local := strings.CutPrefix(fields[0], "refs/heads/")
		if !local {
			name = strings.TrimPrefix(fields[0], "refs/remotes/")
		}
		result.Branches = append(result.Branches, Branch{name, fields[1], fields[2], !local, fields[3] == "*"})
		return true
	}, "for-each-ref", "--format="+format, "refs/heads", "refs/remotes")
	if err != nil {
		return Result{}, because(Failed, err)
	}
	return result, nil
}

// createBranch makes one that is not there; where it points to the same already, it is so.
func createBranch(r *repository, request *Request) (Result, error) {
	from := request.From
	if from == "" {
		from = "HEAD"
	}
	if _, err := r.run("branch", "--no-track", "--end-of-options", request.Branch, from); err != nil && !r.areSame("refs/heads/"+request.Branch, from) {
		return Result{}, because(Invalid, err)
	}
	return Result{Outcome: Seen, Branch: request.Branch}, nil
}

func (r *repository) areSame(one, other string) bool {
	commits := [2]string{}
	for at, name := range []string{one, other} {
		text, err := r.run("rev-parse", "--verify", "--quiet", "--end-of-options", name+"^{commit}")
		if err != nil {
			return false
		}
		commits[at] = strings.TrimSpace(text)
	}
	return commits[0] == commits[1]
}

func switchBranch(r *repository, request *Request) (Result, error) {
	if err := r.requireRoom("refs/heads/" + request.Branch); err != nil {
		return Result{}, err
	}
	if _, err := r.run("switch", "--quiet", "--no-guess", "--no-recurse-submodules", "--end-of-options", request.Branch); err != nil {
		if code(err) == 0 {
			return Result{}, err
		}
		return Result{}, because(Invalid, err)
	}
	head, branch := r.head()
	return Result{Outcome: Seen, Branch: branch, Commit: head}, nil
}
