package git

import (
	"bytes"
	"io"
	"regexp"
	"strconv"
	"strings"
)

const lineBytesMax = 4 << 10

var percentage = regexp.MustCompile(`^(?:remote: )?([A-Z][A-Za-z ]{2,40}):\s+(\d{1,3})% `)

// listener passes what git writes on, without its percentages, and tells each line of it.
type listener struct {
	to    io.Writer
	heard func(string)
	line  bytes.Buffer
}

func newListener(to io.Writer, heard func(string)) io.Writer {
	if heard == nil {
		return to
	}
	return &listener{to: to, heard: heard}
}

func (l *listener) Write(piece []byte) (int, error) {
	for _, character := range piece {
		if character != '\r' && character != '\n' {
			if l.line.Len() < lineBytesMax {
				l.line.WriteByte(character)
			}
			continue
		}
		line := l.line.String()
		l.line.Reset()
		if percentage.MatchString(line) {
			l.heard(line)
		} else if strings.TrimSpace(line) != "" {
			l.heard(line)
			_, _ = io.WriteString(l.to, line+"\n")
		}
	}
	return len(piece), nil
}

func progressOf(line string) (Progress, bool) {
	found := percentage.FindStringSubmatch(line)
	if found == nil {
		return Progress{}, false
	}
	percent, err := strconv.Atoi(found[2])
	return Progress{Phase: found[1], Percent: min(percent, 100)}, err == nil
}
