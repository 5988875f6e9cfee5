package spool

import (
	"errors"
	"os"
	"path/filepath"
	"sort"
	"syscall"
	"time"

	"berth.dev/runner/internal/protocol"
)

const (
	tombstonesMax = 10_000
	// tombstonesSlack is how many more there may be before the oldest are cleared away in one go.
	tombstonesSlack = 500
)

// Bury leaves a tombstone that says why the exec never starts again. An earlier one stays as it is, except that a
// canceled exec may become a forgotten one.
func (s *Spool) Bury(execID string, state protocol.State) error {
	err := s.writeTombstone(execID, state)
	if errors.Is(err, syscall.ENOSPC) {
		s.FreeReserve()
		err = s.writeTombstone(execID, state)
	}
	if err == nil && s.buried.Add(1)%tombstonesSlack == 0 {
		err = s.ClearTombstones()
	}
	return err
}

func (s *Spool) writeTombstone(execID string, state protocol.State) error {
	flags := os.O_CREATE | os.O_WRONLY | os.O_TRUNC | syscall.O_NOFOLLOW
	if state == protocol.StateCanceled {
		flags |= os.O_EXCL
	}
	file, err := os.OpenFile(s.tombstonePath(execID), flags, fileMode)
	if errors.Is(err, syscall.EEXIST) {
		return nil
	}
	if err != nil {
		return err
	}
	_, writeErr := file.WriteString(string(state))
	return errors.Join(writeErr, onDisk(file.Sync), file.Close(), syncFolder(s.tombstonesFolder()))
}

// Buried returns canceled or forgotten, or an empty state. A tombstone that a power cut left empty counts as
// canceled: it was written before anything could start.
func (s *Spool) Buried(execID string) (protocol.State, error) {
	text, err := os.ReadFile(s.tombstonePath(execID))
	switch {
	case missing(err):
		return "", nil
	case err != nil:
		return "", err
	case protocol.State(text) == protocol.StateForgotten:
		return protocol.StateForgotten, nil
	}
	return protocol.StateCanceled, nil
}

// ClearTombstones removes the oldest ones beyond the limit.
func (s *Spool) ClearTombstones() error {
	entries, err := os.ReadDir(s.tombstonesFolder())
	if err != nil || len(entries) <= tombstonesMax+tombstonesSlack {
		return err
	}
	type aged struct {
		name string
		at   time.Time
	}
	all := make([]aged, 0, len(entries))
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil {
			all = append(all, aged{entry.Name(), info.ModTime()})
		}
	}
	sort.Slice(all, func(a, b int) bool { return all[a].at.Before(all[b].at) })
	var failed error
	for _, old := range all[:max(0, len(all)-tombstonesMax)] {
		failed = errors.Join(failed, os.Remove(filepath.Join(s.tombstonesFolder(), old.name)))
	}
	return failed
}

// Forget deletes the spool of an ended exec behind a tombstone. The record goes with the folder; cut off in between,
// the rest is deleted when it is forgotten again. Nobody asks for a transient one again, so it needs no tombstone.
func (s *Spool) Forget(execID string) error {
	if claim, err := s.ReadClaim(execID); err != nil || !claim.Transient {
		if err := s.Bury(execID, protocol.StateForgotten); err != nil {
			return err
		}
	}
	return onDisk(func() error { return os.RemoveAll(s.ExecFolder(execID)) })
}

func (s *Spool) tombstonesFolder() string { return filepath.Join(s.root, "tombstones") }

func (s *Spool) tombstonePath(execID string) string {
	if !protocol.ValidExecID(execID) {
		panic("exec id was not checked")
	}
	return filepath.Join(s.tombstonesFolder(), execID)
}
