package archive

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

const (
	attributePrefix     = "SCHILY.xattr."
	userPrefix          = "user."
	attributesBytesMax  = 64 << 10
	symlinkNoFollow     = 0x100
	pipeUntilItsOwnMode = 0o600
)

// The numbers of this call, which the standard library does not have.
var syncfsNumber = map[string]uintptr{"amd64": 306, "arm64": 267}

// syncFileSystem returns when what was written is on the disk, in one call for all files.
func syncFileSystem(folder *os.Root) error {
	self, err := folder.Open(".")
	if err != nil {
		return err
	}
	defer self.Close()
	number, isKnown := syncfsNumber[runtime.GOARCH]
	if !isKnown {
		return fmt.Errorf("no number of syncfs for %s", runtime.GOARCH)
	}
	if _, _, errno := syscall.Syscall(number, self.Fd(), 0, 0); errno != 0 {
		return os.NewSyscallError("syncfs", errno)
	}
	return nil
}

// setTimes sets the times of an entry of an open folder, or without a name those of the open file itself. A link is not followed.
func setTimes(file *os.File, name string, at time.Time) error {
	times := [2]syscall.Timespec{timespecOf(at), timespecOf(at)}
	var path *byte
	var flags uintptr
	if name != "" {
		pointer, err := syscall.BytePtrFromString(name)
		if err != nil {
			return err
		}
		path, flags = pointer, symlinkNoFollow
	}
	_, _, errno := syscall.Syscall6(syscall.SYS_UTIMENSAT, file.Fd(), uintptr(unsafe.Pointer(path)),
		uintptr(unsafe.Pointer(&times)), flags, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("utimensat", errno)
	}
	return nil
}

func timespecOf(at time.Time) syscall.Timespec {
	return syscall.Timespec{Sec: at.Unix(), Nsec: int64(at.Nanosecond())}
}

func makePipe(parent *os.Root, name string) error {
	self, err := parent.Open(".")
	if err != nil {
		return err
	}
	defer self.Close()
	err = syscall.Mknodat(int(self.Fd()), name, syscall.S_IFIFO|pipeUntilItsOwnMode, 0)
	if err != nil {
		return &os.PathError{Op: "mkfifo", Path: name, Err: err}
	}
	return nil
}

// attributesOf reads the attributes that users may set, of a file that is open. A file system without them has none.
func attributesOf(file *os.File) map[string]string {
	path := descriptorPath(file)
	size, err := syscall.Listxattr(path, nil)
	if err != nil || size <= 0 || size > attributesBytesMax {
		return nil
	}
	names := make([]byte, size)
	if size, err = syscall.Listxattr(path, names); err != nil {
		return nil
	}
	var records map[string]string
	for name := range strings.SplitSeq(string(names[:size]), "\x00") {
		if !strings.HasPrefix(name, userPrefix) || strings.Contains(name, "=") {
			continue
		}
		value := make([]byte, attributesBytesMax)
		length, err := syscall.Getxattr(path, name, value)
		if err != nil {
			continue
		}
		if records == nil {
			records = map[string]string{}
		}
		records[attributePrefix+name] = string(value[:length])
	}
	return records
}

// setAttributes returns how many attributes the file system did not take, or were not a user's.
func setAttributes(file *os.File, records map[string]string) int64 {
	var skipped int64
	for key, value := range records {
		name, isAttribute := strings.CutPrefix(key, attributePrefix)
		if !isAttribute {
			continue
		}
		isUsers := strings.HasPrefix(name, userPrefix)
		if !isUsers || syscall.Setxattr(descriptorPath(file), name, []byte(value), 0) != nil {
			skipped++
		}
	}
	return skipped
}

func descriptorPath(file *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", file.Fd()) }
