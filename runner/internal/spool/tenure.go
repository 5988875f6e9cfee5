package spool

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	lockName   = "init.lock"
	socketName = "init.sock"
	// tenureLimit is longer than an init takes to end its execs.
	tenureLimit = 9 * time.Second
	tenureLook  = 20 * time.Millisecond
	// removalLook is seldom, as it costs an idle sandbox a wake-up: only an init that nobody knows of outlives its spool.
	removalLook = time.Minute
)

// ErrHeld says that another init of this spool lives and does not go, as when its container is paused.
var ErrHeld = errors.New("another init holds the spool")

// Tenure makes its holder the only init of a spool, over all containers that mount it. An engine that was killed between
// making a process and noting it may have left an init alive that it knows nothing of, and starts a second one.
type Tenure struct {
	spool  *Spool
	folder *os.File
	lock   *os.File
}

// Enter becomes the spool's init. One that lives is asked to go, and its death is proved by the lock that it held.
func (s *Spool) Enter() (*Tenure, error) {
	folder, err := os.Open(s.root)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(s.root, lockName)
	lock, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY|syscall.O_NOFOLLOW, fileMode)
	if err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	tenure := &Tenure{spool: s, folder: folder, lock: lock}
	if err := tenure.acquire(); err != nil {
		return nil, errors.Join(err, lock.Close(), folder.Close())
	}
	return tenure, nil
}

func (t *Tenure) acquire() error {
	for end := time.Now().Add(tenureLimit); ; time.Sleep(tenureLook) {
		err := syscall.Flock(int(t.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		if time.Now().After(end) {
			return ErrHeld
		}
		// Nobody shall take the one that goes for the one that comes.
		if err := os.Remove(t.spool.SocketPath()); err != nil && !missing(err) {
			return err
		}
		// Whoever does not listen yet, or any more, is asked again.
		if conn, err := net.DialUnix("unix", nil, t.address()); err == nil {
			_ = conn.Close()
		}
	}
}

// Lost is closed when a successor asks for the spool, or when the spool has been removed.
func (t *Tenure) Lost() (<-chan struct{}, error) {
	if err := os.Remove(t.address().Name); err != nil && !missing(err) {
		return nil, err
	}
	listener, err := net.ListenUnix("unix", t.address())
	if err != nil {
		return nil, err
	}
	// Closing must not take the socket of a successor away.
	listener.SetUnlinkOnClose(false)
	lost := make(chan struct{})
	go func() {
		defer listener.Close()
		for !t.removed() {
			_ = listener.SetDeadline(time.Now().Add(removalLook))
			if _, err := listener.Accept(); err == nil {
				break
			} else if !errors.Is(err, os.ErrDeadlineExceeded) {
				time.Sleep(removalLook)
			}
		}
		close(lost)
	}()
	return lost, nil
}

func (t *Tenure) removed() bool {
	info, err := t.folder.Stat()
	if err != nil {
		return false
	}
	folder, known := info.Sys().(*syscall.Stat_t)
	return known && folder.Nlink == 0
}

func (t *Tenure) address() *net.UnixAddr {
	return &net.UnixAddr{Name: filepath.Join(t.spool.root, socketName), Net: "unix"}
}
