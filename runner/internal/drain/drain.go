// Package drain answers the channel from a spool alone, for a container that is dead or paused. It opens everything
// read-only and must never change what it finds.
package drain

import (
	"os"

	"berth.dev/runner/internal/protocol"
	"berth.dev/runner/internal/session"
	"berth.dev/runner/internal/spool"
)

type drain struct {
	version string
	spool   *spool.Spool
}

// Run serves standard input and output until the other side closes them.
func Run(version, root string, stream session.Stream) error {
	if _, err := os.Stat(root); err != nil {
		return err
	}
	return session.Serve(stream, &drain{version: version, spool: spool.At(root)})
}

func (d *drain) Hello() protocol.HelloResult {
	return protocol.HelloResult{Version: d.version, Mode: "drain"}
}

func (d *drain) Status(execID string) (protocol.ExecStatus, error) { return d.spool.Status(execID, "") }

func (d *drain) List(request protocol.ListRequest) (protocol.ListResult, error) {
	return d.spool.List(request, d.Status)
}

func (d *drain) Feed(execID string) (session.Feed, error) {
	return session.SpooledFeed(d.spool, execID, "")
}

func (d *drain) Start(*protocol.StartRequest) (protocol.StartResult, error) {
	return protocol.StartResult{}, readOnly()
}

func (d *drain) Commit(protocol.CommitRequest) error { return readOnly() }

func (d *drain) Cancel(protocol.CancelRequest) (protocol.CancelResult, error) {
	return protocol.CancelResult{}, readOnly()
}

func (d *drain) Forget(string) error { return readOnly() }

func (d *drain) WriteStdin(string, []byte, func()) (any, error) { return nil, readOnly() }

func (d *drain) Signal(protocol.SignalRequest) (any, error) { return nil, readOnly() }

func (d *drain) Resize(protocol.ResizeRequest) (any, error) { return nil, readOnly() }

func readOnly() error {
	return protocol.Errorf(protocol.CodeReadOnly, "a drained spool cannot be changed")
}
