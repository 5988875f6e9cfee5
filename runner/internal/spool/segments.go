package spool

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"berth.dev/runner/internal/protocol"
)

const (
	segmentBytes  = 4 << 20
	segmentPrefix = "seg-"
	segmentDigits = 16
)

func segmentPath(folder string, start uint64) string {
	return filepath.Join(folder, fmt.Sprintf("%s%016x", segmentPrefix, start))
}

// segmentStarts lists the positions at which the kept segments begin, ascending.
func segmentStarts(folder string) ([]uint64, error) {
	entries, err := os.ReadDir(folder)
	if spoiled(err) {
		return nil, protocol.Errorf(protocol.CodeSpoolCorrupt, "the claim is not a folder")
	}
	if err != nil {
		return nil, err
	}
	var starts []uint64
	for _, entry := range entries {
		digits, found := strings.CutPrefix(entry.Name(), segmentPrefix)
		if !found || len(digits) != segmentDigits {
			continue
		}
		if start, err := strconv.ParseUint(digits, 16, 64); err == nil {
			starts = append(starts, start)
		}
	}
	return starts, nil
}

// Trim deletes the segments of an ended exec that lie wholly below position, and returns where the rest begins.
func Trim(folder string, position, end uint64) (uint64, error) {
	starts, err := segmentStarts(folder)
	if err != nil {
		return 0, err
	}
	for at, start := range starts {
		next := end
		if at+1 < len(starts) {
			next = starts[at+1]
		}
		if next > position {
			return start, nil
		}
		if err := os.Remove(segmentPath(folder, start)); err != nil && !missing(err) {
			return start, err
		}
	}
	return end, nil
}
