// Package files does one thing with one path below the workspace, as the user of the sandbox. No path leads out of the
// workspace, also not over links that change meanwhile; nothing but regular files is ever opened; and whatever is
// written is there as a whole or not at all.
package files

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"

	"berth.dev/runner/internal/archive"
)

const (
	exitDone   = 0
	exitFailed = 1
	// Refused: the first line says why.
	exitRefused = 3
	bufferBytes = 256 << 10
)

// Request is the one argument of the program.
type Request struct {
	Action    string `json:"action"`
	Workspace string `json:"workspace"`
	// Below the workspace; empty is the workspace itself.
	Path string `json:"path"`
	// IfMatch is a tag, or `*` for whatever is there.
	IfMatch string `json:"ifMatch"`
	// IfNone: only where there is nothing yet.
	IfNone bool `json:"ifNone"`
	// Mark ends the content that is taken; content that ends without it was cut off.
	Mark      string `json:"mark"`
	Recursive bool   `json:"recursive"`
	BytesMax  int64  `json:"bytesMax"`
	// EntriesMax limits an archive.
	EntriesMax int64 `json:"entriesMax"`
	// After and Limit are the place in a list and how much of it.
	After string `json:"after"`
	Limit int    `json:"limit"`
	// Unless names the tags of a file that need not be sent again.
	Unless []string `json:"unless"`
	Range  *Range   `json:"range"`
}

// Head is the first line of the answer; what comes after it is content.
type Head struct {
	File    *Entry   `json:"file,omitempty"`
	Entries []Entry  `json:"entries,omitempty"`
	More    bool     `json:"more,omitempty"`
	Part    *Part    `json:"part,omitempty"`
	Refusal *Refusal `json:"refusal,omitempty"`
}

type action func(*workspace, *Request, io.Reader, *answer) error

var actions = map[string]action{
	"read":    read,
	"write":   write,
	"remove":  remove,
	"list":    list,
	"pack":    pack,
	"extract": extract,
}

// answer writes the head once, then content.
type answer struct {
	out      *bufio.Writer
	headSent bool
}

func (a *answer) head(head Head) error {
	a.headSent = true
	line, err := json.Marshal(head)
	if err != nil {
		return err
	}
	_, err = a.out.Write(append(line, '\n'))
	return err
}

// Serve does what its one argument says.
func Serve(arguments []string, in io.Reader, out io.Writer) int {
	a := &answer{out: bufio.NewWriterSize(out, bufferBytes)}
	err := perform(arguments, in, a)
	if err == nil {
		err = a.out.Flush()
	}
	if err == nil {
		return exitDone
	}
	if a.headSent {
		// A part of the content has gone out: only the exit code can still say that it is not the whole.
		_ = a.out.Flush()
		return exitFailed
	}
	if a.head(Head{Refusal: refusalOf(err)}) != nil || a.out.Flush() != nil {
		return exitFailed
	}
	return exitRefused
}

func perform(arguments []string, in io.Reader, a *answer) error {
	if len(arguments) != 1 {
		return errors.New("there is one argument")
	}
	var request Request
	if err := json.Unmarshal([]byte(arguments[0]), &request); err != nil {
		return err
	}
	do, known := actions[request.Action]
	if !known {
		return errors.New("the action is not known")
	}
	w, err := open(request.Workspace)
	if err != nil {
		return err
	}
	defer w.root.Close()
	return do(w, &request, in, a)
}

func limitsOf(request *Request) archive.Limits {
	return archive.Limits{BytesMax: request.BytesMax, EntriesMax: request.EntriesMax}
}
