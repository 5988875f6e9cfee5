// Package spool is the layout of the spool volume: claims, tombstones, segments, exit records. It makes each of them
// durable in the order that the protocol promises, and must never build a path from anything but a checked exec id.
package spool

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"

	"berth.dev/runner/internal/protocol"
)

const (
	folderMode = 0o700
	fileMode   = 0o600
	// textBytesMax bounds what is read back as JSON.
	textBytesMax = 64 << 10
)

type Spool struct {
	root   string
	buried atomic.Int64
}

// Create opens the spool at root for writing and makes its folders.
func Create(root string) (*Spool, error) {
	for _, folder := range []string{root, filepath.Join(root, "execs"), filepath.Join(root, "tombstones")} {
		if err := os.MkdirAll(folder, folderMode); err != nil {
			return nil, err
		}
	}
	return &Spool{root: root}, os.Chmod(root, folderMode)
}

// At opens the spool at root without touching it.
func At(root string) *Spool { return &Spool{root: root} }

func (s *Spool) Root() string       { return s.root }
func (s *Spool) SocketPath() string { return filepath.Join(s.root, "runner.sock") }

func (s *Spool) execsFolder() string { return filepath.Join(s.root, "execs") }

// ExecFolder is the folder of one exec's claim. It asserts the id, because a path is built from it.
func (s *Spool) ExecFolder(execID string) string {
	if !protocol.ValidExecID(execID) {
		panic("exec id was not checked")
	}
	return filepath.Join(s.execsFolder(), execID)
}

// List pages through the claims in the order of their ids.
func (s *Spool) List(
	request protocol.ListRequest, statusOf func(string) (protocol.ExecStatus, error),
) (protocol.ListResult, error) {
	ids, err := s.execIDs(request.After)
	result := protocol.ListResult{Execs: []protocol.ExecStatus{}}
	if err != nil {
		return result, err
	}
	if len(ids) > request.Limit {
		ids = ids[:request.Limit]
		result.Next = ids[len(ids)-1]
	}
	for _, id := range ids {
		status, err := statusOf(id)
		if corrupt(err) {
			// One claim that root in the sandbox has spoiled does not hide the others, and can be forgotten.
			status.State, status.LostReason = protocol.StateLost, protocol.LostRecordUnreadable
		} else if err != nil {
			return result, err
		}
		result.Execs = append(result.Execs, status)
	}
	return result, nil
}

// execIDs lists the claims in order, from the first one after the given id.
func (s *Spool) execIDs(after string) ([]string, error) {
	entries, err := os.ReadDir(s.execsFolder())
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(entries))
	for _, entry := range entries {
		if name := entry.Name(); name > after && protocol.ValidExecID(name) {
			ids = append(ids, name)
		}
	}
	return ids, nil
}

func syncFolder(path string) error {
	return onDisk(func() error {
		folder, err := os.Open(path)
		if err != nil {
			return err
		}
		defer folder.Close()
		return folder.Sync()
	})
}

// readJSON follows no link and reads a bounded amount.
func readJSON(path string, into any) error {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, textBytesMax))
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
