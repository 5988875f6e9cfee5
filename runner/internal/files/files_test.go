package files

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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

const mark = "0123456789"

// ask runs the program once, and returns its head and what came after it.
func ask(t *testing.T, request Request, content string) (Head, string) {
	t.Helper()
	if request.BytesMax == 0 {
		request.BytesMax = 1 << 20
	}
	request.Mark = mark
	argument, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	code := Serve([]string{string(argument)}, strings.NewReader(content), &out)
	line, rest, _ := strings.Cut(out.String(), "\n")
	var head Head
	if err := json.Unmarshal([]byte(line), &head); err != nil {
		t.Fatalf("head %q: %v", line, err)
	}
	if (code == exitRefused) != (head.Refusal != nil) {
		t.Fatalf("exit code %d with %q", code, line)
	}
	return head, rest
}

func refusedAs(t *testing.T, code Code, request Request, content string) {
	t.Helper()
	head, _ := ask(t, request, content)
	if head.Refusal == nil || head.Refusal.Code != code {
		t.Fatalf("%s %q: %+v, wanted %s", request.Action, request.Path, head.Refusal, code)
	}
}

func write1(t *testing.T, at, path, text string) Entry {
	t.Helper()
	head, _ := ask(t, Request{Action: "write", Workspace: at, Path: path}, text+mark)
	if head.File == nil {
		t.Fatalf("%+v", head.Refusal)
	}
	return *head.File
}

func namesIn(t *testing.T, at string) string {
	t.Helper()
	entries, err := os.ReadDir(at)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return strings.Join(names, " ")
}

func TestWritesAndReadsWithItsFolders(t *testing.T) {
	at := t.TempDir()
	written := write1(t, at, "a/b/c", "text")
	head, content := ask(t, Request{Action: "read", Workspace: at, Path: "a/b/c"}, "")
	if content != "text" || head.File.ETag != written.ETag || head.File.Bytes != 4 {
		t.Fatalf("%q %+v", content, head.File)
	}
}

func TestKeepsWhatWasThereWhenContentIsCutOffOrTooMuch(t *testing.T) {
	at := t.TempDir()
	write1(t, at, "file", "before")
	refusedAs(t, CodeCanceled, Request{Action: "write", Workspace: at, Path: "file"}, "cut off")
	refusedAs(t, CodeCanceled, Request{Action: "write", Workspace: at, Path: "file"}, "")
	refusedAs(t, CodeTooLarge, Request{Action: "write", Workspace: at, Path: "file", BytesMax: 3}, "four"+mark)
	if _, content := ask(t, Request{Action: "read", Workspace: at, Path: "file"}, ""); content != "before" {
		t.Fatal(content)
	}
	if names := namesIn(t, at); names != "file" {
		t.Fatalf("left behind: %s", names)
	}
}

