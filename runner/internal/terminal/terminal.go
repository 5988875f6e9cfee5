// Package terminal is the pseudo-terminal of one exec. It must never become the controlling terminal of this process.
package terminal

import (
	"os"
	"strconv"
	"syscall"
	"unsafe"

	"berth.dev/runner/internal/protocol"
)

const (
	ioctlUnlock          = 0x40045431 // TIOCSPTLCK
	ioctlNumber          = 0x80045430 // TIOCGPTN
	ioctlOpenPeer        = 0x5441     // TIOCGPTPEER
	ioctlSetSize         = syscall.TIOCSWINSZ
	ioctlForegroundGroup = syscall.TIOCGPGRP

	// EndOfInput is what ends the input of a terminal that is in its usual mode: Ctrl+D.
	EndOfInput = 0x04
)

// Terminal is both sides of a pseudo-terminal. While nobody has the command's side open, reads of the other one fail as at
// its end; but whoever has it as controlling terminal may open it again. So that only our own end is one, it stays open here.
type Terminal struct {
	File *os.File
	// CommandSide is a descriptor.
	CommandSide int
}

// Open makes a pseudo-terminal. It stays open with the process but for the command's side.
func Open(size protocol.TerminalSize) (*Terminal, error) {
	master, err := syscall.Open("/dev/ptmx", syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: "/dev/ptmx", Err: err}
	}
	side, err := commandSide(master)
	if err != nil {
		_ = syscall.Close(master)
		return nil, err
	}
	terminal := &Terminal{File: os.NewFile(uintptr(master), "terminal"), CommandSide: side}
	if err := terminal.Resize(size); err != nil {
		terminal.CloseCommandSide()
		_ = terminal.File.Close()
		return nil, err
	}
	return terminal, nil
}

// CloseCommandSide lets the output end when the last process that has the terminal open has closed it. It is called once.
func (t *Terminal) CloseCommandSide() { _ = syscall.Close(t.CommandSide) }

func commandSide(master int) (int, error) {
	unlock := int32(0)
	if errno := ioctl(uintptr(master), ioctlUnlock, unsafe.Pointer(&unlock)); errno != 0 {
		return 0, os.NewSyscallError("unlock the terminal", errno)
	}
	flags := syscall.O_RDWR | syscall.O_NOCTTY | syscall.O_CLOEXEC
	// The peer is the right one whatever has been mounted over /dev/pts; not every runtime can open it that way.
	side, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(master), ioctlOpenPeer, uintptr(flags))
	if errno == 0 {
		return int(side), nil
	}
	var number uint32
	if errno := ioctl(uintptr(master), ioctlNumber, unsafe.Pointer(&number)); errno != 0 {
		return 0, os.NewSyscallError("number of the terminal", errno)
	}
	path := "/dev/pts/" + strconv.Itoa(int(number))
	opened, err := syscall.Open(path, flags, 0)
	if err != nil {
		return 0, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return opened, nil
}

// Resize tells the terminal its size, and the kernel tells the foreground process group.
func (t *Terminal) Resize(size protocol.TerminalSize) error {
	window := struct{ rows, columns, xPixels, yPixels uint16 }{rows: size.Rows, columns: size.Columns}
	return t.control(func(descriptor uintptr) syscall.Errno {
		return ioctl(descriptor, ioctlSetSize, unsafe.Pointer(&window))
	})
}

// ForegroundGroup is the process group that the terminal's keys speak to.
func (t *Terminal) ForegroundGroup() (int, error) {
	var group int32
	err := t.control(func(descriptor uintptr) syscall.Errno {
		return ioctl(descriptor, ioctlForegroundGroup, unsafe.Pointer(&group))
	})
	return int(group), err
}

func (t *Terminal) control(call func(descriptor uintptr) syscall.Errno) error {
	connection, err := t.File.SyscallConn()
	if err != nil {
		return err
	}
	var errno syscall.Errno
	if err := connection.Control(func(descriptor uintptr) { errno = call(descriptor) }); err != nil {
		return err
	}
	if errno != 0 {
		return errno
	}
	return nil
}

func ioctl(descriptor, request uintptr, argument unsafe.Pointer) syscall.Errno {
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, descriptor, request, uintptr(argument))
	return errno
}
