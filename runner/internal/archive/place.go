package archive

import (
	"errors"
	"os"
	"slices"
	"strings"
)

// place is where an extraction is in its tree: the open folders from the root down to the one that was used last, because
// the next entry is mostly beside it. It goes down one folder at a time and never through a link.
type place struct {
	root    *os.Root
	parts   []string
	folders []*os.Root
	// Folders that the archive has named, to find what it has twice.
	named map[string]struct{}
}

func newPlace(root *os.Root) *place {
	return &place{root: root, named: map[string]struct{}{}}
}

// folder opens a folder of the tree; what is missing of it is made.
func (p *place) folder(parts []string, entry string) (*os.Root, error) {
	p.leave(shared(p.parts, parts))
	for _, part := range parts[len(p.parts):] {
		err := p.current().Mkdir(part, folderMode)
		if err != nil && !errors.Is(err, os.ErrExist) {
			return nil, err
		}
		if err := p.enter(part); err != nil {
			if errors.Is(err, errNotAFolder) {
				return nil, refuse(CodeThroughLink, entry, "its name leads through something that is no folder")
			}
			return nil, err
		}
	}
	return p.current(), nil
}

// existing is the same for what must be there already.
func (p *place) existing(parts []string) (*os.Root, error) {
	p.leave(shared(p.parts, parts))
	for _, part := range parts[len(p.parts):] {
		if err := p.enter(part); err != nil {
			return nil, err
		}
	}
	return p.current(), nil
}

// name notes that the archive has this folder; false when it had it before.
func (p *place) name(parts []string) bool {
	key := strings.Join(parts, "/")
	if _, known := p.named[key]; known {
		return false
	}
	p.named[key] = struct{}{}
	return true
}

func (p *place) close() { p.leave(0) }

func (p *place) enter(part string) error {
	folder, err := enter(p.current(), part)
	if err != nil {
		return err
	}
	p.parts = append(p.parts, part)
	p.folders = append(p.folders, folder)
	return nil
}

func (p *place) leave(depth int) {
	for len(p.folders) > depth {
		p.folders[len(p.folders)-1].Close()
		p.folders = p.folders[:len(p.folders)-1]
	}
	p.parts = slices.Clip(p.parts[:depth])
}

func (p *place) current() *os.Root {
	if len(p.folders) == 0 {
		return p.root
	}
	return p.folders[len(p.folders)-1]
}

func shared(one, other []string) int {
	count := 0
	for count < len(one) && count < len(other) && one[count] == other[count] {
		count++
	}
	return count
}
