package supervisor

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"sync"
	"time"

	"berth.dev/runner/internal/frame"
	"berth.dev/runner/internal/protocol"
	"berth.dev/runner/internal/spool"
)

const (
	syncInterval = time.Second
	// lastWriteLimit is how long the last bytes of an ended exec wait for a full disk.
	lastWriteLimit = 2 * time.Second
)

// spooler takes the output of both pipes in arrival order, holds the command back when the host does not follow, and
// knows what the exit record says about the output.
type spooler struct {
	mutex   sync.Mutex
	changed *sync.Cond
	writer  *spool.Writer
	spool   *spool.Spool

	uncommittedMax uint64
	outputMax      uint64
	outputBytes    uint64
	streams        [2]streamTotals
	lastMicros     uint64
	lastOutput     time.Time
	// held is how many pumps wait for what.
	held map[protocol.Block]int
	// lifted: the tree is gone, so what is left is bounded by the pipes and no longer waits for the host.
	lifted     bool
	giveUpAt   time.Time
	discarding bool
	truncated  bool
	syncArmed  bool
	transient  bool

	// progress and limited have room for one; who is late finds the latest state.
	progress chan struct{}
	limited  chan struct{}
}

type streamTotals struct {
	bytes uint64
	hash  hash.Hash
}

func newSpooler(at *spool.Spool, request *protocol.StartRequest) *spooler {
	s := &spooler{
		writer:         spool.NewWriter(at.ExecFolder(request.ExecID)),
		spool:          at,
		uncommittedMax: protocol.UncommittedBytesDefault,
		outputMax:      uint64(request.OutputBytesMax),
		transient:      request.Transient,
		lastOutput:     time.Now(),
		held:           map[protocol.Block]int{},
		progress:       make(chan struct{}, 1),
		limited:        make(chan struct{}, 1),
	}
	if request.UncommittedBytesMax > 0 {
		s.uncommittedMax = uint64(request.UncommittedBytesMax)
	}
	s.changed = sync.NewCond(&s.mutex)
	for at := range s.streams {
		s.streams[at].hash = sha256.New()
	}
	return s
}

// append spools one read. The frame's payload begins at frame.HeaderBytes of bytes. It waits while the disk is full.
func (s *spooler) append(stream frame.Stream, bytes []byte) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.discarding {
		return
	}
	payload := s.withinOutputMax(bytes[frame.HeaderBytes:])
	if len(payload) == 0 {
		return
	}
	totals := s.totalsOf(stream)
	s.lastMicros = max(s.lastMicros, uint64(time.Now().UnixMicro()))
	header := frame.Header{Stream: stream, PayloadBytes: uint32(len(payload)), Offset: totals.bytes, TimeMicros: s.lastMicros}
	header.Put(bytes)
	if !s.write(bytes[:header.Bytes()]) {
		s.discarding, s.truncated = true, true
		return
	}
	totals.bytes += uint64(len(payload))
	totals.hash.Write(payload)
	s.outputBytes += uint64(len(payload))
	s.lastOutput = time.Now()
	s.armSync()
	wake(s.progress)
}

// totalsOf counts a terminal as standard output: a command has either.
func (s *spooler) totalsOf(stream frame.Stream) *streamTotals {
	if stream == frame.Stderr {
		return &s.streams[1]
	}
	return &s.streams[0]
}

// heard says that the command takes part in something, and so is not idle.
func (s *spooler) heard() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.lastOutput = time.Now()
}

// withinOutputMax cuts what goes beyond the limit and reports the first byte that does.
func (s *spooler) withinOutputMax(payload []byte) []byte {
	if s.outputMax == 0 || s.outputBytes+uint64(len(payload)) <= s.outputMax {
		return payload
	}
	wake(s.limited)
	payload = payload[:s.outputMax-s.outputBytes]
	if len(payload) == 0 {
		s.discarding = true
	}
	return payload
}

func (s *spooler) commit(position uint64) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	// What cannot be deleted now is deleted with the whole spool.
	_ = s.writer.Commit(position)
	s.changed.Broadcast()
	wake(s.progress)
}

// lift lets the rest of the pipes in, whatever the host has committed.
func (s *spooler) lift() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if !s.lifted {
		s.lifted, s.giveUpAt = true, time.Now().Add(lastWriteLimit)
		s.changed.Broadcast()
	}
}

// discard lets output pass without keeping it.
func (s *spooler) discard() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.discarding, s.lifted = true, true
	s.changed.Broadcast()
}

func (s *spooler) position() (first, end uint64, blocked protocol.Block) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.writer.First(), s.writer.End(), s.blocked()
}

// describe fills in what the record says about the output.
func (s *spooler) describe(record *protocol.ExitRecord) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	record.EndPosition = s.writer.End()
	record.StdoutBytes, record.StderrBytes = s.streams[0].bytes, s.streams[1].bytes
	record.StdoutSHA256 = hex.EncodeToString(s.streams[0].hash.Sum(nil))
	record.StderrSHA256 = hex.EncodeToString(s.streams[1].hash.Sum(nil))
	record.OutputTruncated = s.truncated
}

func (s *spooler) armSync() {
	if !s.syncArmed && !s.transient {
		s.syncArmed = true
		time.AfterFunc(syncInterval, func() {
			// What cannot be synced now is tried again with the next output and before the record.
			_ = s.sync()
		})
	}
}

// sync makes what has been appended durable, without holding the writers up.
func (s *spooler) sync() error {
	s.mutex.Lock()
	s.syncArmed = false
	work := s.writer.Unsynced()
	s.mutex.Unlock()
	if work == nil {
		return nil
	}
	return work()
}

func wake(who chan struct{}) {
	select {
	case who <- struct{}{}:
	default:
	}
}
