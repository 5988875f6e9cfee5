package archive

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

var generous = Limits{BytesMax: 1 << 20, EntriesMax: 1_000}

func open(t *testing.T, path string) *os.Root {
	t.Helper()
	folder, err := Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { folder.Close() })
	return folder
}

func written(t *testing.T, path string) ([]byte, Summary) {
	t.Helper()
	var stream bytes.Buffer
	summary, err := Write(open(t, path), &stream, generous)
	if err != nil {
		t.Fatal(err)
	}
	return stream.Bytes(), summary
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// listing is everything that an archive promises to keep.
func listing(t *testing.T, root string) []string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		stat := statOf(info)
		name, _ := filepath.Rel(root, path)
		line := fmt.Sprintf("%s %s %d:%d %d", name, info.Mode(), stat.Uid, stat.Gid, info.ModTime().UnixNano())
		switch info.Mode().Type() {
		case 0:
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			value := make([]byte, 100)
			length, _ := syscall.Getxattr(path, "user.note", value)
			line += fmt.Sprintf(" %q links %d note %q", content, stat.Nlink, value[:max(0, length)])
		case os.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			line += " -> " + target
		}
		lines = append(lines, line)
		return nil
	})
	must(t, err)
	return lines
}

func someTree(t *testing.T) string {
	root := t.TempDir()
	in := func(name string) string { return filepath.Join(root, name) }
	must(t,
		os.MkdirAll(in("folder/empty"), 0o755),
		os.WriteFile(in("folder/file"), []byte("content"), 0o640),
		os.WriteFile(in("program"), []byte("#!/bin/sh\n"), 0o755),
		os.Chmod(in("program"), 0o755|os.ModeSetuid),
		os.Link(in("folder/file"), in("same")),
		os.Symlink("/etc/passwd", in("out")),
		os.Symlink("folder", in("within")),
		syscall.Mkfifo(in("pipe"), 0o620),
		os.WriteFile(in(strings.Repeat("ü", 100)), nil, 0o600),
		os.Chmod(in("folder/empty"), 0o555),
	)
	// A file system without attributes is no failure of this test.
	_ = syscall.Setxattr(in("program"), "user.note", []byte("kept\x00too"), 0)
	for _, name := range []string{"folder/file", "folder/empty", "folder", "program"} {
		must(t, os.Chtimes(in(name), time.Time{}, time.Unix(1_000_000_000, 123_456_789)))
	}
	if os.Getuid() == 0 {
		must(t, os.Chown(in("folder/file"), 1234, 4321), os.Lchown(in("out"), 77, 78))
	}
	return root
}

func TestATreeComesBackAsItWas(t *testing.T) {
	source, target := someTree(t), t.TempDir()
	stream, summary := written(t, source)
	if summary.StreamBytes != int64(len(stream)) || summary.Bytes != 17 || summary.Changed+summary.Skipped != 0 {
		t.Fatalf("the summary says %+v", summary)
	}
	wanted := Extraction{Limits: generous, StreamBytes: summary.StreamBytes, SHA256: summary.SHA256, IntoEmpty: true}
	extracted, err := Extract(open(t, target), bytes.NewReader(stream), wanted)
	must(t, err)
	if extracted != summary {
		t.Fatalf("written %+v, extracted %+v", summary, extracted)
	}
	if one, other := listing(t, source), listing(t, target); !slices.Equal(one, other) {
		t.Fatalf("before:\n%s\nafter:\n%s", strings.Join(one, "\n"), strings.Join(other, "\n"))
	}
}

func TestTheSameTreeIsTheSameStream(t *testing.T) {
	source := someTree(t)
	one, _ := written(t, source)
	other, _ := written(t, source)
	if !bytes.Equal(one, other) {
		t.Fatal("two archives of one tree differ")
	}
}

func TestWritingFollowsNoLinkOpensNoPipeAndCountsWhatItLeavesOut(t *testing.T) {
	root := t.TempDir()
	must(t, os.Symlink("..", filepath.Join(root, "cycle")), syscall.Mkfifo(filepath.Join(root, "pipe"), 0o600))
	socket, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	must(t, err)
	defer syscall.Close(socket)
	must(t, syscall.Bind(socket, &syscall.SockaddrUnix{Name: filepath.Join(root, "socket")}))
	_, summary := written(t, root)
	if summary.Entries != 3 || summary.Skipped != 1 {
		t.Fatalf("the summary says %+v", summary)
	}
}

// changing is a destination that changes the source as soon as something of it has arrived.
type changing struct {
	io.Writer
	change func()
}

func (c *changing) Write(p []byte) (int, error) {
	if c.change != nil {
		c.change()
		c.change = nil
	}
	return c.Writer.Write(p)
}

func TestAFileThatShrinksWhileItIsReadIsCountedAndTheStreamStaysWhole(t *testing.T) {
	source, target := t.TempDir(), t.TempDir()
	path := filepath.Join(source, "large")
	must(t, os.WriteFile(path, bytes.Repeat([]byte("x"), 8<<20), 0o600))
	var stream bytes.Buffer
	shrink := &changing{Writer: &stream, change: func() { must(t, os.Truncate(path, 100)) }}
	summary, err := Write(open(t, source), shrink, Limits{})
	must(t, err)
	if summary.Changed != 1 {
		t.Fatalf("the summary says %+v", summary)
	}
	_, err = Extract(open(t, target), &stream, Extraction{StreamBytes: summary.StreamBytes, SHA256: summary.SHA256})
	must(t, err)
}

func TestWritingKeepsItsLimits(t *testing.T) {
	root := someTree(t)
	for code, limits := range map[Code]Limits{CodeTooManyBytes: {BytesMax: 16}, CodeTooManyFiles: {EntriesMax: 5}} {
		_, err := Write(open(t, root), io.Discard, limits)
		wantRefusal(t, err, code)
	}
}

func TestASubpathLeadsThroughFoldersOnly(t *testing.T) {
	root := someTree(t)
	folder, err := Open(root, "folder/empty")
	must(t, err)
	folder.Close()
	for subpath, code := range map[string]Code{
		"../x": CodeOutside, "/etc": CodeOutside, "within/empty": CodeNoSuchSubpath, "program": CodeNoSuchSubpath, "none": CodeNoSuchSubpath,
	} {
		_, err := Open(root, subpath)
		wantRefusal(t, err, code)
	}
}
