package git

import (
	"errors"
	"strings"

	"berth.dev/runner/internal/relay"
)

const remoteTextBytesMax = 4 << 10

// connection is a repository with the way to its remote open.
type connection struct {
	*repository
	relay   *relay.Relay
	address string
	// remoteText is what hooks of the remote said.
	remoteText strings.Builder
}

func (r *repository) connect(remote *Remote, address string, pushes bool) (*connection, error) {
	opened, err := remote.open(address, pushes, r.bytesMax)
	if err != nil {
		return nil, err
	}
	r.relayed = map[string]string{opened.Address(): address}
	return &connection{repository: r, relay: opened, address: address}, nil
}

func (c *connection) close() { c.relay.Close() }

// exchange is a command of git that speaks with the remote.
func (c *connection) exchange(arguments ...string) (string, error) {
	c.relay.Trouble()
	return c.runOnce(nil, func(line string) {
		if progress, is := progressOf(line); is {
			c.speak.progress(progress)
			return
		}
		if text, is := strings.CutPrefix(line, "remote: "); is && c.remoteText.Len() < remoteTextBytesMax {
			c.remoteText.WriteString(strings.TrimRight(text, " ") + "\n")
		}
	}, arguments...)
}

// trouble is what the relay saw, and otherwise what git says, as the end of the request. A git that could not go on for a
// reason of this side breaks the relay off, too.
func (c *connection) trouble(err error) error {
	var over *stop
	if errors.As(err, &over) {
		return err
	}
	if seen := c.relay.Trouble(); seen != nil {
		return stopped(Outcome(seen.Kind), seen.Message)
	}
	if code(err) == 0 {
		return err
	}
	return because(Failed, err)
}

// tip is the commit that a branch of the remote is at; empty where it is not there.
func (c *connection) tip(branch string) (string, error) {
	listed, err := c.exchange("ls-remote", "--", c.relay.Address(), "refs/heads/"+branch)
	if err != nil {
		return "", c.trouble(err)
	}
	commit, _, _ := strings.Cut(listed, "\t")
	return strings.TrimSpace(commit), nil
}
