package files

import (
	"io"
	"os"
	"os/signal"
	"syscall"
)

var (
	errAsked = &Refusal{Code: CodeCanceled, Message: "The upload was given up."}
	errCut   = &Refusal{Code: CodeCanceled, Message: "The content was cut off."}
)

// contentOf is what comes before the mark. From here on a wish that the program should end is an error of reading, so that
// what lies aside is removed.
func contentOf(in io.Reader, mark string) io.Reader {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	piped, end := io.Pipe()
	go func() {
		<-asked
		end.CloseWithError(errAsked)
	}()
	go func() {
		_, err := io.CopyBuffer(end, struct{ io.Reader }{in}, make([]byte, bufferBytes))
		end.CloseWithError(err)
	}()
	return &marked{in: piped, mark: mark, buffer: make([]byte, bufferBytes)}
}

// marked holds back as many bytes as the mark has. The end of a pipe alone says nothing: it also comes when whoever wrote
// has died.
type marked struct {
	in     io.Reader
	mark   string
	buffer []byte
	from   int
	to     int
}

func (m *marked) Read(p []byte) (int, error) {
	for m.to-m.from <= len(m.mark) {
		if m.from > 0 {
			m.to = copy(m.buffer, m.buffer[m.from:m.to])
			m.from = 0
		}
		n, err := m.in.Read(m.buffer[m.to:])
		m.to += n
		if err == io.EOF && n == 0 {
			return 0, m.end()
		}
		if err != nil && err != io.EOF {
			return 0, err
		}
	}
	n := copy(p, m.buffer[m.from:m.to-len(m.mark)])
	m.from += n
	return n, nil
}

func (m *marked) end() error {
	if string(m.buffer[m.from:m.to]) != m.mark {
		return errCut
	}
	return io.EOF
}
