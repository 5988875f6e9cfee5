package spool

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

const reserveBytes = 16 << 20

// KeepReserve sets the reserve aside if it is missing and the disk has room for it. It must not fail a start.
func (s *Spool) KeepReserve() {
	path := s.reservePath()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode)
	if err != nil {
		return
	}
	defer file.Close()
	if err := syscall.Fallocate(int(file.Fd()), 0, 0, reserveBytes); err != nil {
		// The reserve of a filesystem without fallocate, or of a full one, is no reserve.
		_ = os.Remove(path)
	}
}

// FreeReserve gives the reserve to whoever has to finish on a full disk. It says whether there was one.
func (s *Spool) FreeReserve() bool {
	return !errors.Is(os.Remove(s.reservePath()), os.ErrNotExist)
}

func (s *Spool) reservePath() string { return filepath.Join(s.root, "reserve") }
