package files

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"unsafe"
)

const (
	openTemporary = 0x400000 | syscall.O_DIRECTORY // O_TMPFILE
	followLinks   = 0x400                          // AT_SYMLINK_FOLLOW
)

// aside is a file on its way to its place. It has no name until it is whole, so the kernel removes it with whoever writes it;
// only where the disk knows no such files it has one from the beginning.
type aside struct {
	*os.File
	folder *os.Root
	self   *os.File
	name   string
	// hidden is the one name that it may have before its place: one for each place, so that nothing of it gathers.
	hidden string
	linked bool
}

func openAside(folder *os.Root, name string) (*aside, error) {
	self, err := folder.Open(".")
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256([]byte(name))
	a := &aside{folder: folder, self: self, name: name, hidden: asidePrefix + hex.EncodeToString(digest[:16])}
	descriptor, err := syscall.Openat(int(self.Fd()), ".", openTemporary|syscall.O_WRONLY|syscall.O_CLOEXEC, unfinished)
	switch err {
	case nil:
		a.File = os.NewFile(uintptr(descriptor), name)
		return a, nil
	case syscall.EOPNOTSUPP, syscall.EISDIR:
		a.hidden, a.linked = asidePrefix+rand.Text(), true
		a.File, err = folder.OpenFile(a.hidden, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, unfinished)
		if err == nil {
			err = hold(a.File)
		}
	}
	if err != nil {
		return nil, errors.Join(err, self.Close())
	}
	return a, nil
}

// place is called under the lock of the folder. What a kill has left under the hidden name is taken away first.
func (a *aside) place() error {
	if !a.linked {
		err := a.link(a.name)
		if err != syscall.EEXIST {
			return err
		}
		if err := a.folder.Remove(a.hidden); err != nil && !os.IsNotExist(err) {
			return err
		}
		if err := a.link(a.hidden); err != nil {
			return err
		}
		a.linked = true
	}
	return a.folder.Rename(a.hidden, a.name)
}

func (a *aside) link(name string) error {
	source, err := syscall.BytePtrFromString(fmt.Sprintf("/proc/self/fd/%d", a.Fd()))
	if err != nil {
		return err
	}
	target, err := syscall.BytePtrFromString(name)
	if err != nil {
		return err
	}
	_, _, errno := syscall.Syscall6(syscall.SYS_LINKAT, ^uintptr(99), uintptr(unsafe.Pointer(source)),
		a.self.Fd(), uintptr(unsafe.Pointer(target)), followLinks, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func (a *aside) discard() error {
	if !a.linked {
		return nil
	}
	return a.folder.Remove(a.hidden)
}

func (a *aside) Close() error { return errors.Join(a.File.Close(), a.self.Close()) }

// makeAside makes a folder and holds it for as long as its maker lives. It is called under the lock of the folder above.
func makeAside(parent *os.Root, name string) (*os.File, error) {
	if err := parent.Mkdir(name, newFolderMode); err != nil {
		return nil, err
	}
	held, err := parent.Open(name)
	if err == nil {
		err = hold(held)
	}
	return held, err
}

// hold lasts as long as this process.
func hold(file *os.File) error { return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// sweep removes what lies aside and is held by nobody, as its maker was killed. It is called under the lock of the folder.
func sweep(parent *os.Root) error {
	names, _, err := namesAfter(parent, asidePrefix, namesAtOnce)
	for _, name := range names {
		if !strings.HasPrefix(name, asidePrefix) {
			break
		}
		// A command may have put anything there; what cannot be opened is not ours.
		left, openErr := parent.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
		if openErr != nil {
			continue
		}
		if hold(left) == nil {
			err = errors.Join(err, parent.RemoveAll(name))
		}
		err = errors.Join(err, left.Close())
	}
	return err
}
