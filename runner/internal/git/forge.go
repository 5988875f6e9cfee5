package git

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"berth.dev/runner/internal/relay"
)

const (
	forgeLimit       = 60 * time.Second
	forgeAnswerBytes = 4 << 20
	gitHub           = "github"
	gitea            = "gitea"
	gitHubHost       = "github.com"
	// forgePagesMax of 50 open pull requests each are looked through.
	forgePagesMax = 40
)

// forge is what differs between the servers that have pull requests.
type forge struct {
	// root is where its API begins, for the host of a repository.
	root func(host string) string
	// list finds the open ones of a branch: the query for it.
	list func(owner, head, base string) string
	// scheme stands before the token.
	scheme string
	accept string
}

var forges = map[string]forge{
	gitHub: {
		root: func(host string) string {
			if host == gitHubHost {
				return "https://api.github.com"
			}
			return "https://" + host + "/api/v3"
		},
		list: func(owner, head, base string) string {
			return url.Values{"state": {"open"}, "head": {owner + ":" + head}, "base": {base}}.Encode()
		},
		scheme: "Bearer ", accept: "application/vnd.github+json",
	},
	gitea: {
		root: func(host string) string { return "https://" + host + "/api/v1" },
		// It cannot be asked for one branch: all that are open are looked through.
		list:   func(_, _, _ string) string { return url.Values{"state": {"open"}, "limit": {"50"}}.Encode() },
		scheme: "token ", accept: "application/json",
	},
}

// pullRequestBody is the part of it that both kinds of forge agree on.
type pullRequestBody struct {
	Number int    `json:"number"`
	URL    string `json:"html_url"`
	Head   struct {
		Ref string `json:"ref"`
		// Repo is where the branch is, which may be a fork.
		Repo struct {
			FullName string `json:"full_name"`
		} `json:"repo"`
	} `json:"head"`
	Base struct {
		Ref string `json:"ref"`
	} `json:"base"`
}

// openPullRequest asks the forge of the remote for one, unless the same is open already.
func openPullRequest(r *repository, request *Request) (Result, error) {
	address, err := r.originAddress()
	if err != nil {
		return Result{}, err
	}
	remote, err := parseRemote(address)
	if err != nil {
		return Result{}, err
	}
	owner, name, found := strings.Cut(strings.TrimSuffix(strings.Trim(remote.Path, "/"), ".git"), "/")
	if !found || strings.Contains(name, "/") {
		return Result{}, stopped(Invalid, "The address of the remote does not name an owner and a repository.")
	}
	kind := request.Forge
	if kind == "" && hostOf(remote) == gitHubHost {
		kind = gitHub
	} else if kind == "" {
		kind = gitea
	}
	speaks, known := forges[kind]
	if !known {
		return Result{}, stopped(Invalid, "Nobody knows how to ask a forge of the kind "+kind+".")
	}
	options, err := request.Remote.options(remote, false)
	if err != nil {
		return Result{}, err
	}
	client, err := relay.NewClient(options)
	if err != nil {
		return Result{}, err
	}
	defer client.CloseIdleConnections()
	head := request.Branch
	if head == "" {
		_, head = r.head()
	}
	call := forgeCall{
		client: client, scrub: r.speak.scrub, forge: speaks, owner: owner, repository: owner + "/" + name, head: head, base: request.Base,
		address: speaks.root(hostOf(remote)) + "/repos/" + url.PathEscape(owner) + "/" + url.PathEscape(name) + "/pulls",
	}
	if options.Credential != nil {
		call.authorization = speaks.scheme + options.Credential.Secret
	}
	return call.open(request)
}

type forgeCall struct {
	client                                                *http.Client
	scrub                                                 *scrubber
	forge                                                 forge
	address, owner, repository, head, base, authorization string
}

// open looks first: asked again after a lost answer there is one already.
func (c *forgeCall) open(request *Request) (Result, error) {
	already, err := c.find()
	if err != nil || already != nil {
		return opened(already, Found, c.head), err
	}
	body, err := json.Marshal(map[string]string{
		"title": request.Title, "body": request.Message, "head": c.head, "base": c.base,
	})
	if err != nil {
		return Result{}, err
	}
	var made pullRequestBody
	status, text, err := c.ask(http.MethodPost, c.address, bytes.NewReader(body), &made)
	if err != nil {
		return Result{}, err
	}
	if status == http.StatusConflict || status == http.StatusUnprocessableEntity {
		// Somebody was quicker, or the forge has a reason.
		if already, err := c.find(); err != nil || already != nil {
			return opened(already, Found, c.head), err
		}
		return Result{}, &stop{Result{Outcome: RemoteRejected, Message: "The forge did not take it.", RemoteText: text}}
	}
	if status != http.StatusCreated {
		return Result{}, c.refusal(status, text)
	}
	return opened(&made, Opened, c.head), nil
}

func (c *forgeCall) find() (*pullRequestBody, error) {
	query := c.address + "?" + c.forge.list(c.owner, c.head, c.base)
	for page := 1; page <= forgePagesMax; page++ {
		var open []pullRequestBody
		status, text, err := c.ask(http.MethodGet, fmt.Sprintf("%s&page=%d", query, page), nil, &open)
		if err != nil {
			return nil, err
		}
		if status != http.StatusOK {
			return nil, c.refusal(status, text)
		}
		for at := range open {
			if c.isOurs(&open[at]) {
				return &open[at], nil
			}
		}
		if len(open) == 0 {
			break
		}
	}
	return nil, nil
}

// isOurs tells one of the same branches from that of a fork, whose branch may have the same name.
func (c *forgeCall) isOurs(open *pullRequestBody) bool {
	return open.Head.Ref == c.head && open.Base.Ref == c.base && strings.EqualFold(open.Head.Repo.FullName, c.repository)
}

// ask reads an answer that says that it went well into value; of any other it returns the beginning, without secrets.
func (c *forgeCall) ask(method, address string, body io.Reader, value any) (int, string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), forgeLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Accept", c.forge.accept)
	request.Header.Set("User-Agent", "berth")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.authorization != "" {
		request.Header.Set("Authorization", c.authorization)
	}
	answer, err := c.client.Do(request)
	if err != nil {
		trouble := relay.TroubleOf(err)
		return 0, "", stopped(Outcome(trouble.Kind), trouble.Message)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, forgeAnswerBytes))
	if err != nil {
		return 0, "", stopped(Network, "The answer of the forge broke off.")
	}
	if answer.StatusCode == http.StatusOK || answer.StatusCode == http.StatusCreated {
		if json.Unmarshal(text, value) != nil {
			return 0, "", stopped(Failed, "The forge answered with something that is no pull request.")
		}
	}
	said := c.scrub.clean(string(text), len(text) == forgeAnswerBytes)
	return answer.StatusCode, said[:min(len(said), messageBytesMax)], nil
}

func (c *forgeCall) refusal(status int, text string) error {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return stopped(AuthFailed, fmt.Sprintf("The forge refused the credential (%d).", status))
	case http.StatusNotFound:
		return stopped(NotFound, "The forge has no such repository, or not for this credential (404).")
	}
	if status >= http.StatusInternalServerError {
		return stopped(Network, fmt.Sprintf("The forge answered %d.", status))
	}
	return &stop{Result{Outcome: RemoteRejected, Message: fmt.Sprintf("The forge answered %d.", status), RemoteText: text}}
}

func opened(one *pullRequestBody, outcome Outcome, branch string) Result {
	if one == nil {
		return Result{}
	}
	return Result{Outcome: outcome, Branch: branch, Number: one.Number, URL: one.URL}
}
