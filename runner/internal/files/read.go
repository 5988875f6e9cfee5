package files

import (
	"io"
	"os"
	"slices"
	"syscall"

	"berth.dev/runner/internal/archive"
)

// Names are taken from a folder in parts, so that a large one needs no more memory than a small one.
const namesAtOnce = 4_096

func read(w *workspace, request *Request, _ io.Reader, a *answer) error {
	file, info, err := w.regular(request.Path)
	if err != nil {
		return err
	}
	defer file.Close()
	if info.Size() > request.BytesMax {
		return refused(CodeTooLarge, "The file is larger than what is read at once.")
	}
	if err := precondition(request, info); err != nil {
		return err
	}
	entry := entryOf(request.Path, info)
	part := Part{To: info.Size()}
	head := Head{File: &entry, Part: request.Range.of(info.Size(), entry.ETag)}
	if slices.Contains(request.Unless, entry.ETag) || slices.Contains(request.Unless, "*") {
		head.Part = &Part{}
	}
	if head.Part != nil {
		part = *head.Part
	}
	if err := a.head(head); err != nil {
		return err
	}
	// One that shrinks meanwhile is an error, as its length has been told.
	_, err = io.CopyN(a.out, io.NewSectionReader(file, part.From, part.To-part.From), part.To-part.From)
	return err
}

// regular opens a file and nothing else. It does not wait for whatever may have taken its place.
func (w *workspace) regular(path string) (*os.File, os.FileInfo, error) {
	if path == "" {
		return nil, nil, syscall.EISDIR
	}
	before, err := w.root.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if err := requireRegular(before); err != nil {
		return nil, nil, err
	}
	file, err := w.root.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err == nil {
		err = requireRegular(info)
	}
	if err != nil {
		file.Close()
	}
	return file, info, err
}

func requireRegular(info os.FileInfo) error {
	if info.IsDir() {
		return syscall.EISDIR
	}
	if !info.Mode().IsRegular() {
		return refused(CodeKind, "This is no regular file.")
	}
	return nil
}

func list(w *workspace, request *Request, _ io.Reader, a *answer) error {
	folder, err := w.folder(request.Path)
	if err != nil {
		return err
	}
	defer folder.Close()
	names, more, err := namesAfter(folder, request.After, request.Limit)
	if err != nil {
		return err
	}
	entries := make([]Entry, 0, len(names))
	for _, name := range names {
		info, err := folder.Lstat(name)
		if err != nil {
			// Removed since its folder was read.
			continue
		}
		entry := entryOf(name, info)
		if entry.Kind == KindLink {
			entry.Target, _ = folder.Readlink(name)
		}
		entries = append(entries, entry)
	}
	return a.head(Head{Entries: entries, More: more})
}

// namesAfter are the next names in the order of their bytes.
func namesAfter(folder *os.Root, after string, limit int) ([]string, bool, error) {
	self, err := folder.Open(".")
	if err != nil {
		return nil, false, err
	}
	defer self.Close()
	var kept []string
	more := false
	for {
		names, err := self.Readdirnames(namesAtOnce)
		for _, name := range names {
			if name > after {
				kept = append(kept, name)
			}
		}
		slices.Sort(kept)
		if len(kept) > limit {
			kept, more = kept[:limit], true
		}
		if err == io.EOF {
			return kept, more, nil
		}
		if err != nil {
			return nil, false, err
		}
	}
}

func pack(w *workspace, request *Request, _ io.Reader, a *answer) error {
	folder, err := w.folder(request.Path)
	if err != nil {
		return err
	}
	defer folder.Close()
	info, err := folder.Stat(".")
	if err != nil {
		return err
	}
	entry := entryOf(request.Path, info)
	if err := a.head(Head{File: &entry}); err != nil {
		return err
	}
	_, err = archive.Write(folder, a.out, limitsOf(request))
	return err
}
