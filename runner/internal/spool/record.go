package spool

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"berth.dev/runner/internal/protocol"
)

const (
	recordName      = "exit.json"
	recordDraftName = "exit.json.tmp"
	// recordBytes are set aside while the exec runs, so that a full disk cannot keep its end from being recorded.
	recordBytes = 8 << 10
)

// PrepareRecord sets the blocks of the exit record aside. A filesystem that cannot do that has none set aside.
func PrepareRecord(folder string) error {
	draft, err := os.OpenFile(filepath.Join(folder, recordDraftName), os.O_CREATE|os.O_WRONLY|syscall.O_NOFOLLOW, fileMode)
	if err != nil {
		return err
	}
	err = syscall.Fallocate(int(draft.Fd()), 0, 0, recordBytes)
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) {
		err = nil
	}
	return errors.Join(err, draft.Close())
}

// WriteRecord makes the exit record appear whole, or not at all; and durable, if it is to be.
func WriteRecord(folder string, record *protocol.ExitRecord, durable bool) error {
	text, err := json.Marshal(record)
	if err != nil {
		return err
	}
	draftPath := filepath.Join(folder, recordDraftName)
	draft, err := os.OpenFile(draftPath, os.O_CREATE|os.O_WRONLY|syscall.O_NOFOLLOW, fileMode)
	if err != nil {
		return err
	}
	_, writeErr := draft.WriteAt(text, 0)
	failed := errors.Join(writeErr, draft.Truncate(int64(len(text))))
	if durable {
		failed = errors.Join(failed, draft.Sync())
	}
	if err := errors.Join(failed, draft.Close()); err != nil {
		return err
	}
	if err := os.Rename(draftPath, filepath.Join(folder, recordName)); err != nil || !durable {
		return err
	}
	return syncFolder(folder)
}

// ReadRecord returns nil without an error when there is none, or none that can be read: both mean that nothing is
// known about the end.
func (s *Spool) ReadRecord(execID string) (*protocol.ExitRecord, error) {
	var record protocol.ExitRecord
	err := readJSON(filepath.Join(s.ExecFolder(execID), recordName), &record)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case missing(err) || errors.As(err, &syntax) || errors.As(err, &kind) || spoiled(err):
		return nil, nil
	case err != nil:
		return nil, err
	case record.ExecID != execID || !record.WellFormed():
		return nil, nil
	}
	return &record, nil
}

// spoiled says that something else stands where a file of ours should.
func spoiled(err error) bool {
	return errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR)
}