func TestKeepsWhatWasThereWhenTheDiskIsFull(t *testing.T) {
	at := t.TempDir()
	if err := syscall.Mount("tmpfs", at, "tmpfs", 0, "size=256k,nr_inodes=64"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(at, syscall.MNT_DETACH) })
	write1(t, at, "file", "before")
	large := strings.Repeat("x", 300<<10)
	refusedAs(t, CodeDiskFull, Request{Action: "write", Workspace: at, Path: "file"}, large+mark)
	var stream bytes.Buffer
	w := tar.NewWriter(&stream)
	for i := range 100 {
		if err := w.WriteHeader(&tar.Header{Name: fmt.Sprint(i), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	refusedAs(t, CodeDiskFull, Request{Action: "extract", Workspace: at, Path: "folder"}, stream.String()+mark)
	if names := namesIn(t, at); names != "file" {
		t.Fatalf("left behind: %s", names)
	}
	if _, content := ask(t, Request{Action: "read", Workspace: at, Path: "file"}, ""); content != "before" {
		t.Fatal(content)
	}
}

func TestReplacesOnlyWhatWasSeenAndKeepsItsPermissions(t *testing.T) {
	at := t.TempDir()
	first := write1(t, at, "file", "1")
	if err := os.Chmod(filepath.Join(at, "file"), 0o750); err != nil {
		t.Fatal(err)
	}
	refusedAs(t, CodePrecondition, Request{Action: "write", Workspace: at, Path: "file", IfNone: true}, "2"+mark)
	refusedAs(t, CodePrecondition, Request{Action: "write", Workspace: at, Path: "new", IfMatch: "*"}, "2"+mark)
	second := write1(t, at, "file", "2")
	if second.ETag == first.ETag || second.Mode != 0o750 {
		t.Fatalf("%+v after %+v", second, first)
	}
	for _, action := range []string{"write", "remove", "read"} {
		refusedAs(t, CodePrecondition, Request{Action: action, Workspace: at, Path: "file", IfMatch: first.ETag}, "3"+mark)
	}
	ask(t, Request{Action: "remove", Workspace: at, Path: "file", IfMatch: second.ETag}, "")
	refusedAs(t, CodeNotFound, Request{Action: "read", Workspace: at, Path: "file"}, "")
}

func TestLeavesTheWorkspaceOverNothing(t *testing.T) {
	at, outside := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		"absolute": filepath.Join(outside, "secret"), "relative": "../../../../../../etc/passwd", "folder": outside, "proc": "/proc/1/root",
	} {
		if err := os.Symlink(target, filepath.Join(at, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"absolute", "relative", "folder/secret", "proc/etc/passwd", "../x", "/etc/passwd"} {
		refusedAs(t, CodePath, Request{Action: "read", Workspace: at, Path: path}, "")
	}
	for _, path := range []string{"folder/new", "proc/tmp/new", "../new", "folder/sub/new"} {
		refusedAs(t, CodePath, Request{Action: "write", Workspace: at, Path: path}, "x"+mark)
	}
	refusedAs(t, CodePath, Request{Action: "list", Workspace: at, Path: "folder", Limit: 9}, "")
	refusedAs(t, CodePath, Request{Action: "remove", Workspace: at, Path: "folder/secret"}, "")
	refusedAs(t, CodePath, Request{Action: "pack", Workspace: at, Path: "folder"}, "")
	// A link in the last place is replaced, not followed.
	write1(t, at, "absolute", "mine")
	if text, err := os.ReadFile(filepath.Join(outside, "secret")); err != nil || string(text) != "secret" {
		t.Fatalf("%q %v", text, err)
	}
	if names := namesIn(t, outside); names != "secret" {
		t.Fatal(names)
	}
}

func TestOpensNothingButRegularFiles(t *testing.T) {
	at := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(at, "pipe"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(at, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"pipe", "folder", ""} {
		refusedAs(t, CodeKind, Request{Action: "read", Workspace: at, Path: path}, "")
	}
	refusedAs(t, CodeKind, Request{Action: "write", Workspace: at, Path: "folder"}, "x"+mark)
	refusedAs(t, CodeKind, Request{Action: "write", Workspace: at, Path: "pipe/x"}, "x"+mark)
	// Packed as it is, without anybody waiting for its other end.
	if head, content := ask(t, Request{Action: "pack", Workspace: at}, ""); head.File == nil || !strings.Contains(content, "./pipe") {
		t.Fatalf("%+v", head)
	}
	if write1(t, at, "pipe", "x").Kind != KindFile {
		t.Fatal("a pipe was not replaced")
	}
}

func TestListsInPages(t *testing.T) {
	at := t.TempDir()
	for _, name := range []string{"c", "a", "b/x", "d"} {
		write1(t, at, name, name)
	}
	var seen []string
	after := ""
	for more := true; more; {
		head, _ := ask(t, Request{Action: "list", Workspace: at, After: after, Limit: 3}, "")
		for _, entry := range head.Entries {
			seen = append(seen, entry.Name+":"+entry.Kind)
			after = entry.Name
		}
		more = head.More
	}
	if got := strings.Join(seen, " "); got != "a:file b:folder c:file d:file" {
		t.Fatal(got)
	}
}

func TestRemovesAFolderOnlyWhenAskedFor(t *testing.T) {
	at := t.TempDir()
	write1(t, at, "folder/file", "x")
	refusedAs(t, CodeKind, Request{Action: "remove", Workspace: at, Path: "folder"}, "")
	for _, action := range []string{"list", "pack"} {
		refusedAs(t, CodeKind, Request{Action: action, Workspace: at, Path: "folder/file", Limit: 9}, "")
	}
	refusedAs(t, CodeKind, Request{Action: "remove", Workspace: at, Path: "", Recursive: true}, "")
	ask(t, Request{Action: "remove", Workspace: at, Path: "folder", Recursive: true}, "")
	if names := namesIn(t, at); names != "" {
		t.Fatal(names)
	}
}

func TestTakesAnArchiveAsAWholeOrNotAtAll(t *testing.T) {
	at := t.TempDir()
	write1(t, at, "from/sub/file", "content")
	_, packed := ask(t, Request{Action: "pack", Workspace: at, Path: "from"}, "")
	head, _ := ask(t, Request{Action: "extract", Workspace: at, Path: "to"}, packed+mark)
	if head.File == nil || head.File.Kind != KindFolder {
		t.Fatalf("%+v", head.Refusal)
	}
	if _, content := ask(t, Request{Action: "read", Workspace: at, Path: "to/sub/file"}, ""); content != "content" {
		t.Fatal(content)
	}
	refusedAs(t, CodeKind, Request{Action: "extract", Workspace: at, Path: "to"}, packed+mark)
	refusedAs(t, CodeCanceled, Request{Action: "extract", Workspace: at, Path: "cut"}, packed)
	for _, length := range []int{0, 512, 700, 1_024, len(packed) - 1_024, len(packed) - 512} {
		refusedAs(t, CodeArchive, Request{Action: "extract", Workspace: at, Path: "cut"}, packed[:length]+mark)
	}
	refusedAs(t, CodeTooLarge, Request{Action: "extract", Workspace: at, Path: "much", BytesMax: 3}, packed+mark)
	refusedAs(t, CodeTooLarge, Request{Action: "extract", Workspace: at, Path: "many", EntriesMax: 2}, packed+mark)
	if names := namesIn(t, at); names != "from to" {
		t.Fatalf("left behind: %s", names)
	}
}

func TestRefusesHostileArchivesWithoutATrace(t *testing.T) {
	at := t.TempDir()
	hostile := map[string][]tar.Header{
		"climbing":  {{Name: "../x", Typeflag: tar.TypeReg}},
		"absolute":  {{Name: "/x", Typeflag: tar.TypeReg}},
		"through":   {{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/tmp"}, {Name: "l/x", Typeflag: tar.TypeReg}},
		"hard link": {{Name: "h", Typeflag: tar.TypeLink, Linkname: "/etc/shadow"}},
		"device":    {{Name: "d", Typeflag: tar.TypeChar}},
		"setuid":    {{Name: "s", Typeflag: tar.TypeReg, Mode: 0o4755}},
		"pipe":      {{Name: "p", Typeflag: tar.TypeFifo, Mode: 0o644}},
		"twice":     {{Name: "t", Typeflag: tar.TypeReg}, {Name: "t", Typeflag: tar.TypeReg}},
	}
	for name, headers := range hostile {
		var stream bytes.Buffer
		w := tar.NewWriter(&stream)
		for _, header := range headers {
			if err := w.WriteHeader(&header); err != nil {
				t.Fatal(name, err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		refusedAs(t, CodeArchive, Request{Action: "extract", Workspace: at, Path: "to"}, stream.String()+mark)
		if names := namesIn(t, at); names != "" {
			t.Fatalf("%s left %s", name, names)
		}
	}
	refusedAs(t, CodeArchive, Request{Action: "extract", Workspace: at, Path: "to"}, strings.Repeat("x", 1_024)+mark)
}

func TestReadsAPartAndNothingOfWhatHasNotChanged(t *testing.T) {
	at := t.TempDir()
	tag := write1(t, at, "file", "0123456789").ETag
	number := func(n int64) *int64 { return &n }
	for _, of := range []struct {
		wanted Range
		unless []string
		want   string
		part   *Part
	}{
		{wanted: Range{First: number(2), Last: number(4)}, want: "234", part: &Part{2, 5}},
		{wanted: Range{First: number(7)}, want: "789", part: &Part{7, 10}},
		{wanted: Range{Last: number(3)}, want: "789", part: &Part{7, 10}},
		{wanted: Range{First: number(9), Last: number(99)}, want: "9", part: &Part{9, 10}},
		{wanted: Range{First: number(10)}, want: "", part: &Part{10, 10}},
		{wanted: Range{First: number(2), Tag: tag}, want: "23456789", part: &Part{2, 10}},
		{wanted: Range{First: number(2), Tag: "other"}, want: "0123456789"},
		{unless: []string{"other", tag}, want: "", part: &Part{}},
		{unless: []string{"other"}, want: "0123456789"},
	} {
		request := Request{Action: "read", Workspace: at, Path: "file", Range: &of.wanted, Unless: of.unless}
		head, content := ask(t, request, "")
		if content != of.want || (head.Part == nil) != (of.part == nil) || (of.part != nil && *head.Part != *of.part) {
			t.Fatalf("%+v %v: %q %+v", of.wanted, of.unless, content, head.Part)
		}
	}
}

// cutIn returns what the program finds in its place when the content is there but for its end.
func cutIn(t *testing.T, request Request, look func()) Head {
	t.Helper()
	request.BytesMax, request.EntriesMax, request.Mark = 1<<20, 10, mark
	argument, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	in, feed := io.Pipe()
	var out bytes.Buffer
	done := make(chan struct{})
	go func() {
		defer close(done)
		Serve([]string{string(argument)}, in, &out)
	}()
	var stream bytes.Buffer
	w := tar.NewWriter(&stream)
	if err := w.WriteHeader(&tar.Header{Name: "a", Typeflag: tar.TypeReg, Size: 3, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	if request.Action == "write" {
		// More than the program holds back, so that it has made what it writes to.
		stream.Write(make([]byte, 3*bufferBytes))
	}
	if _, err := feed.Write(stream.Bytes()); err != nil {
		t.Fatal(err)
	}
	look()
	feed.Close()
	<-done
	var head Head
	if err := json.Unmarshal(out.Bytes(), &head); err != nil {
		t.Fatal(err)
	}
	return head
}

// awaitAsides returns what uploads that live have made; what a killed one has left is to go.
func awaitAsides(t *testing.T, at string, count int) []string {
	t.Helper()
	for {
		var asides []string
		for _, name := range strings.Fields(namesIn(t, at)) {
			if strings.HasPrefix(name, asidePrefix) {
				asides = append(asides, name)
			}
		}
		if len(asides) == count && !slices.Contains(asides, asidePrefix+"killed") {
			return asides
		}
		time.Sleep(time.Millisecond)
	}
}

func TestAFileOnItsWayHasNoNameThatAKillCouldLeave(t *testing.T) {
	at := t.TempDir()
	write1(t, at, "file", "before")
	cutIn(t, Request{Action: "write", Workspace: at, Path: "file"}, func() {
		if names := namesIn(t, at); names != "file" {
			t.Fatalf("there are %s", names)
		}
	})
}

func TestWhatAKilledUploadHasLeftAsideGoesWithTheNextOne(t *testing.T) {
	at := t.TempDir()
	write1(t, at, "file", "before")
	digest := sha256.Sum256([]byte("file"))
	hidden := asidePrefix + hex.EncodeToString(digest[:16])
	if err := os.WriteFile(filepath.Join(at, hidden), []byte("killed before it took its place"), 0o600); err != nil {
		t.Fatal(err)
	}
	write1(t, at, "file", "after")
	if names := namesIn(t, at); names != "file" {
		t.Fatalf("left behind: %s", names)
	}
	if err := os.MkdirAll(filepath.Join(at, asidePrefix+"killed", "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	cutIn(t, Request{Action: "extract", Workspace: at, Path: "one"}, func() {
		first := awaitAsides(t, at, 1)[0]
		cutIn(t, Request{Action: "extract", Workspace: at, Path: "two"}, func() {
			// The first one is held by its maker, so the second one lets it be.
			if both := awaitAsides(t, at, 2); !slices.Contains(both, first) {
				t.Fatalf("%s is not among %v", first, both)
			}
		})
	})
	if names := namesIn(t, at); names != "file" {
		t.Fatalf("left behind: %s", names)
	}
}
