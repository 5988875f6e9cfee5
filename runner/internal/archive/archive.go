// Package archive writes a tree of files as a tar stream and makes a tree of one. It follows no link in either direction:
// what it reads may change under its hands, and what it is given to extract may be hostile. It stays in the folder
// that it was given, within its limits, and says what it left out.
package archive

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// FormatVersion is that of the stream: a PAX tar with times in nanoseconds and extended attributes of users.
const FormatVersion = 1

const (
	nameBytesMax = 16 << 10
	depthMax     = 256
	bufferBytes  = 1 << 20
)

// Limits of one archive in either direction. Zero means none.
type Limits struct {
	// Content of regular files together, as it is when it is unpacked.
	BytesMax int64 `json:"bytesMax"`
	// Files, folders and links.
	EntriesMax int64 `json:"entriesMax"`
}

// Summary says what an archive holds and what it does not.
type Summary struct {
	Entries int64 `json:"entries"`
	// Content of regular files together.
	Bytes int64 `json:"bytes"`
	// Of the tar stream itself, with its hash in hexadecimal.
	StreamBytes int64  `json:"streamBytes"`
	SHA256      string `json:"sha256"`
	// Files that were written, moved or removed while they were read: what the stream has of them may be of two moments.
	Changed int64 `json:"changed"`
	// Sockets and devices, which mean nothing elsewhere, and attributes that the other side does not take.
	Skipped int64 `json:"skipped"`
}

// Code names a refusal, so that a caller can tell one from another without reading its words.
type Code string

const (
	CodeOutside       Code = "outside"
	CodeThroughLink   Code = "through_link"
	CodeLinkTarget    Code = "link_target"
	CodeSpecialFile   Code = "special_file"
	CodeDuplicate     Code = "duplicate"
	CodeTooManyBytes  Code = "too_many_bytes"
	CodeTooManyFiles  Code = "too_many_entries"
	CodeNameTooLong   Code = "name_too_long"
	CodeMalformed     Code = "malformed"
	CodeTruncated     Code = "truncated"
	CodeHashMismatch  Code = "hash_mismatch"
	CodeNotEmpty      Code = "not_empty"
	CodeNoSuchSubpath Code = "no_such_subpath"
)

// Refusal is what a caller may be told. Every other error is of the machine.
type Refusal struct {
	Code    Code   `json:"code"`
	Entry   string `json:"entry,omitempty"`
	Message string `json:"message"`
}

func (r *Refusal) Error() string {
	if r.Entry == "" {
		return fmt.Sprintf("%s: %s", r.Code, r.Message)
	}
	return fmt.Sprintf("%s: %q: %s", r.Code, r.Entry, r.Message)
}

func refuse(code Code, entry, message string) *Refusal {
	return &Refusal{Code: code, Entry: shortened(entry), Message: message}
}

const entryBytesShown = 200

func shortened(name string) string {
	if len(name) <= entryBytesShown {
		return name
	}
	return strings.ToValidUTF8(name[:entryBytesShown], "") + "…"
}

// Open opens a folder below another one. No part of the subpath may be a link.
func Open(root, subpath string) (*os.Root, error) {
	folder, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	parts, err := partsOf(subpath)
	if err != nil {
		folder.Close()
		return nil, err
	}
	for _, part := range parts {
		next, err := enter(folder, part)
		folder.Close()
		if err != nil {
			return nil, refuse(CodeNoSuchSubpath, subpath, "there is no such folder")
		}
		folder = next
	}
	return folder, nil
}

var errNotAFolder = errors.New("not a folder")

// enter opens a folder in a folder, and only that: a link in its place is an error, also one that gets there just now.
func enter(parent *os.Root, name string) (*os.Root, error) {
	before, err := parent.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !before.IsDir() {
		return nil, errNotAFolder
	}
	folder, err := parent.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	opened, err := folder.Stat(".")
	if err != nil || !os.SameFile(before, opened) {
		folder.Close()
		return nil, errNotAFolder
	}
	return folder, nil
}

// partsOf takes the name of an entry apart. The folder itself has no parts.
func partsOf(name string) ([]string, error) {
	if len(name) > nameBytesMax {
		return nil, refuse(CodeNameTooLong, name, "its name is too long")
	}
	if strings.HasPrefix(name, "/") {
		return nil, refuse(CodeOutside, name, "its name is absolute")
	}
	if strings.ContainsRune(name, 0) {
		return nil, refuse(CodeMalformed, name, "its name holds a zero byte")
	}
	var parts []string
	for part := range strings.SplitSeq(name, "/") {
		switch part {
		case "", ".":
		case "..":
			return nil, refuse(CodeOutside, name, "its name leads out of the folder")
		default:
			parts = append(parts, part)
		}
	}
	if len(parts) > depthMax {
		return nil, refuse(CodeNameTooLong, name, "it lies too deep")
	}
	return parts, nil
}

// tally counts entries and bytes against their limits.
type tally struct {
	limits  Limits
	summary Summary
}

func (t *tally) entry(name string) error {
	t.summary.Entries++
	if t.limits.EntriesMax > 0 && t.summary.Entries > t.limits.EntriesMax {
		return refuse(CodeTooManyFiles, name, fmt.Sprintf("there are more than %d entries", t.limits.EntriesMax))
	}
	return nil
}

// bytes is asked before a file is read or written, so that one header alone can fill nothing.
func (t *tally) bytes(name string, size int64) error {
	if size < 0 {
		return refuse(CodeMalformed, name, "its size is negative")
	}
	if t.limits.BytesMax > 0 && size > t.limits.BytesMax-t.summary.Bytes {
		return refuse(CodeTooManyBytes, name, fmt.Sprintf("there are more than %d bytes", t.limits.BytesMax))
	}
	t.summary.Bytes += size
	return nil
}
