package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func wantRefusal(t *testing.T, err error, code Code) {
	t.Helper()
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Code != code {
		t.Fatalf("wanted %s, got %v", code, err)
	}
}

func file(name string, content string) (tar.Header, string) {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content))}, content
}

func link(kind byte, name, target string) (tar.Header, string) {
	return tar.Header{Typeflag: kind, Name: name, Linkname: target, Mode: 0o777}, ""
}

type entry struct {
	header  tar.Header
	content string
}

func of(header tar.Header, content string) entry { return entry{header, content} }

func streamOf(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var stream bytes.Buffer
	out := tar.NewWriter(&stream)
	for _, one := range entries {
		header := one.header
		must(t, out.WriteHeader(&header))
		_, err := out.Write([]byte(one.content))
		must(t, err)
	}
	must(t, out.Close())
	return stream.Bytes()
}

// extracted extracts into a folder beside one that nothing may touch.
func extracted(t *testing.T, stream []byte, wanted Extraction) (string, error) {
	t.Helper()
	around := t.TempDir()
	must(t,
		os.Mkdir(filepath.Join(around, "target"), 0o755),
		os.WriteFile(filepath.Join(around, "outside"), []byte("untouched"), 0o600),
	)
	_, err := Extract(open(t, filepath.Join(around, "target")), bytes.NewReader(stream), wanted)
	names, listError := os.ReadDir(around)
	content, readError := os.ReadFile(filepath.Join(around, "outside"))
	must(t, listError, readError)
	if len(names) != 2 || string(content) != "untouched" {
		t.Fatalf("what is outside has changed: %v, %q", names, content)
	}
	return filepath.Join(around, "target"), err
}

func TestWhatWouldLeaveTheFolderIsRefused(t *testing.T) {
	folder := tar.Header{Typeflag: tar.TypeDir, Name: "folder", Mode: 0o755}
	for name, attack := range map[string]struct {
		code    Code
		entries []entry
	}{
		"a name that leads up":           {CodeOutside, []entry{of(file("../outside", "x"))}},
		"a name that leads up and back":  {CodeOutside, []entry{of(file("folder/../../outside", "x"))}},
		"an absolute name":               {CodeOutside, []entry{of(file("/tmp/x", "x"))}},
		"a file through a link":          {CodeThroughLink, []entry{of(link(tar.TypeSymlink, "l", "..")), of(file("l/outside", "x"))}},
		"a file through a link within":   {CodeThroughLink, []entry{{folder, ""}, of(link(tar.TypeSymlink, "l", "folder")), of(file("l/x", "x"))}},
		"a folder in place of a link":    {CodeThroughLink, []entry{of(link(tar.TypeSymlink, "l", "..")), {tar.Header{Typeflag: tar.TypeDir, Name: "l", Mode: 0o777}, ""}}},
		"a file over a link":             {CodeDuplicate, []entry{of(link(tar.TypeSymlink, "l", "../outside")), of(file("l", "x"))}},
		"a hard link to what is outside": {CodeLinkTarget, []entry{of(link(tar.TypeLink, "l", "../outside"))}},
		"a hard link to the system":      {CodeLinkTarget, []entry{of(link(tar.TypeLink, "l", "/etc/shadow"))}},
		"a hard link through a link":     {CodeLinkTarget, []entry{of(link(tar.TypeSymlink, "l", "..")), of(link(tar.TypeLink, "m", "l/outside"))}},
		"a hard link to a link":          {CodeLinkTarget, []entry{of(link(tar.TypeSymlink, "l", "../outside")), of(link(tar.TypeLink, "m", "l"))}},
		"a hard link to nothing":         {CodeLinkTarget, []entry{of(link(tar.TypeLink, "l", "none"))}},
		"a device":                       {CodeSpecialFile, []entry{{tar.Header{Typeflag: tar.TypeBlock, Name: "disk", Devmajor: 8}, ""}}},
		"a terminal":                     {CodeSpecialFile, []entry{{tar.Header{Typeflag: tar.TypeChar, Name: "tty", Devmajor: 5}, ""}}},
		"a file twice":                   {CodeDuplicate, []entry{of(file("a", "1")), of(file("./a", "2"))}},
		"a folder twice":                 {CodeDuplicate, []entry{{folder, ""}, {folder, ""}}},
		"a file in place of the folder":  {CodeDuplicate, []entry{of(file(".", "x"))}},
		"more bytes than may be":         {CodeTooManyBytes, []entry{of(file("a", string(make([]byte, 1<<20)))), of(file("b", "1"))}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := extracted(t, streamOf(t, attack.entries...), Extraction{Limits: generous})
			wantRefusal(t, err, attack.code)
		})
	}
}

