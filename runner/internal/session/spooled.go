package session

import (
	"berth.dev/runner/internal/protocol"
	"berth.dev/runner/internal/spool"
)

// spooledFeed is the output of an exec that nobody supervises any more: it does not change.
type spooledFeed struct {
	folder string
	view   View
}

// SpooledFeed opens the output of an exec from the spool alone.
func SpooledFeed(at *spool.Spool, execID, bootID string) (Feed, error) {
	status, err := at.Status(execID, bootID)
	if err != nil {
		return nil, err
	}
	view := View{First: status.FirstPosition, End: status.EndPosition}
	switch status.State {
	case protocol.StateFinished:
		view.Record = status.ExitRecord
	case protocol.StateLost:
		view.Lost = status.LostReason
	case protocol.StateRunning:
		view.Failed = protocol.Errorf(protocol.CodeStillRunning, "a supervisor is alive that this runner does not know")
	default:
		return nil, protocol.Errorf(protocol.CodeUnknownExec, "there is no output of this exec (%s)", status.State)
	}
	return &spooledFeed{folder: at.ExecFolder(execID), view: view}, nil
}

func (f *spooledFeed) Folder() string               { return f.folder }
func (f *spooledFeed) View() View                   { return f.view }
func (f *spooledFeed) Watch(chan<- struct{}) func() { return func() {} }
