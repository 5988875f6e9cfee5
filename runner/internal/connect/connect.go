// Package connect carries bytes between the host's `docker exec` and init's socket. It understands nothing of them, and
// must never stay behind when the host has gone.
package connect

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"berth.dev/runner/internal/session"
)

const (
	// silenceLimit ends a connection whose host no longer pings, for example after the death of dockerd.
	silenceLimit = 15 * time.Second
	// Init may still be starting.
	dialLimit   = 5 * time.Second
	dialPause   = 5 * time.Millisecond
	bufferBytes = 128 << 10
)

var errSilence = fmt.Errorf("nothing came from the host for %v", silenceLimit)

// Run carries bytes until one side closes or the host is silent for too long.
func Run(socketPath string, stream session.Stream) error {
	conn, err := dial(socketPath)
	if err != nil {
		return err
	}
	defer conn.Close()
	ended := make(chan error, 3)
	silence := time.AfterFunc(silenceLimit, func() { ended <- errSilence })
	defer silence.Stop()
	go func() {
		ended <- carry(conn, stream.In, func() { silence.Reset(silenceLimit) })
	}()
	go func() {
		_, err := io.Copy(stream.Out, conn)
		ended <- err
	}()
	return <-ended
}

func carry(to io.Writer, from io.Reader, heard func()) error {
	buffer := make([]byte, bufferBytes)
	for {
		count, err := from.Read(buffer)
		if count > 0 {
			heard()
			if _, err := to.Write(buffer[:count]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func dial(path string) (*net.UnixConn, error) {
	address := &net.UnixAddr{Name: path, Net: "unix"}
	for giveUpAt := time.Now().Add(dialLimit); ; {
		conn, err := net.DialUnix("unix", nil, address)
		if err == nil || time.Now().After(giveUpAt) {
			return conn, err
		}
		time.Sleep(dialPause)
	}
}
