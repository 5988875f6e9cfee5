package files

import (
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"syscall"

	"berth.dev/runner/internal/archive"
)

const (
	// What lies aside until it is whole. Nobody else may read it before.
	asidePrefix   = ".berth-upload-"
	unfinished    = 0o600
	newFileMode   = 0o644
	newFolderMode = 0o755
)

// write makes a file aside, on the disk of the folder where it belongs, and lets it take its place when it is whole and on the disk.
func write(w *workspace, request *Request, in io.Reader, a *answer) error {
	folder, name, err := w.place(request, true)
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := mayReplace(folder, name, request); err != nil {
		return err
	}
	content := contentOf(in, request.Mark)
	file, err := openAside(folder, name)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := fill(folder, file, name, request, content)
	if err != nil {
		// Nothing is left of what did not become whole.
		_ = file.discard()
		return err
	}
	entry := entryOf(request.Path, info)
	return a.head(Head{File: &entry})
}

// mayReplace is asked before content is taken, so that much of it does not come for nothing, and again at the end.
func mayReplace(folder *os.Root, name string, request *Request) error {
	info, err := there(folder, name)
	if err != nil {
		return err
	}
	if err := precondition(request, info); err != nil {
		return err
	}
	if info != nil && info.IsDir() {
		return syscall.EISDIR
	}
	return nil
}

func fill(folder *os.Root, file *aside, name string, request *Request, content io.Reader) (os.FileInfo, error) {
	bounded := io.LimitReader(content, request.BytesMax+1)
	written, err := io.CopyBuffer(struct{ io.Writer }{file}, bounded, make([]byte, bufferBytes))
	if err != nil {
		return nil, err
	}
	if written > request.BytesMax {
		return nil, refused(CodeTooLarge, fmt.Sprintf("There are more than %d bytes.", request.BytesMax))
	}
	if err := file.Sync(); err != nil {
		return nil, err
	}
	return settle(folder, file, name, request)
}

// settle puts the file in its place. A file that is replaced hands its permissions on.
func settle(folder *os.Root, file *aside, name string, request *Request) (os.FileInfo, error) {
	unlock, err := lock(folder)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := mayReplace(folder, name, request); err != nil {
		return nil, err
	}
	mode := os.FileMode(newFileMode)
	if before, err := there(folder, name); err == nil && before != nil && before.Mode().IsRegular() {
		mode = before.Mode().Perm()
	}
	if err := file.Chmod(mode); err != nil {
		return nil, err
	}
	if err := file.place(); err != nil {
		return nil, err
	}
	if err := syncFolder(folder); err != nil {
		return nil, err
	}
	return file.Stat()
}

func remove(w *workspace, request *Request, _ io.Reader, a *answer) error {
	folder, name, err := w.place(request, false)
	if err != nil {
		return err
	}
	defer folder.Close()
	unlock, err := lock(folder)
	if err != nil {
		return err
	}
	defer unlock()
	info, err := folder.Lstat(name)
	if err != nil {
		return err
	}
	if err := precondition(request, info); err != nil {
		return err
	}
	if request.Recursive {
		err = folder.RemoveAll(name)
	} else {
		err = folder.Remove(name)
	}
	if err != nil {
		return err
	}
	if err := syncFolder(folder); err != nil {
		return err
	}
	entry := entryOf(request.Path, info)
	return a.head(Head{File: &entry})
}

// extract makes a folder of a tar stream aside, and lets it take its place when it is whole: all of it or nothing. There
// may be an empty folder in that place, and nothing else.
func extract(w *workspace, request *Request, in io.Reader, a *answer) error {
	parent, name, err := w.place(request, true)
	if err != nil {
		return err
	}
	defer parent.Close()
	if err := requireVacant(parent, name); err != nil {
		return err
	}
	content := contentOf(in, request.Mark)
	aside := asidePrefix + rand.Text()
	held, err := beginAside(parent, aside)
	if err != nil {
		return err
	}
	defer held.Close()
	info, err := unpack(parent, aside, name, request, content)
	if err != nil {
		_ = parent.RemoveAll(aside)
		return err
	}
	entry := entryOf(request.Path, info)
	return a.head(Head{File: &entry})
}

func beginAside(parent *os.Root, aside string) (*os.File, error) {
	unlock, err := lock(parent)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := sweep(parent); err != nil {
		return nil, err
	}
	return makeAside(parent, aside)
}

func unpack(parent *os.Root, aside, name string, request *Request, content io.Reader) (os.FileInfo, error) {
	folder, err := parent.OpenRoot(aside)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	wanted := archive.Extraction{
		Limits:    limitsOf(request),
		Owner:     &archive.Owner{UID: os.Getuid(), GID: os.Getgid()},
		PlainOnly: true,
	}
	if _, err := archive.Extract(folder, content, wanted); err != nil {
		return nil, err
	}
	if err := requireVacant(parent, name); err != nil {
		return nil, err
	}
	if err := parent.Rename(aside, name); err != nil {
		return nil, err
	}
	if err := syncFolder(parent); err != nil {
		return nil, err
	}
	return folder.Stat(".")
}

func requireVacant(parent *os.Root, name string) error {
	info, err := there(parent, name)
	if err != nil || info == nil {
		return err
	}
	if !info.IsDir() {
		return syscall.EEXIST
	}
	folder, err := parent.OpenRoot(name)
	if err != nil {
		return err
	}
	defer folder.Close()
	names, _, err := namesAfter(folder, "", 1)
	if err == nil && len(names) > 0 {
		return syscall.ENOTEMPTY
	}
	return err
}

func syncFolder(folder *os.Root) error {
	self, err := folder.Open(".")
	if err != nil {
		return err
	}
	defer self.Close()
	return self.Sync()
}
