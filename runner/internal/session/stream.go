package session

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// Stream is a connection in two halves, such as standard input and output.
type Stream struct {
	In, Out *os.File
}

// Stdio makes standard input and output a stream whose reads end when it is closed.
func Stdio() (Stream, error) {
	for descriptor := range 2 {
		if err := syscall.SetNonblock(descriptor, true); err != nil {
			return Stream{}, os.NewSyscallError("fcntl", err)
		}
	}
	return Stream{In: os.NewFile(0, "stdin"), Out: os.NewFile(1, "stdout")}, nil
}

func (s Stream) Read(into []byte) (int, error)  { return s.In.Read(into) }
func (s Stream) Write(from []byte) (int, error) { return s.Out.Write(from) }
func (s Stream) Close() error                   { return errors.Join(s.In.Close(), s.Out.Close()) }

var _ io.ReadWriteCloser = Stream{}
