package supervisor

import (
	"os"
	"syscall"
	"time"

	"berth.dev/runner/internal/frame"
)

const (
	readBytes     = 64 << 10
	readBytesFast = frame.PayloadBytesMax
	// fastReads in a row that fill the buffer make pipe and buffer larger.
	fastReads    = 2
	setPipeBytes = 1031 // F_SETPIPE_SZ
	// heldOpenLimit is how long a pipe may stay open after the whole tree has gone.
	heldOpenLimit = time.Second
	// backgroundDrainLimit is how long output that is already there may take when descendants may stay.
	backgroundDrainLimit = 50 * time.Millisecond
)

// pump moves one pipe, or a terminal, into the spool until its end, or until a deadline that the supervision sets when nobody of
// the tree can write any more.
type pump struct {
	stream  frame.Stream
	pipe    *os.File
	spooler *spooler
	done    chan struct{}
	// heldOpen may be read after done.
	heldOpen bool
}

// openPipe returns a pump on the read end, and the blocking write end for the command.
func openPipe(stream frame.Stream, to *spooler) (*pump, int, error) {
	var ends [2]int
	if err := syscall.Pipe2(ends[:], syscall.O_CLOEXEC); err != nil {
		return nil, 0, os.NewSyscallError("pipe2", err)
	}
	if err := syscall.SetNonblock(ends[0], true); err != nil {
		return nil, 0, os.NewSyscallError("fcntl", err)
	}
	return newPump(stream, os.NewFile(uintptr(ends[0]), "output"), to), ends[1], nil
}

func newPump(stream frame.Stream, from *os.File, to *spooler) *pump {
	return &pump{stream: stream, pipe: from, spooler: to, done: make(chan struct{})}
}

func (p *pump) run() {
	defer close(p.done)
	buffer := make([]byte, frame.HeaderBytes+readBytes)
	full := 0
	for {
		p.spooler.awaitRoom(len(buffer) - frame.HeaderBytes)
		count, err := p.pipe.Read(buffer[frame.HeaderBytes:])
		if count > 0 {
			p.spooler.append(p.stream, buffer[:frame.HeaderBytes+count])
		}
		if err != nil {
			p.heldOpen = os.IsTimeout(err)
			return
		}
		if full = countFull(full, count); full >= fastReads && len(buffer) < frame.HeaderBytes+readBytesFast {
			full = 0
			buffer = p.speedUp(buffer)
		}
	}
}

func countFull(before, count int) int {
	if count < readBytes {
		return 0
	}
	return before + 1
}

// speedUp makes the pipe larger. The kernel may refuse, and then the larger buffer is of no use either.
func (p *pump) speedUp(buffer []byte) []byte {
	if !enlargePipe(p.pipe) {
		return buffer
	}
	return make([]byte, frame.HeaderBytes+readBytesFast)
}

// endWithin gives the pump that long to take what is there.
func (p *pump) endWithin(limit time.Duration) {
	// A pipe that is closed already needs no deadline.
	_ = p.pipe.SetReadDeadline(time.Now().Add(limit))
}

// swallow takes what background processes go on writing, so that they are not killed by SIGPIPE.
func (p *pump) swallow() {
	_ = p.pipe.SetReadDeadline(time.Time{})
	buffer := make([]byte, readBytes)
	for {
		if _, err := p.pipe.Read(buffer); err != nil {
			return
		}
	}
}
