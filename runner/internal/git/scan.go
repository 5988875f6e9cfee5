package git

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	entryBytesMax = 64 << 10
	// treeEntriesMax is as many as an archive may have.
	treeEntriesMax = 1_000_000
)

var errEnough = errors.New("no more is wanted")

// scanner hears each entry of what git prints, however much that is, until it has heard enough. Of an entry that is
// longer than any should be it has the beginning.
type scanner struct {
	separator byte
	each      func(string) bool
	entry     []byte
	enough    bool
}

func (s *scanner) Write(piece []byte) (int, error) {
	for rest := piece; len(rest) > 0; {
		entry, after, whole := bytes.Cut(rest, []byte{s.separator})
		s.entry = append(s.entry, entry[:min(len(entry), entryBytesMax-len(s.entry))]...)
		if !whole {
			break
		}
		rest = after
		if !s.each(string(s.entry)) {
			s.enough = true
			// Whoever prints on finds its pipe closed, and ends.
			return 0, errEnough
		}
		s.entry = s.entry[:0]
	}
	return len(piece), nil
}

// scan runs git and hears what it prints entry by entry. It ends git once each returns false.
func (r *repository) scan(separator byte, each func(string) bool, arguments ...string) error {
	to := &scanner{separator: separator, each: each}
	err := r.runTo(to, nil, nil, arguments...)
	if to.enough {
		return nil
	}
	return err
}

// requireRoom adds up what a checkout of a commit would write, before it writes anything: a few kilobytes of a pack can
// name the same content a million times.
func (r *repository) requireRoom(commit string) error {
	if r.bytesMax <= 0 {
		return nil
	}
	var total int64
	entries := 0
	err := r.scan(0, func(entry string) bool {
		// Mode, type, id and size, before the name.
		about, _, _ := strings.Cut(entry, "\t")
		if fields := strings.Fields(about); len(fields) == 4 {
			size, _ := strconv.ParseInt(fields[3], 10, 64)
			total += size
		}
		entries++
		return total <= r.bytesMax && entries <= treeEntriesMax
	}, "ls-tree", "-r", "-l", "-z", "--full-tree", commit)
	switch {
	case err != nil:
		return because(Invalid, err)
	case total > r.bytesMax:
		return stopped(TooLarge, fmt.Sprintf("Checked out it would have more than %d bytes.", r.bytesMax))
	case entries > treeEntriesMax:
		return stopped(TooLarge, fmt.Sprintf("Checked out it would have more than %d files.", treeEntriesMax))
	}
	return nil
}
