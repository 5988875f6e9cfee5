package supervisor

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"berth.dev/runner/internal/protocol"
	"berth.dev/runner/internal/terminal"
)

const (
	// stdinWaitLimit is how long one request waits for a command that does not read.
	stdinWaitLimit = 3 * time.Second
	// stdinOrdersMax is how many requests may wait for the one that is being applied.
	stdinOrdersMax = 4
	// fastInputBytes in one request make the pipe larger.
	fastInputBytes = 32 << 10
)

// input is the way into a command: its standard input, or its terminal. It knows how much of the input has been handed
// over, so that each byte is handed over once however often it is sent.
type input struct {
	file *os.File
	// terminal: the file is also read, so it stays open, and the end of the input is a character.
	terminal bool
	heard    func()
	orders   chan inputOrder
	fast     bool

	mutex   sync.Mutex
	applied uint64
	eof     bool
	closed  bool
	// writer may be looked at while a request waits.
	writer atomic.Pointer[string]
}

type inputOrder struct {
	requestID uint32
	request   *protocol.StdinRequest
}

func newInput(file *os.File, isTerminal bool, heard func()) *input {
	return &input{file: file, terminal: isTerminal, heard: heard, orders: make(chan inputOrder, stdinOrdersMax)}
}

// openStdin returns the input over a pipe, and the end of it that the command reads.
func openStdin(heard func()) (*input, int, error) {
	var ends [2]int
	if err := syscall.Pipe2(ends[:], syscall.O_CLOEXEC); err != nil {
		return nil, 0, os.NewSyscallError("pipe2", err)
	}
	if err := syscall.SetNonblock(ends[1], true); err != nil {
		return nil, 0, os.NewSyscallError("fcntl", err)
	}
	return newInput(os.NewFile(uintptr(ends[1]), "stdin"), false, heard), ends[0], nil
}

// obey applies the requests in their order until the supervision ends.
func (i *input) obey(answer func(requestID uint32, result protocol.StdinResult)) {
	for order := range i.orders {
		answer(order.requestID, i.apply(order.request))
	}
}

func (i *input) apply(request *protocol.StdinRequest) protocol.StdinResult {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	if request.Take {
		i.writer.Store(&request.Writer)
	}
	if !i.isWriter(request.Writer) {
		return i.result(protocol.StdinTaken)
	}
	end := request.Offset + uint64(len(request.Bytes))
	if request.Offset > i.applied || (request.EOF && end < i.applied) {
		return i.result(protocol.StdinGap)
	}
	if end > i.applied {
		if state := i.write(request.Bytes[i.applied-request.Offset:], stdinWaitLimit); state != protocol.StdinApplied {
			return i.result(state)
		}
	}
	if request.EOF && !i.eof {
		i.end()
	}
	return i.result(protocol.StdinApplied)
}

func (i *input) result(state protocol.StdinState) protocol.StdinResult {
	return protocol.StdinResult{State: state, AppliedTo: i.applied, EOF: i.eof}
}

// write counts what the kernel has taken, also where it does not take all of it. Without a limit it waits for ever.
func (i *input) write(bytes []byte, limit time.Duration) protocol.StdinState {
	if i.eof || i.closed {
		return protocol.StdinClosed
	}
	if len(bytes) >= fastInputBytes && !i.fast && !i.terminal {
		i.fast = true
		// The kernel may refuse, and then the pipe is as it was.
		enlargePipe(i.file)
	}
	deadline := time.Time{}
	if limit > 0 {
		deadline = time.Now().Add(limit)
	}
	// One that is being closed has no deadline, and its write fails.
	_ = i.file.SetWriteDeadline(deadline)
	count, err := i.file.Write(bytes)
	i.applied += uint64(count)
	if count > 0 {
		i.heard()
	}
	switch {
	case err == nil:
		return protocol.StdinApplied
	case os.IsTimeout(err):
		return protocol.StdinFull
	}
	// The command and its descendants have closed their side (EPIPE; of a terminal EIO), or have ended.
	i.closed = true
	return protocol.StdinClosed
}

func (i *input) end() {
	i.eof = true
	if !i.terminal {
		// Whoever reads finds the end; there is nobody to tell if closing fails.
		_ = i.file.Close()
		return
	}
	_ = i.file.SetWriteDeadline(time.Now().Add(stdinWaitLimit))
	if _, err := i.file.Write([]byte{terminal.EndOfInput}); err != nil {
		i.closed = true
	}
}

// feed writes all of an inline input, however long the command takes, and ends it.
func (i *input) feed(bytes []byte) {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	if len(bytes) == 0 || i.write(bytes, 0) == protocol.StdinApplied {
		i.end()
	}
}

// shut ends whatever is being written. A terminal stays open for its reader.
func (i *input) shut() {
	if i.terminal {
		_ = i.file.SetWriteDeadline(time.Now())
		return
	}
	if err := i.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		fail("close the input", err)
	}
}

// writtenBytes waits for a write that shut has ended.
func (i *input) writtenBytes() uint64 {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	return i.applied
}

// isWriter is true for everybody as long as nobody has taken the input.
func (i *input) isWriter(name string) bool {
	writer := i.writer.Load()
	return writer == nil || *writer == name
}

func enlargePipe(pipe *os.File) bool {
	connection, err := pipe.SyscallConn()
	if err != nil {
		return false
	}
	enlarged := false
	_ = connection.Control(func(descriptor uintptr) {
		_, _, errno := syscall.Syscall(syscall.SYS_FCNTL, descriptor, setPipeBytes, readBytesFast)
		enlarged = errno == 0
	})
	return enlarged
}
