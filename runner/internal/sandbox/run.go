package sandbox

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"berth.dev/runner/internal/identity"
	"berth.dev/runner/internal/process"
	"berth.dev/runner/internal/session"
)

const (
	sessionsMax = 64
	// threads are more than the spool's slots and what waits for processes.
	threads = 14
	// acceptPause follows a failed accept, which mostly means that descriptors have run out.
	acceptPause = 50 * time.Millisecond
)

// Run is init, from the container's start to its stop. It returns the process's exit code.
func Run(settings Settings) int {
	stops := make(chan os.Signal, 1)
	signal.Notify(stops, syscall.SIGTERM, syscall.SIGINT)
	// Taken and dropped: ignored ones would stay ignored in the commands.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE, syscall.SIGUSR1,
		syscall.SIGUSR2, syscall.SIGALRM)
	if err := errors.Join(process.Shield(), process.BecomeSubreaper(), process.KeepDescriptors()); err != nil {
		return report("prepare", err)
	}
	process.LowerOOMScore()
	process.Warm(threads)
	s, err := newSandbox(settings)
	if err != nil {
		return report("prepare", err)
	}
	// Before anything that another init of this spool would have to share: its socket, its claims.
	tenure, err := s.spool.Enter()
	if err != nil {
		return report("enter the spool", err)
	}
	lost, err := tenure.Lost()
	if err != nil {
		report("watch the spool", err)
	}
	if err := giveWorkspace(settings); err != nil {
		// Execs can still run elsewhere, and one that needs the workspace says why it could not start.
		report("give the workspace to the exec user", err)
	}
	listener, err := listen(s.spool.SocketPath())
	if err != nil {
		return report("listen", err)
	}
	go s.accept(listener)
	s.children.keepSpare()
	select {
	case <-stops:
	case <-lost:
		report("go on", errors.New("the spool has another init, or is gone"))
	}
	if err := s.stop(); err != nil {
		report("stop", err)
	}
	s.awaitLastWords()
	return 0
}

func report(what string, err error) int {
	fmt.Fprintf(os.Stderr, "runner init: %s: %v\n", what, err)
	return 1
}

func listen(path string) (*net.UnixListener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	return listener, os.Chmod(path, 0o600)
}

// accept serves the channels. It outlives a lack of descriptors, because it is the only way to end an exec.
func (s *Sandbox) accept(listener *net.UnixListener) {
	slots := make(chan struct{}, sessionsMax)
	for {
		slots <- struct{}{}
		conn, err := listener.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			<-slots
			time.Sleep(acceptPause)
			continue
		}
		go func() {
			defer func() { <-slots }()
			if !peerIsRoot(conn) {
				_ = conn.Close()
				return
			}
			// How a channel ends concerns only the other side; whatever it asked for goes on.
			_ = session.Serve(conn, s)
		}()
	}
}

func peerIsRoot(conn *net.UnixConn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	root := false
	controlErr := raw.Control(func(descriptor uintptr) {
		peer, err := syscall.GetsockoptUcred(int(descriptor), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
		root = err == nil && peer.Uid == 0
	})
	return controlErr == nil && root
}

// awaitLastWords lets followers receive the ends. They are in the spool in any case.
func (s *Sandbox) awaitLastWords() {
	told := make(chan struct{})
	go func() {
		s.followers.Wait()
		close(told)
	}()
	select {
	case <-told:
	case <-time.After(lastWordsLimit):
	}
}

// giveWorkspace makes the top folder writable for the exec user if it is still as Docker made it.
func giveWorkspace(settings Settings) error {
	who, err := identity.Container().Resolve(settings.DefaultUser)
	if err != nil {
		return fmt.Errorf("user %q: %w", settings.DefaultUser, err)
	}
	descriptor, err := syscall.Open(settings.Workspace, syscall.O_DIRECTORY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: settings.Workspace, Err: err}
	}
	folder := os.NewFile(uintptr(descriptor), settings.Workspace)
	defer folder.Close()
	info, err := folder.Stat()
	if err != nil {
		return err
	}
	if owner, known := info.Sys().(*syscall.Stat_t); !known || owner.Uid != 0 {
		return nil
	}
	return folder.Chown(int(who.UID), int(who.GID))
}
