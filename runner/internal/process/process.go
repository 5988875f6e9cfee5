// Package process is all that the runner asks of the kernel about processes: fork, credentials, capabilities, reaping,
// killing a tree. It must never use os/exec, whose Wait would race with the one loop that reaps.
package process

import (
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"unsafe"
)

const (
	prSetDumpable       = 4
	prSetChildSubreaper = 36
	prSetNoNewPrivs     = 38
	prCapabilityDrop    = 24
	prCapabilityAmbient = 47
	ambientClearAll     = 4

	waitAll = 0x40000000 // __WALL: also children that were cloned without SIGCHLD.

	oomScorePath    = "/proc/self/oom_score_adj"
	oomScoreExec    = 500
	oomScoreMinimum = -1000
)

// Shield makes this process unreadable for the processes of the sandbox. Also those of root need CAP_SYS_PTRACE then.
func Shield() error { return prctl(prSetDumpable, 0, 0) }

// BecomeSubreaper makes orphaned descendants children of this process.
func BecomeSubreaper() error { return prctl(prSetChildSubreaper, 1, 0) }

// Warm makes the threads that this process will need, and keeps them. Go ends a process that cannot have a thread, and
// in a sandbox at its limit of processes there is none to be had.
func Warm(threads int) {
	var warmed sync.WaitGroup
	release := make(chan struct{})
	warmed.Add(threads)
	for range threads {
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			warmed.Done()
			<-release
		}()
	}
	warmed.Wait()
	close(release)
}

// KeepDescriptors keeps whatever this process was started with, beyond the three standard ones, from its children.
func KeepDescriptors() error {
	folder, err := os.Open("/proc/self/fd")
	if err != nil {
		return err
	}
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	for _, name := range names {
		if descriptor, err := strconv.Atoi(name); err == nil && descriptor > 2 {
			syscall.CloseOnExec(descriptor)
		}
	}
	return err
}

// LowerOOMScore takes the lowest score that the container allows, which may be the one it has.
func LowerOOMScore() { _ = writeOOMScore(oomScoreMinimum) }

// withExecOOMScore runs fork while children inherit the score of execs.
func withExecOOMScore(fork func()) {
	text, err := os.ReadFile(oomScorePath)
	own, parseErr := strconv.Atoi(string(trimNewline(text)))
	if err == nil && parseErr == nil && own < oomScoreExec && writeOOMScore(oomScoreExec) == nil {
		// Going back to where it was is permitted without a capability.
		defer func() { _ = writeOOMScore(own) }()
	}
	fork()
}

func writeOOMScore(score int) error {
	return os.WriteFile(oomScorePath, []byte(strconv.Itoa(score)), 0)
}

func trimNewline(text []byte) []byte {
	for len(text) > 0 && text[len(text)-1] == '\n' {
		text = text[:len(text)-1]
	}
	return text
}

// Reap takes one ended child, without waiting. The pid is 0 if none has ended, and the error ECHILD if there is none.
func Reap() (int, syscall.WaitStatus, error) {
	var status syscall.WaitStatus
	for {
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG|waitAll, nil)
		if err != syscall.EINTR {
			return pid, status, err
		}
	}
}

func prctl(option, first, second uintptr) error {
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, option, first, second, 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

const capabilityVersion3 = 0x20080522

type capabilityHeader struct {
	version uint32
	pid     int32
}

type capabilityData struct {
	effective, permitted, inheritable uint32
}

// limitThread leaves the calling thread what it needs to fork one command: with keepForFork the permitted set stays, so
// that the child may change its credentials, which then clears it; without, nothing stays. The bounding set can only
// be lowered with CAP_SETPCAP; no_new_privs makes up for it, because nothing is gained at exec then.
func limitThread(keepForFork bool) error {
	if err := prctl(prSetNoNewPrivs, 1, 0); err != nil {
		return err
	}
	_ = prctl(prCapabilityAmbient, ambientClearAll, 0)
	for capability := uintptr(0); prctl(prCapabilityDrop, capability, 0) == nil; capability++ {
	}
	header := capabilityHeader{version: capabilityVersion3}
	var data [2]capabilityData
	if err := capabilities(syscall.SYS_CAPGET, &header, &data); err != nil {
		return err
	}
	for half := range data {
		data[half].inheritable = 0
		if !keepForFork {
			data[half] = capabilityData{}
		}
	}
	return capabilities(syscall.SYS_CAPSET, &header, &data)
}

func capabilities(call uintptr, header *capabilityHeader, data *[2]capabilityData) error {
	_, _, errno := syscall.RawSyscall(call, uintptr(unsafe.Pointer(header)), uintptr(unsafe.Pointer(data)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}
