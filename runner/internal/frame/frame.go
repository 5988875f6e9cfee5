// Package frame is the codec of the spool's frames. It reads hostile bytes, so every length is bounded before it is
// used, and it must never guess: what does not begin a frame is an error.
package frame

import (
	"encoding/binary"
	"errors"
)

const (
	Magic           = 0xB7
	HeaderBytes     = 24
	PayloadBytesMax = 262_144
	BytesMax        = HeaderBytes + PayloadBytesMax
	// safeIntegerMax keeps every number exact on the TypeScript side.
	safeIntegerMax = 1<<53 - 1
)

type Stream uint8

const (
	Stdout   Stream = 1
	Stderr   Stream = 2
	Terminal Stream = 3
)

// ErrMalformed says that the bytes do not begin a frame.
var ErrMalformed = errors.New("malformed frame")

type Header struct {
	Stream       Stream
	Flags        uint16
	PayloadBytes uint32
	Offset       uint64
	TimeMicros   uint64
}

// Put writes the header into the first HeaderBytes of into.
func (h Header) Put(into []byte) {
	into[0] = Magic
	into[1] = byte(h.Stream)
	binary.BigEndian.PutUint16(into[2:], h.Flags)
	binary.BigEndian.PutUint32(into[4:], h.PayloadBytes)
	binary.BigEndian.PutUint64(into[8:], h.Offset)
	binary.BigEndian.PutUint64(into[16:], h.TimeMicros)
}

// Parse reads a header from at least HeaderBytes of from.
func Parse(from []byte) (Header, error) {
	if len(from) < HeaderBytes || from[0] != Magic {
		return Header{}, ErrMalformed
	}
	header := Header{
		Stream:       Stream(from[1]),
		Flags:        binary.BigEndian.Uint16(from[2:]),
		PayloadBytes: binary.BigEndian.Uint32(from[4:]),
		Offset:       binary.BigEndian.Uint64(from[8:]),
		TimeMicros:   binary.BigEndian.Uint64(from[16:]),
	}
	known := header.Stream >= Stdout && header.Stream <= Terminal
	bounded := header.PayloadBytes >= 1 && header.PayloadBytes <= PayloadBytesMax
	exact := header.Offset <= safeIntegerMax && header.TimeMicros <= safeIntegerMax
	if !known || !bounded || !exact {
		return Header{}, ErrMalformed
	}
	return header, nil
}

// Bytes is the length of the whole frame.
func (h Header) Bytes() int { return HeaderBytes + int(h.PayloadBytes) }

// WholeBytes returns how many bytes at the start of from are whole frames. A frame that is not there as a whole is
// left; bytes that do not begin a frame are ErrMalformed, after the whole frames before them.
func WholeBytes(from []byte) (int, error) {
	at := 0
	for at+HeaderBytes <= len(from) {
		header, err := Parse(from[at:])
		if err != nil {
			return at, err
		}
		if at+header.Bytes() > len(from) {
			break
		}
		at += header.Bytes()
	}
	return at, nil
}
