package protocol

import (
	"errors"
	"fmt"
	"syscall"
)

type Code string

const (
	CodeBadRequest          Code = "bad_request"
	CodeProtocolUnsupported Code = "protocol_unsupported"
	CodeProtocolViolation   Code = "protocol_violation"
	CodeUnknownExec         Code = "unknown_exec"
	CodeStillRunning        Code = "still_running"
	CodePositionTrimmed     Code = "position_trimmed"
	CodePositionInvalid     Code = "position_invalid"
	CodeTooManyFollows      Code = "too_many_follows"
	CodeResourceExhausted   Code = "resource_exhausted"
	CodeDiskFull            Code = "disk_full"
	CodeSpoolCorrupt        Code = "spool_corrupt"
	CodeStopping            Code = "stopping"
	CodeNotRunning          Code = "not_running"
	CodeInputNotOpen        Code = "input_not_open"
	CodeReadOnly            Code = "read_only"
	CodeInternal            Code = "internal"
)

// Error is a refusal with a code from the list above. It ends one request, never the channel.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

func Errorf(code Code, format string, values ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, values...)}
}

// AsError gives any error its code. What the machine lacks is named as such, so that nobody takes it for a
// failure of the command.
func AsError(err error) *Error {
	var typed *Error
	if errors.As(err, &typed) {
		return typed
	}
	return &Error{Code: codeOf(err), Message: err.Error()}
}

func codeOf(err error) Code {
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT} {
		if errors.Is(err, full) {
			return CodeDiskFull
		}
	}
	for _, exhausted := range []error{syscall.EMFILE, syscall.ENFILE, syscall.EAGAIN, syscall.ENOMEM, syscall.ENOBUFS} {
		if errors.Is(err, exhausted) {
			return CodeResourceExhausted
		}
	}
	return CodeInternal
}
