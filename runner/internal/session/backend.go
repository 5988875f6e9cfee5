// Package session speaks the channel's protocol on one connection, over whatever answers the requests: the living init
// or a drained spool. The other side may be hostile, so everything that it can make us hold has a limit.
package session

import "berth.dev/runner/internal/protocol"

// Backend answers requests. Its methods may be called from many goroutines.
type Backend interface {
	Hello() protocol.HelloResult
	Start(request *protocol.StartRequest) (protocol.StartResult, error)
	Status(execID string) (protocol.ExecStatus, error)
	List(request protocol.ListRequest) (protocol.ListResult, error)
	Commit(request protocol.CommitRequest) error
	Cancel(request protocol.CancelRequest) (protocol.CancelResult, error)
	Forget(execID string) error
	// WriteStdin is given the request as it came, because another process applies it. It calls handedOn when the next one for
	// this exec may follow.
	WriteStdin(execID string, payload []byte, handedOn func()) (any, error)
	Signal(request protocol.SignalRequest) (any, error)
	Resize(request protocol.ResizeRequest) (any, error)
	Feed(execID string) (Feed, error)
}

// Feed is one exec's output as a follower sees it.
type Feed interface {
	// Folder holds the segments.
	Folder() string
	View() View
	// Watch wakes the channel whenever the view may have changed, until the returned function is called.
	Watch(changed chan<- struct{}) (stop func())
}

// View is how far the output goes, and how it ended if it has.
type View struct {
	First, End uint64
	// At most one of these is set. All empty: it goes on.
	Record *protocol.ExitRecord
	Lost   protocol.LostReason
	Failed error
}
