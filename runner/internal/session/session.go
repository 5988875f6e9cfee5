package session

import (
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"berth.dev/runner/internal/protocol"
	"berth.dev/runner/internal/wire"
)

const (
	requestsMax = 1_024
	followsMax  = 512
	helloLimit  = 10 * time.Second
	idleLimit   = 20 * time.Second
	stallLimit  = 30 * time.Second

	// protocolWithInput brought STDIN, SIGNAL and RESIZE.
	protocolWithInput = 2
)

// Session is one channel.
type Session struct {
	conn    io.ReadWriteCloser
	backend Backend
	// protocol is what both sides speak, from the greeting on.
	protocol int
	reader   *wire.Reader
	writer   *wire.Writer

	requests chan struct{}
	working  sync.WaitGroup
	mutex    sync.Mutex
	follows  map[uint32]*follow
	lastID   uint32
	closed   bool
	inputs   turns
}

// Serve speaks on the connection until it ends, and returns when everything that it started has ended too.
func Serve(conn io.ReadWriteCloser, backend Backend) error {
	s := &Session{
		conn:     conn,
		backend:  backend,
		reader:   wire.NewReader(conn, wire.LengthMax),
		writer:   wire.NewWriter(conn, stallLimit),
		requests: make(chan struct{}, requestsMax),
		follows:  map[uint32]*follow{},
	}
	err := s.serve()
	var refusal *protocol.Error
	if errors.As(err, &refusal) {
		// The connection may be gone already; then there is nobody to tell.
		_ = s.writer.WriteJSON(protocol.Failed, 0, refusal)
	}
	s.stopFollows()
	err = errors.Join(err, conn.Close())
	s.working.Wait()
	return err
}

func (s *Session) serve() error {
	// Closing the connection is what ends a read on every kind of stream.
	idle := time.AfterFunc(helloLimit, func() { _ = s.conn.Close() })
	defer idle.Stop()
	if err := s.greet(); err != nil {
		return err
	}
	for {
		idle.Reset(idleLimit)
		message, err := s.reader.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return asViolation(err)
		}
		if err := s.dispatch(message); err != nil {
			return asViolation(err)
		}
	}
}

func (s *Session) greet() error {
	message, err := s.reader.Read()
	if err != nil {
		return asViolation(err)
	}
	var hello protocol.HelloRequest
	if message.Type != protocol.Hello || json.Unmarshal(message.Payload, &hello) != nil {
		return protocol.Errorf(protocol.CodeProtocolViolation, "the first message is not HELLO")
	}
	result := s.backend.Hello()
	for _, version := range hello.Protocols {
		if version >= protocol.VersionMin && version <= protocol.Version {
			result.Protocol = max(result.Protocol, version)
		}
	}
	if result.Protocol == 0 {
		return protocol.Errorf(protocol.CodeProtocolUnsupported, "this runner speaks protocols %d to %d",
			protocol.VersionMin, protocol.Version)
	}
	s.protocol = result.Protocol
	return s.writer.WriteJSON(protocol.HelloOK, message.RequestID, result)
}

// dispatch answers quick messages itself and lets slow ones run beside. An error ends the channel.
func (s *Session) dispatch(message wire.Message) error {
	switch message.Type {
	case protocol.Ping:
		if len(message.Payload) > protocol.PingBytesMax {
			return wire.ErrProtocol
		}
		return s.writer.Write(protocol.Pong, message.RequestID, message.Payload)
	case protocol.Window:
		return s.widen(message)
	case protocol.Unfollow:
		s.stopFollow(message.RequestID)
		return nil
	}
	if message.RequestID <= s.lastID {
		return protocol.Errorf(protocol.CodeProtocolViolation, "request ids must grow")
	}
	s.lastID = message.RequestID
	if message.Type == protocol.Follow {
		return s.startFollow(message)
	}
	select {
	case s.requests <- struct{}{}:
	default:
		return s.refuse(message.RequestID, protocol.Errorf(protocol.CodeResourceExhausted, "too many requests at once"))
	}
	answer := s.result
	if message.Type == protocol.Stdin {
		answer = s.inTurn(message)
	}
	s.working.Go(func() {
		defer func() { <-s.requests }()
		s.answer(message, answer)
	})
	return nil
}

// answer sends a result or an error. A write that fails ends the connection by itself.
func (s *Session) answer(message wire.Message, resultOf func(wire.Message) (any, error)) {
	result, err := resultOf(message)
	if err != nil {
		err = s.refuse(message.RequestID, err)
	} else {
		err = s.writer.WriteJSON(protocol.Result, message.RequestID, result)
	}
	if err != nil {
		_ = s.conn.Close()
	}
}

func (s *Session) refuse(requestID uint32, err error) error {
	return s.writer.WriteJSON(protocol.Failed, requestID, protocol.AsError(err))
}

func asViolation(err error) error {
	if errors.Is(err, wire.ErrProtocol) {
		return protocol.Errorf(protocol.CodeProtocolViolation, "%v", err)
	}
	return err
}
