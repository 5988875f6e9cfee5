package files

import (
	"fmt"
	"os"
	"path"
	"strings"
	"syscall"
	"time"
)

const (
	KindFile   = "file"
	KindFolder = "folder"
	KindLink   = "link"
	KindOther  = "other"

	folderMode = 0o755
)

// Entry is what is told of a file or folder.
type Entry struct {
	Name       string `json:"name"`
	Kind       string `json:"kind"`
	Bytes      int64  `json:"bytes"`
	Mode       uint32 `json:"mode"`
	ModifiedAt string `json:"modifiedAt"`
	ETag       string `json:"etag"`
	Target     string `json:"target,omitempty"`
}

type workspace struct{ root *os.Root }

func open(at string) (*workspace, error) {
	root, err := os.OpenRoot(at)
	return &workspace{root: root}, err
}

// folder opens a folder of the workspace; links in its path may lead anywhere inside.
func (w *workspace) folder(at string) (*os.Root, error) {
	if at == "" {
		return w.root.OpenRoot(".")
	}
	info, err := w.root.Stat(at)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, syscall.ENOTDIR
	}
	return w.root.OpenRoot(at)
}

// place opens the folder that holds the last part of a path. That part itself is never followed.
func (w *workspace) place(request *Request, makes bool) (*os.Root, string, error) {
	if request.Path == "" {
		return nil, "", refused(CodeKind, "This is the workspace itself.")
	}
	above, name := path.Split(request.Path)
	above = strings.TrimSuffix(above, "/")
	if makes && above != "" {
		if err := w.root.MkdirAll(above, folderMode); err != nil {
			return nil, "", err
		}
	}
	folder, err := w.folder(above)
	return folder, name, err
}

func entryOf(name string, info os.FileInfo) Entry {
	return Entry{
		Name:       name,
		Kind:       kindOf(info.Mode()),
		Bytes:      info.Size(),
		Mode:       uint32(info.Mode().Perm()),
		ModifiedAt: info.ModTime().UTC().Format(time.RFC3339Nano),
		ETag:       tagOf(info),
	}
}

func kindOf(mode os.FileMode) string {
	switch mode.Type() {
	case 0:
		return KindFile
	case os.ModeDir:
		return KindFolder
	case os.ModeSymlink:
		return KindLink
	}
	return KindOther
}

// tagOf changes with every replacement, which is another file, and with every change in place that the clock can tell.
func tagOf(info os.FileInfo) string {
	stat, isStat := info.Sys().(*syscall.Stat_t)
	if !isStat {
		panic("a file of this system has no stat")
	}
	return fmt.Sprintf("%x-%x-%x", stat.Ino, stat.Size, stat.Ctim.Nano())
}

// precondition holds for what is there, or nil for nothing.
func precondition(request *Request, info os.FileInfo) error {
	switch {
	case request.IfNone && info != nil:
		return refused(CodePrecondition, "There is something at this path.")
	case request.IfMatch == "":
		return nil
	case info == nil:
		return refused(CodePrecondition, "There is nothing at this path.")
	case request.IfMatch != "*" && request.IfMatch != tagOf(info):
		return refused(CodePrecondition, "The file has changed since.")
	}
	return nil
}

// lock keeps two writers of one folder apart, so that what one of them has looked at is what it replaces.
func lock(folder *os.Root) (func(), error) {
	self, err := folder.Open(".")
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(self.Fd()), syscall.LOCK_EX)
		if err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		self.Close()
		return nil, err
	}
	return func() { self.Close() }, nil
}

// there is nil where there is nothing.
func there(folder *os.Root, name string) (os.FileInfo, error) {
	info, err := folder.Lstat(name)
	if os.IsNotExist(err) {
		return nil, nil
	}
	return info, err
}
