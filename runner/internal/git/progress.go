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

// listener passes what git writes on, without its percentages and without secrets, and tells each line of it.
type listener struct {
	to    io.Writer
	scrub *scrubber
	heard func(string)
	line  bytes.Buffer
}

func (l *listener) Write(piece []byte) (int, error) {
	for _, character := range piece {
		if character != '\r' && character != '\n' {
			if l.line.Len() < lineBytesMax {
				l.line.WriteByte(character)
			}
			continue
		}
		line := l.read()
		if percentage.MatchString(line) {
			l.heard(line)
		} else if strings.TrimSpace(line) != "" {
			l.heard(line)
			_, _ = io.WriteString(l.to, line+"\n")
		}
	}
	return len(piece), nil
}

// read is the line that has ended, or the beginning of a long one.
func (l *listener) read() string {
	defer l.line.Reset()
	return l.scrub.clean(l.line.String(), l.line.Len() == lineBytesMax)
}

func progressOf(line string) (Progress, bool) {
	found := percentage.FindStringSubmatch(line)
	if found == nil {
		return Progress{}, false
	}
	percent, err := strconv.Atoi(found[2])
	return Progress{Phase: found[1], Percent: min(percent, 100)}, err == nil
}
