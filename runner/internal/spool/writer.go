package spool

import (
	"errors"
	"os"
	"syscall"
)

// Writer appends frames to the segments of one exec. It is not safe for concurrent use, except that what Unsynced
// returns may be synced while the writer goes on.
type Writer struct {
	folder    string
	file      *os.File
	fileStart uint64
	end       uint64
	committed uint64
	// starts are those of the kept segments, ascending; the last one is the open file's.
	starts []uint64
	// retired are full segments that have not been synced yet, by start.
	retired map[uint64]*os.File
	dirty   bool
	created bool
}

func NewWriter(folder string) *Writer {
	return &Writer{folder: folder, retired: map[uint64]*os.File{}}
}

func (w *Writer) End() uint64         { return w.end }
func (w *Writer) Uncommitted() uint64 { return w.end - w.committed }

// First is the oldest position that is still kept.
func (w *Writer) First() uint64 {
	if len(w.starts) == 0 {
		return w.end
	}
	return w.starts[0]
}

// Append writes one whole frame. After an error nothing counts as written, and the same frame may be appended again:
// it goes to the same place.
func (w *Writer) Append(frame []byte) error {
	if w.file == nil || w.end-w.fileStart >= segmentBytes {
		if err := w.roll(); err != nil {
			return err
		}
	}
	if _, err := w.file.WriteAt(frame, int64(w.end-w.fileStart)); err != nil {
		return err
	}
	w.end += uint64(len(frame))
	w.dirty = true
	return nil
}

func (w *Writer) roll() error {
	flags := os.O_CREATE | os.O_EXCL | os.O_WRONLY
	file, err := os.OpenFile(segmentPath(w.folder, w.end), flags, fileMode)
	if err != nil {
		return err
	}
	if w.file != nil {
		w.retired[w.fileStart] = w.file
	}
	w.file, w.fileStart, w.created = file, w.end, true
	w.starts = append(w.starts, w.end)
	return nil
}

// Commit deletes the segments that lie wholly below position. Positions below an earlier one change nothing.
func (w *Writer) Commit(position uint64) error {
	if position <= w.committed || position > w.end {
		return nil
	}
	w.committed = position
	for len(w.starts) > 1 && w.starts[1] <= position {
		start := w.starts[0]
		if file := w.retired[start]; file != nil {
			delete(w.retired, start)
			_ = file.Close()
		}
		if err := os.Remove(segmentPath(w.folder, start)); err != nil && !missing(err) {
			return err
		}
		w.starts = w.starts[1:]
	}
	return nil
}

// Unsynced returns the work that makes everything appended so far durable, or nil if there is none.
func (w *Writer) Unsynced() func() error {
	if !w.dirty && len(w.retired) == 0 {
		return nil
	}
	retired, current, created := w.retired, w.file, w.created
	w.retired, w.dirty, w.created = map[uint64]*os.File{}, false, false
	return func() error {
		var failed error
		for _, file := range retired {
			failed = errors.Join(failed, syncData(file), file.Close())
		}
		failed = errors.Join(failed, syncData(current))
		if created {
			failed = errors.Join(failed, syncFolder(w.folder))
		}
		return failed
	}
}

func (w *Writer) Close() error {
	var failed error
	for _, file := range w.retired {
		failed = errors.Join(failed, file.Close())
	}
	if w.file != nil {
		failed = errors.Join(failed, w.file.Close())
	}
	return failed
}

// syncData is fdatasync. A segment that was trimmed or closed in the meantime needs none.
func syncData(file *os.File) error {
	connection, err := file.SyscallConn()
	if err != nil {
		return nil
	}
	var syncErr error
	err = connection.Control(func(descriptor uintptr) {
		for {
			if syncErr = syscall.Fdatasync(int(descriptor)); !errors.Is(syncErr, syscall.EINTR) {
				return
			}
		}
	})
	if err != nil {
		return nil
	}
	return syncErr
}