func TestAHeaderThatAnnouncesMoreThanMayBeIsRefusedBeforeAByteIsWritten(t *testing.T) {
	stream := streamOf(t, of(file("a", "x")))
	for _, size := range []string{"77777777777\x00", "\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff"} {
		target, err := extracted(t, withSize(stream, size), Extraction{Limits: generous})
		wantRefusal(t, err, CodeTooManyBytes)
		if names, _ := os.ReadDir(target); len(names) != 0 {
			t.Fatalf("it left %v", names)
		}
	}
	_, err := extracted(t, withSize(stream, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xf0"), Extraction{Limits: generous})
	wantRefusal(t, err, CodeMalformed)
}

// withSize writes another size into the first header and corrects its sum.
func withSize(stream []byte, size string) []byte {
	spoiled := bytes.Clone(stream)
	copy(spoiled[124:136], size)
	copy(spoiled[148:156], "        ")
	sum := 0
	for _, one := range spoiled[:512] {
		sum += int(one)
	}
	digits := []byte("000000\x00 ")
	for at := 5; at >= 0; at-- {
		digits[at] = byte('0' + sum%8)
		sum /= 8
	}
	copy(spoiled[148:156], digits)
	return spoiled
}

func TestWhatIsNotTheStreamThatWasAnnouncedIsRefused(t *testing.T) {
	source := t.TempDir()
	must(t, os.WriteFile(filepath.Join(source, "a"), bytes.Repeat([]byte("abc"), 1_000), 0o600))
	stream, summary := written(t, source)
	wanted := Extraction{Limits: generous, StreamBytes: summary.StreamBytes, SHA256: summary.SHA256}
	spoiled := bytes.Clone(stream)
	spoiled[len(spoiled)-2_000] ^= 1
	for name, attempt := range map[string]struct {
		code   Code
		stream []byte
	}{
		"nothing":             {CodeTruncated, nil},
		"its first half":      {CodeTruncated, stream[:len(stream)/2]},
		"without its last":    {CodeTruncated, stream[:len(stream)-512]},
		"with another byte":   {CodeHashMismatch, spoiled},
		"with something more": {CodeTruncated, append(bytes.Clone(stream), make([]byte, 512)...)},
		"no archive at all":   {CodeMalformed, bytes.Repeat([]byte("no tar "), 1_000)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := extracted(t, attempt.stream, wanted)
			wantRefusal(t, err, attempt.code)
		})
	}
}

func TestAFolderThatIsNotEmptyIsLeftAlone(t *testing.T) {
	target := t.TempDir()
	must(t, os.WriteFile(filepath.Join(target, "there"), nil, 0o600))
	_, err := Extract(open(t, target), bytes.NewReader(streamOf(t, of(file("a", "x")))), Extraction{IntoEmpty: true})
	wantRefusal(t, err, CodeNotEmpty)
	if names, _ := os.ReadDir(target); len(names) != 1 {
		t.Fatalf("it left %v", names)
	}
}

func FuzzExtractStaysInItsFolder(f *testing.F) {
	// Each extraction waits for the disk, which thousands of them have no use for.
	if _, err := os.Stat("/dev/shm"); err == nil {
		f.Setenv("TMPDIR", "/dev/shm")
	}
	t := &testing.T{}
	f.Add(streamOf(t, of(file("a/b", "x")), of(link(tar.TypeSymlink, "l", ".."))))
	f.Add(streamOf(t, of(link(tar.TypeSymlink, "l", "..")), of(file("l/outside", "x"))))
	f.Fuzz(func(t *testing.T, stream []byte) {
		_, _ = extracted(t, stream, Extraction{Limits: Limits{BytesMax: 1 << 16, EntriesMax: 50}})
	})
}
