package process

import (
	"errors"
	"os"
	"syscall"
	"unsafe"

	"berth.dev/runner/internal/identity"
	"berth.dev/runner/internal/protocol"
)

// checkFolder opens the folder with the file permissions of the user, because an error of chdir in the child could not
// be told from an error of exec.
func checkFolder(folder string, who identity.Identity) (*protocol.StartFailure, error) {
	if who.UID != 0 {
		if err := setThreadFileIdentity(who); err != nil {
			return nil, err
		}
	}
	const openPath = 0x200000 // O_PATH
	descriptor, err := syscall.Open(folder+"/.", openPath|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err == nil {
		return nil, errors.Join(syscall.Close(descriptor), restoreThreadFileUser())
	}
	switch err {
	case syscall.ENOENT, syscall.ENOTDIR, syscall.EACCES, syscall.ELOOP, syscall.ENAMETOOLONG:
		return &protocol.StartFailure{
			Code:    protocol.WorkingDirectoryInvalid,
			Message: "working directory " + folder + ": " + err.Error(),
		}, nil
	}
	return nil, &os.PathError{Op: "open", Path: folder, Err: err}
}

const (
	// execNiceness is what a command has more of than the runner, and cannot lower. It counts among the processes of one
	// sandbox only: however many they are, the runner has the processor at once when it is to end them.
	execNiceness = 10
	nicenessMax  = 19
)

// yieldThread puts the calling thread, and what it forks, behind the rest of this process.
func yieldThread() error {
	// The kernel answers with what is missing to 20, because less than 0 would be an error.
	missing, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if err != nil {
		return os.NewSyscallError("getpriority", err)
	}
	own := nicenessMax + 1 - missing
	return os.NewSyscallError("setpriority", syscall.Setpriority(syscall.PRIO_PROCESS, 0, min(own+execNiceness, nicenessMax)))
}

func setThreadFileIdentity(who identity.Identity) error {
	if err := setThreadSupplementary(who.Groups); err != nil {
		return err
	}
	// Both calls answer with the id before, never with an error.
	syscall.RawSyscall(syscall.SYS_SETFSGID, uintptr(who.GID), 0, 0)
	syscall.RawSyscall(syscall.SYS_SETFSUID, uintptr(who.UID), 0, 0)
	return nil
}

// restoreThreadFileUser gives the thread its file capabilities back, with which it forks.
func restoreThreadFileUser() error {
	syscall.RawSyscall(syscall.SYS_SETFSUID, 0, 0, 0)
	syscall.RawSyscall(syscall.SYS_SETFSGID, 0, 0, 0)
	return nil
}

func setThreadGroups(who identity.Identity) error {
	if err := setThreadSupplementary(who.Groups); err != nil {
		return err
	}
	gid := uintptr(who.GID)
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESGID, gid, gid, gid); errno != 0 {
		return errno
	}
	return nil
}

func setThreadSupplementary(groups []uint32) error {
	var first unsafe.Pointer
	if len(groups) > 0 {
		first = unsafe.Pointer(&groups[0])
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SETGROUPS, uintptr(len(groups)), uintptr(first), 0); errno != 0 {
		return errno
	}
	return nil
}
