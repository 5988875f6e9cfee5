package spool

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"syscall"

	"berth.dev/runner/internal/frame"
	"berth.dev/runner/internal/protocol"
)

const walkBufferBytes = 64 << 10

// Reader reads whole frames of one exec, also while its supervisor appends and trims.
type Reader struct {
	folder   string
	file     *os.File
	start    uint64
	position uint64
}

// OpenReader stands at position, which must be a frame boundary within the kept segments and at most end.
func OpenReader(folder string, position, end uint64) (*Reader, error) {
	reader := &Reader{folder: folder, position: position}
	starts, err := segmentStarts(folder)
	if err != nil {
		return nil, err
	}
	at := sort.Search(len(starts), func(at int) bool { return starts[at] > position }) - 1
	if position > end {
		return nil, protocol.Errorf(protocol.CodePositionInvalid, "position %d is beyond the end, %d", position, end)
	}
	if at < 0 {
		if position == end && len(starts) == 0 {
			return reader, nil
		}
		return nil, trimmed(position)
	}
	if err := reader.open(starts[at]); err != nil {
		return nil, err
	}
	if err := reader.checkBoundary(); err != nil {
		return nil, errors.Join(err, reader.Close())
	}
	return reader, nil
}

func (r *Reader) Position() uint64 { return r.position }

func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	file := r.file
	r.file = nil
	return file.Close()
}

// Read fills buffer with as many whole frames below end as fit, but no more than limit bytes. It returns 0 when the
// next frame is larger than the limit or nothing lies below end.
func (r *Reader) Read(buffer []byte, end uint64, limit int64) (int, error) {
	want := min(int64(len(buffer)), limit)
	if r.position >= end || want < frame.HeaderBytes {
		return 0, nil
	}
	want = min(want, int64(end-r.position))
	if r.file == nil {
		if err := r.open(r.position); err != nil {
			return 0, err
		}
	}
	count := 0
	err := onDisk(func() (err error) {
		count, err = r.file.ReadAt(buffer[:want], int64(r.position-r.start))
		return err
	})
	if err != nil && err != io.EOF {
		return 0, err
	}
	if count == 0 {
		// Segments are split between frames, so the next one begins exactly here.
		if err := r.Close(); err != nil {
			return 0, err
		}
		if err := r.open(r.position); err != nil {
			return 0, err
		}
		return r.Read(buffer, end, limit)
	}
	whole, err := frame.WholeBytes(buffer[:count])
	needsMoreCredit := err == nil && want == limit && limit < frame.BytesMax
	if whole == 0 && !needsMoreCredit {
		return 0, protocol.Errorf(protocol.CodeSpoolCorrupt, "no frame at position %d", r.position)
	}
	r.position += uint64(whole)
	return whole, nil
}

func (r *Reader) open(start uint64) error {
	file, err := os.OpenFile(segmentPath(r.folder, start), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if missing(err) {
		return trimmed(start)
	}
	if spoiled(err) {
		return protocol.Errorf(protocol.CodeSpoolCorrupt, "segment %d is not a file", start)
	}
	if err != nil {
		return err
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return errors.Join(protocol.Errorf(protocol.CodeSpoolCorrupt, "segment %d is not a file", start), file.Close())
	}
	r.file, r.start = file, start
	return nil
}

func (r *Reader) checkBoundary() error {
	reached, err := walkFrames(r.file, r.start, r.position)
	if err != nil {
		return err
	}
	if reached != r.position {
		return protocol.Errorf(protocol.CodePositionInvalid, "position %d is not a frame boundary", r.position)
	}
	return nil
}

// walkFrames goes from frame to frame until it reaches or passes position, or no whole frame follows.
func walkFrames(file *os.File, start, position uint64) (uint64, error) {
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	size := info.Size()
	buffered := bufio.NewReaderSize(io.NewSectionReader(file, 0, size), walkBufferBytes)
	reached := start
	for reached < position {
		var bytes [frame.HeaderBytes]byte
		if _, err := io.ReadFull(buffered, bytes[:]); err != nil {
			return reached, endOfWalk(err)
		}
		header, err := frame.Parse(bytes[:])
		if err != nil || int64(reached-start)+int64(header.Bytes()) > size {
			return reached, nil
		}
		if _, err := buffered.Discard(int(header.PayloadBytes)); err != nil {
			return reached, endOfWalk(err)
		}
		reached += uint64(header.Bytes())
	}
	return reached, nil
}

func endOfWalk(err error) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// Bounds finds the oldest kept position and the end of the whole frames in a spool that nobody writes.
func Bounds(folder string) (first, end uint64, err error) {
	starts, err := segmentStarts(folder)
	if err != nil || len(starts) == 0 {
		return 0, 0, err
	}
	first, end = starts[0], starts[0]
	for _, start := range starts {
		if start != end {
			// A gap: what lies behind it does not continue what lies before it.
			return first, end, nil
		}
		reader := &Reader{folder: folder}
		if err := reader.open(start); corrupt(err) {
			// What is no segment ends the output as what is no frame does.
			return first, end, nil
		} else if err != nil {
			return first, end, err
		}
		end, err = walkFrames(reader.file, start, protocol.SafeIntegerMax)
		if err := errors.Join(err, reader.Close()); err != nil {
			return first, end, err
		}
	}
	return first, end, nil
}

func corrupt(err error) bool {
	var refusal *protocol.Error
	return errors.As(err, &refusal) && refusal.Code == protocol.CodeSpoolCorrupt
}

func trimmed(position uint64) error {
	return protocol.Errorf(protocol.CodePositionTrimmed, "position %s is no longer kept", fmt.Sprint(position))
}
