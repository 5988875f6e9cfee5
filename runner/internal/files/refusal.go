package files

import (
	"errors"
	"os"
	"syscall"

	"berth.dev/runner/internal/archive"
)

// Code says what a caller may rely on.
type Code string

const (
	CodePath         Code = "path_invalid"
	CodeNotFound     Code = "not_found"
	CodeForbidden    Code = "forbidden"
	CodePrecondition Code = "precondition_failed"
	CodeKind         Code = "invalid_state"
	CodeTooLarge     Code = "payload_too_large"
	CodeArchive      Code = "archive_refused"
	CodeDiskFull     Code = "disk_pressure"
	CodeCanceled     Code = "canceled"
	CodeFailed       Code = "failed"
)

// Refusal is an answer, not a fault of this program.
type Refusal struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

func (r *Refusal) Error() string { return r.Message }

func refused(code Code, message string) error { return &Refusal{Code: code, Message: message} }

var byErrno = map[syscall.Errno]Refusal{
	syscall.ENOENT:       {CodeNotFound, "There is nothing at this path."},
	syscall.ENOTDIR:      {CodeKind, "A part of the path is no folder."},
	syscall.EISDIR:       {CodeKind, "There is a folder at this path."},
	syscall.ENOTEMPTY:    {CodeKind, "The folder is not empty."},
	syscall.EEXIST:       {CodeKind, "There is something at this path."},
	syscall.EACCES:       {CodeForbidden, "The user of the sandbox may not do this."},
	syscall.EPERM:        {CodeForbidden, "The user of the sandbox may not do this."},
	syscall.EROFS:        {CodeForbidden, "This place is read-only."},
	syscall.ENAMETOOLONG: {CodePath, "The path is too long."},
	syscall.ELOOP:        {CodePath, "There are too many links in the path."},
	syscall.ENOSPC:       {CodeDiskFull, "The disk of the sandbox is full."},
	syscall.EDQUOT:       {CodeDiskFull, "The quota of the sandbox is full."},
	syscall.EFBIG:        {CodeTooLarge, "The file is larger than the disk of the sandbox takes."},
}

func refusalOf(err error) *Refusal {
	var known *Refusal
	if errors.As(err, &known) {
		return known
	}
	if of := (*archive.Refusal)(nil); errors.As(err, &of) {
		if of.Code == archive.CodeTooManyBytes || of.Code == archive.CodeTooManyFiles {
			return &Refusal{CodeTooLarge, of.Error()}
		}
		return &Refusal{CodeArchive, of.Error()}
	}
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		if found, isKnown := byErrno[errno]; isKnown {
			return &found
		}
		return &Refusal{CodeFailed, errno.Error()}
	}
	// What os.Root refuses by itself, and not the system, is a path that leads out of it.
	if path := (*os.PathError)(nil); errors.As(err, &path) {
		return &Refusal{CodePath, "The path leads out of the workspace."}
	}
	return &Refusal{CodeFailed, err.Error()}
}
