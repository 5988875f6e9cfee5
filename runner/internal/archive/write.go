package archive

import (
	"archive/tar"
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"slices"
	"syscall"
)

// inode tells hard links of one file apart from copies.
type inode struct {
	device, number uint64
}

type writer struct {
	tally
	tar *tar.Writer
	// Where a file with several names was first met. Only those are remembered.
	links  map[inode]string
	buffer []byte
}

// Write sends what is below a folder as a tar stream, the folder itself first, in the order of names. A file that changes
// meanwhile is in the stream with the size that it had, and counted.
func Write(folder *os.Root, out io.Writer, limits Limits) (Summary, error) {
	sum := &sumWriter{out: bufio.NewWriterSize(out, bufferBytes), hash: sha256.New()}
	w := &writer{
		tally:  tally{limits: limits},
		tar:    tar.NewWriter(sum),
		links:  map[inode]string{},
		buffer: make([]byte, bufferBytes),
	}
	err := w.top(folder)
	if err == nil {
		err = w.tar.Close()
	}
	if err == nil {
		err = sum.out.Flush()
	}
	w.summary.StreamBytes, w.summary.SHA256 = sum.bytes, hex.EncodeToString(sum.hash.Sum(nil))
	return w.summary, err
}

func (w *writer) top(folder *os.Root) error {
	info, err := folder.Stat(".")
	if err != nil {
		return err
	}
	return w.folder(folder, info, ".", 0)
}

func (w *writer) folder(folder *os.Root, info os.FileInfo, path string, depth int) error {
	if depth > depthMax {
		return refuse(CodeNameTooLong, path, "it lies too deep")
	}
	self, err := folder.Open(".")
	if err != nil {
		return err
	}
	names, err := self.Readdirnames(-1)
	if err == nil {
		header := headerOf(info, path+"/", tar.TypeDir)
		header.PAXRecords = attributesOf(self)
		err = w.head(header)
	}
	self.Close()
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if err := w.child(folder, name, path+"/"+name, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) child(parent *os.Root, name, path string, depth int) error {
	if len(path) > nameBytesMax {
		return refuse(CodeNameTooLong, path, "its name is too long")
	}
	info, err := parent.Lstat(name)
	if err != nil {
		return w.vanished(err)
	}
	switch info.Mode().Type() {
	case 0:
		return w.file(parent, info, name, path)
	case os.ModeDir:
		folder, err := enter(parent, name)
		if err != nil {
			return w.vanished(err)
		}
		defer folder.Close()
		return w.folder(folder, info, path, depth)
	case os.ModeSymlink:
		target, err := parent.Readlink(name)
		if err != nil {
			return w.vanished(err)
		}
		header := headerOf(info, path, tar.TypeSymlink)
		header.Linkname = target
		return w.head(header)
	case os.ModeNamedPipe:
		return w.head(headerOf(info, path, tar.TypeFifo))
	}
	w.summary.Skipped++
	return nil
}

func (w *writer) file(parent *os.Root, listed os.FileInfo, name, path string) error {
	// A pipe or a device that takes the place of the file must not keep this waiting.
	file, err := parent.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return w.vanished(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(listed, info) {
		w.summary.Changed++
		return nil
	}
	header := headerOf(info, path, tar.TypeReg)
	if first, isLink := w.linkOf(info, path); isLink {
		header.Typeflag, header.Linkname = tar.TypeLink, first
		return w.head(header)
	}
	header.Size = info.Size()
	header.PAXRecords = attributesOf(file)
	if err := w.bytes(path, header.Size); err != nil {
		return err
	}
	if err := w.head(header); err != nil {
		return err
	}
	return w.content(file, info)
}

func (w *writer) content(file *os.File, before os.FileInfo) error {
	read, err := io.CopyBuffer(onlyWriter{w.tar}, io.LimitReader(file, before.Size()), w.buffer)
	if err != nil {
		return err
	}
	if _, err := io.CopyN(w.tar, zeros{}, before.Size()-read); err != nil {
		return err
	}
	after, err := file.Stat()
	if err != nil {
		return err
	}
	if read != before.Size() || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		w.summary.Changed++
	}
	return nil
}

// linkOf answers with the first name of a file that has several.
func (w *writer) linkOf(info os.FileInfo, path string) (string, bool) {
	stat := statOf(info)
	if stat.Nlink < 2 {
		return "", false
	}
	key := inode{device: uint64(stat.Dev), number: stat.Ino}
	first, isKnown := w.links[key]
	if !isKnown {
		w.links[key] = path
	}
	return first, isKnown
}

func (w *writer) head(header *tar.Header) error {
	if err := w.entry(header.Name); err != nil {
		return err
	}
	return w.tar.WriteHeader(header)
}

// vanished counts what went or became another thing since its folder was listed. Any other error ends the archive.
func (w *writer) vanished(err error) error {
	for _, gone := range []error{os.ErrNotExist, syscall.ELOOP, syscall.ENOTDIR, syscall.ENXIO, errNotAFolder} {
		if errors.Is(err, gone) {
			w.summary.Changed++
			return nil
		}
	}
	return err
}

func headerOf(info os.FileInfo, path string, kind byte) *tar.Header {
	stat := statOf(info)
	return &tar.Header{
		Typeflag: kind,
		Name:     path,
		Mode:     int64(stat.Mode & 0o7777),
		Uid:      int(stat.Uid),
		Gid:      int(stat.Gid),
		ModTime:  info.ModTime(),
		Format:   tar.FormatPAX,
	}
}

func statOf(info os.FileInfo) *syscall.Stat_t {
	stat, isStat := info.Sys().(*syscall.Stat_t)
	if !isStat {
		panic("a file of this system has no stat")
	}
	return stat
}

// sumWriter counts and hashes what goes through it.
type sumWriter struct {
	out   *bufio.Writer
	hash  hash.Hash
	bytes int64
}

func (s *sumWriter) Write(p []byte) (int, error) {
	n, err := s.out.Write(p)
	s.hash.Write(p[:n])
	s.bytes += int64(n)
	return n, err
}

// onlyWriter hides every other method, so that the buffer which was made once is used.
type onlyWriter struct{ io.Writer }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
