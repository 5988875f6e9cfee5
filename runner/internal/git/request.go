package git

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"

	"berth.dev/runner/internal/relay"
)

// Request is the one thing that the program is asked for, as JSON on its standard input.
type Request struct {
	// Mark is the id of the operation: it makes its effects known to whoever does the same again.
	Mark string `json:"mark"`
	// Repeated: the same was begun before, and nobody knows how far it came.
	Repeated bool   `json:"repeated"`
	Action   string `json:"action"`
	// Path is absolute, of the working tree.
	Path   string  `json:"path"`
	Remote *Remote `json:"remote"`
	// BytesMax is how much may come from a remote, and how much may be checked out of it.
	BytesMax int64 `json:"bytesMax"`
	// TimeoutMs is how long all of it may take; 0 for as long as this process may live.
	TimeoutMs int64 `json:"timeoutMs"`

	URL         string   `json:"url"`
	Ref         string   `json:"ref"`
	Depth       int      `json:"depth"`
	Message     string   `json:"message"`
	Author      *Author  `json:"author"`
	Paths       []string `json:"paths"`
	Branch      string   `json:"branch"`
	Force       bool     `json:"force"`
	ExpectedOld string   `json:"expectedOld"`
	SetUpstream bool     `json:"setUpstream"`
	// Contains is a commit that the pushed branch must have; empty for any.
	Contains string `json:"contains"`
	From     string `json:"from"`
	To       string `json:"to"`
	Staged   bool   `json:"staged"`
	Limit    int    `json:"limit"`
	Skip     int    `json:"skip"`
	// After is the last name of the page before.
	After string `json:"after"`
	// Of a pull request; its text is the message.
	Title string `json:"title"`
	Base  string `json:"base"`
	Forge string `json:"forge"`
}

// Author is who a commit is by.
type Author struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

// Remote is how remotes may be reached, and with what.
type Remote struct {
	Credential *Credential `json:"credential"`
	// AllowedNetworks are prefixes such as 10.1.0.0/16.
	AllowedNetworks []string `json:"allowedNetworks"`
	Certificates    string   `json:"certificates"`
}

// Credential is for one host, with its port where that is not 443.
type Credential struct {
	Host     string `json:"host"`
	Username string `json:"username"`
	Secret   string `json:"secret"`
}

// Outcome is what came of it. The host decides what follows from each.
type Outcome string

const (
	Cloned          Outcome = "cloned"
	Committed       Outcome = "committed"
	NothingToCommit Outcome = "nothing_to_commit"
	Pushed          Outcome = "pushed"
	AlreadyThere    Outcome = "already_there"
	Updated         Outcome = "updated"
	UpToDate        Outcome = "up_to_date"
	Seen            Outcome = "seen"
	Discarded       Outcome = "discarded"
	Opened          Outcome = "opened"
	Found           Outcome = "already_open"

	RejectedNonFastForward Outcome = "rejected_non_fast_forward"
	RemoteRejected         Outcome = "remote_rejected"
	AuthFailed             Outcome = "auth_failed"
	NotFound               Outcome = "not_found"
	Network                Outcome = "network"
	AddressRefused         Outcome = "address_refused"
	Redirected             Outcome = "redirected"
	Diverged               Outcome = "diverged"
	Busy                   Outcome = "busy"
	Occupied               Outcome = "path_occupied"
	NoRepository           Outcome = "no_repository"
	Invalid                Outcome = "invalid"
	TooLarge               Outcome = "too_large"
	DiskFull               Outcome = "disk_full"
	TimedOut               Outcome = "timed_out"
	Failed                 Outcome = "failed"
)

// Result is the last line that the program writes.
type Result struct {
	Outcome Outcome `json:"outcome"`
	// Message says why it did not come about, in words for a person.
	Message string `json:"message,omitempty"`
	Branch  string `json:"branch,omitempty"`
	Commit  string `json:"commit,omitempty"`
	// Compared: the answer of the remote was lost, and a look at the remote showed that it has the commit.
	Compared bool `json:"compared,omitempty"`
	// RemoteText is what the remote's hooks said.
	RemoteText string `json:"remoteText,omitempty"`
	Truncated  bool   `json:"truncated,omitempty"`
	// Of a pull request.
	Number int    `json:"number,omitempty"`
	URL    string `json:"url,omitempty"`

	Status   *Status  `json:"status,omitempty"`
	Diff     *string  `json:"diff,omitempty"`
	Commits  []Commit `json:"commits,omitempty"`
	Branches []Branch `json:"branches,omitempty"`
	// Next is the name after which the next page begins; empty at the end.
	Next string `json:"next,omitempty"`
}

// stop is a Result on its way up: nothing more is to be done.
type stop struct{ result Result }

func (s *stop) Error() string { return string(s.result.Outcome) + ": " + s.result.Message }

func stopped(outcome Outcome, message string) error {
	return &stop{Result{Outcome: outcome, Message: message}}
}

// because ends the request with what git says, unless it has ended for a better reason already.
func because(outcome Outcome, err error) error {
	var over *stop
	if errors.As(err, &over) {
		return err
	}
	return stopped(outcome, messageOf(err))
}

// parseRemote takes the only kind of address that is ever asked: https, with a host, and nobody's name in it. What a
// configuration file of the repository says goes through here, too.
func parseRemote(text string) (*url.URL, error) {
	for _, character := range text {
		if character <= ' ' || character == 0x7f || character == '\\' {
			return nil, stopped(Invalid, "The address of the remote has a character that no address has.")
		}
	}
	parsed, err := url.Parse(text)
	if err != nil || parsed.Scheme != "https" || parsed.Hostname() == "" || parsed.Opaque != "" {
		return nil, stopped(Invalid, "The address of the remote is not an https address.")
	}
	if parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != "" {
		return nil, stopped(Invalid, "The address of the remote carries a user, a query or a fragment.")
	}
	return parsed, nil
}

// open begins to relay to this address.
func (r *Remote) open(address string, pushes bool, bytesMax int64) (*relay.Relay, error) {
	parsed, err := parseRemote(address)
	if err != nil {
		return nil, err
	}
	options, err := r.options(parsed, pushes)
	if err != nil {
		return nil, err
	}
	options.AnswerBytesMax = bytesMax
	return relay.Open(options)
}

// options are how the remote may be reached. The credential is used only where it is for that very host.
func (r *Remote) options(remote *url.URL, pushes bool) (relay.Options, error) {
	options := relay.Options{Remote: remote, Pushes: pushes}
	if r == nil {
		return options, nil
	}
	options.Certificates = r.Certificates
	for _, text := range r.AllowedNetworks {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return options, errors.New("a configured network cannot be read")
		}
		options.Allowed = append(options.Allowed, prefix)
	}
	if c := r.Credential; c != nil {
		if !strings.EqualFold(hostOf(remote), c.Host) {
			return options, stopped(AuthFailed, "The credential is for "+c.Host+", and the remote is at "+hostOf(remote)+".")
		}
		options.Credential = &relay.Credential{Username: c.Username, Secret: c.Secret}
	}
	return options, nil
}

func hostOf(address *url.URL) string { return strings.TrimSuffix(address.Host, ":443") }
