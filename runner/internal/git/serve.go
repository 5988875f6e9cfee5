// Package git does one thing with one repository and says what came of it. It runs as the user of the sandbox, beside
// whatever that user has set up: so it turns off what a repository could make git run, gives git nothing secret, and
// leaves nothing that looks whole and is not. It must never decide whether something is tried again.
package git

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"

	"berth.dev/runner/internal/process"
	"berth.dev/runner/internal/protocol"
)

const (
	requestBytesMax = protocol.StdinInlineBytesMax
	progressPause   = 200 * time.Millisecond
)

type event struct {
	Progress *Progress `json:"progress,omitempty"`
	Result   *Result   `json:"result,omitempty"`
}

// Progress is git's own percentage.
type Progress struct {
	Phase   string `json:"phase"`
	Percent int    `json:"percent"`
}

// speaker writes one event a line, without anything secret.
type speaker struct {
	mutex  sync.Mutex
	out    *json.Encoder
	scrub  *scrubber
	last   Progress
	lastAt time.Time
}

func (s *speaker) progress(next Progress) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	isNews := next.Phase != s.last.Phase || next.Percent == 100 || time.Since(s.lastAt) >= progressPause
	if next == s.last || !isNews {
		return
	}
	s.last, s.lastAt = next, time.Now()
	// Nobody who reads it is no reason to stop.
	_ = s.out.Encode(event{Progress: &next})
}

func (s *speaker) result(result Result) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	result.Message = s.scrub.clean(result.Message, false)
	result.RemoteText = s.scrub.clean(result.RemoteText, false)
	return s.out.Encode(event{Result: &result})
}

type action func(*repository, *Request) (Result, error)

var actions = map[string]action{
	"clone":    clone,
	"discard":  discard,
	"commit":   commit,
	"push":     push,
	"pull":     pull,
	"status":   status,
	"diff":     diff,
	"log":      history,
	"branches": branches,
	"create":   createBranch,
	"switch":   switchBranch,
	"open":     openPullRequest,
}

// Serve reads the request, does it and writes its result.
func Serve(in io.Reader, out io.Writer) error {
	// The file of this program may not be read by the user of the sandbox, which shields the process from the start on;
	// this is for where it may.
	if err := process.Shield(); err != nil {
		return fmt.Errorf("shield: %w", err)
	}
	var request Request
	if err := json.NewDecoder(io.LimitReader(in, requestBytesMax)).Decode(&request); err != nil {
		return errors.New("the request cannot be read")
	}
	scrub := &scrubber{}
	if request.Remote != nil && request.Remote.Credential != nil {
		scrub.hide(request.Remote.Credential)
	}
	speak := &speaker{out: json.NewEncoder(out), scrub: scrub}
	result, err := perform(&request, speak)
	var over *stop
	if errors.As(err, &over) {
		result, err = over.result, nil
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		result, err = Result{Outcome: DiskFull, Message: "The disk of the sandbox is full."}, nil
	}
	if err != nil {
		result = Result{Outcome: Failed, Message: err.Error()}
	}
	return speak.result(result)
}

func perform(request *Request, speak *speaker) (Result, error) {
	do, known := actions[request.Action]
	if !known {
		return Result{}, errors.New("the action is not known")
	}
	inTime, end := limitOf(request)
	defer end()
	r := &repository{path: request.Path, speak: speak, inTime: inTime, bytesMax: request.BytesMax}
	if request.Action == "clone" || request.Action == "discard" {
		return do(r, request)
	}
	if err := r.enter(); err != nil {
		return Result{}, err
	}
	return do(r, request)
}

func limitOf(request *Request) (context.Context, context.CancelFunc) {
	if request.TimeoutMs <= 0 {
		return context.WithCancel(context.Background())
	}
	return context.WithTimeout(context.Background(), time.Duration(request.TimeoutMs)*time.Millisecond)
}
