package session

import (
	"encoding/binary"
	"encoding/json"
	"sync"

	"berth.dev/runner/internal/protocol"
	"berth.dev/runner/internal/spool"
	"berth.dev/runner/internal/wire"
)

// follow is one reader of one exec. Its credit says how many bytes the host can still take.
type follow struct {
	session   *Session
	requestID uint32
	feed      Feed
	from      uint64

	mutex   sync.Mutex
	credit  int64
	widened chan struct{}
	stopped chan struct{}
	stop    sync.Once
}

// dataBuffers are held only while there is something to send, so that an idle follower costs nothing.
var dataBuffers = sync.Pool{New: func() any {
	buffer := make([]byte, protocol.DataBytesMax)
	return &buffer
}}

func (s *Session) startFollow(message wire.Message) error {
	var request protocol.FollowRequest
	if json.Unmarshal(message.Payload, &request) != nil || !protocol.ValidExecID(request.ExecID) ||
		request.Window < protocol.WindowBytesMin || request.Window > protocol.WindowBytesMax {
		return s.refuse(message.RequestID, protocol.Errorf(protocol.CodeBadRequest, "malformed follow"))
	}
	f := &follow{
		session:   s,
		requestID: message.RequestID,
		from:      request.From,
		credit:    request.Window,
		widened:   make(chan struct{}, 1),
		stopped:   make(chan struct{}),
	}
	if !s.addFollow(f) {
		return s.refuse(message.RequestID, protocol.Errorf(protocol.CodeTooManyFollows, "at most %d follows", followsMax))
	}
	s.working.Go(func() {
		defer s.removeFollow(f.requestID)
		err := f.open(request.ExecID)
		if err != nil {
			err = s.refuse(f.requestID, err)
		}
		if err != nil {
			_ = s.conn.Close()
		}
	})
	return nil
}

func (f *follow) open(execID string) error {
	feed, err := f.session.backend.Feed(execID)
	if err != nil {
		return err
	}
	f.feed = feed
	changed := make(chan struct{}, 1)
	defer feed.Watch(changed)()
	view := feed.View()
	reader, err := spool.OpenReader(feed.Folder(), f.from, view.End)
	if err != nil {
		return err
	}
	defer reader.Close()
	bounds := protocol.FollowResult{FirstPosition: view.First, EndPosition: view.End}
	if err := f.session.writer.WriteJSON(protocol.Result, f.requestID, bounds); err != nil {
		return err
	}
	return f.run(reader, changed)
}

// run sends what is there and waits for more, for credit, or for the end. It returns nil when the host has stopped it.
func (f *follow) run(reader *spool.Reader, changed chan struct{}) error {
	for {
		view := f.feed.View()
		if reader.Position() < view.End {
			needsCredit, err := f.send(reader, view.End)
			if err != nil {
				return err
			}
			if needsCredit && !f.wait(f.widened) {
				return nil
			}
			if f.isStopped() {
				return nil
			}
			continue
		}
		switch {
		case view.Record != nil:
			return f.session.writer.WriteJSON(protocol.End, f.requestID, protocol.EndNotice{ExitRecord: view.Record})
		case view.Lost != "":
			notice := protocol.LostNotice{EndPosition: view.End, Reason: view.Lost}
			return f.session.writer.WriteJSON(protocol.Lost, f.requestID, notice)
		case view.Failed != nil:
			return view.Failed
		}
		if !f.wait(changed) {
			return nil
		}
	}
}

// send writes one DATA message with as many whole frames as fit into it and into the credit.
func (f *follow) send(reader *spool.Reader, end uint64) (needsCredit bool, err error) {
	buffer := dataBuffers.Get().(*[]byte)
	defer dataBuffers.Put(buffer)
	position := binary.BigEndian.AppendUint64(nil, reader.Position())
	count, err := reader.Read(*buffer, end, f.currentCredit())
	if err != nil || count == 0 {
		return true, err
	}
	f.addCredit(-int64(count))
	return false, f.session.writer.Write(protocol.Data, f.requestID, position, (*buffer)[:count])
}

// wait is false when the follow has been stopped.
func (f *follow) wait(until <-chan struct{}) bool {
	select {
	case <-until:
		return true
	case <-f.stopped:
		return false
	}
}

func (f *follow) isStopped() bool {
	select {
	case <-f.stopped:
		return true
	default:
		return false
	}
}

func (f *follow) currentCredit() int64 {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.credit
}

func (f *follow) addCredit(bytes int64) int64 {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.credit += bytes
	return f.credit
}
