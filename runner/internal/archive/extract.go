package archive

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"path"
	"strings"
	"time"
)

const (
	folderMode = 0o755
	// Until it has its content a file is nobody else's to read.
	unfinishedMode = 0o600
	// Two empty blocks.
	endBytes = 1_024
	// Setuid and setgid, as a header has them.
	identityBits = 0o6000
	permissions  = os.ModePerm | os.ModeSetuid | os.ModeSetgid | os.ModeSticky
)

// Owner is who everything shall belong to, whatever the archive says.
type Owner struct {
	UID int `json:"uid"`
	GID int `json:"gid"`
}

// Extraction says what is expected of a stream.
type Extraction struct {
	Limits
	// With a hash the whole stream must have exactly that, and as many bytes.
	StreamBytes int64  `json:"streamBytes"`
	SHA256      string `json:"sha256"`
	// Nil: as the archive says.
	Owner *Owner `json:"owner,omitempty"`
	// The folder must be empty before.
	IntoEmpty bool `json:"intoEmpty"`
	// PlainOnly refuses pipes and modes that lend an identity, which no stranger's archive needs, and a stream without the
	// two empty blocks at its end: nobody has said how long it is, so it may have been cut off.
	PlainOnly bool `json:"plainOnly"`
}

type finish struct {
	parts  []string
	header *tar.Header
}

type extractor struct {
	tally
	Extraction
	place  *place
	buffer []byte
	// Folders get their mode and times last, because what is put into them changes both.
	folders []finish
}

// Extract makes the files of a tar stream in a folder. What a stream may not do is refused when it is met, and what was made
// until then stays: the caller throws the folder away.
func Extract(folder *os.Root, in io.Reader, wanted Extraction) (Summary, error) {
	sum := &sumReader{in: bufio.NewReaderSize(in, bufferBytes), hash: sha256.New()}
	e := &extractor{
		tally:      tally{limits: wanted.Limits},
		Extraction: wanted,
		place:      newPlace(folder),
		buffer:     make([]byte, bufferBytes),
	}
	defer e.place.close()
	err := e.all(folder, sum)
	e.summary.StreamBytes, e.summary.SHA256 = sum.bytes, hex.EncodeToString(sum.hash.Sum(nil))
	if err == nil {
		err = e.verify()
	}
	return e.summary, err
}

func (e *extractor) all(folder *os.Root, sum *sumReader) error {
	if e.IntoEmpty {
		if err := requireEmpty(folder); err != nil {
			return err
		}
	}
	stream := tar.NewReader(sum)
	for {
		header, err := stream.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return streamError(err)
		}
		if err := e.one(header, stream); err != nil {
			return err
		}
	}
	// What comes after the last entry belongs to the stream and to its hash.
	if _, err := io.CopyBuffer(io.Discard, sum, e.buffer); err != nil {
		return err
	}
	if e.PlainOnly && sum.zeros < endBytes {
		return refuse(CodeTruncated, "", "the stream has no end")
	}
	for i := len(e.folders) - 1; i >= 0; i-- {
		if err := e.finishFolder(e.folders[i]); err != nil {
			return err
		}
	}
	return syncFileSystem(folder)
}

func (e *extractor) verify() error {
	if e.SHA256 == "" {
		return nil
	}
	if e.summary.StreamBytes != e.StreamBytes {
		return refuse(CodeTruncated, "", "the stream has another length than was announced")
	}
	if e.summary.SHA256 != e.SHA256 {
		return refuse(CodeHashMismatch, "", "the stream has another hash than was announced")
	}
	return nil
}

func (e *extractor) one(header *tar.Header, content io.Reader) error {
	if header.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	parts, err := partsOf(header.Name)
	if err != nil {
		return err
	}
	if err := e.entry(header.Name); err != nil {
		return err
	}
	if e.PlainOnly && (header.Typeflag == tar.TypeFifo || header.Mode&identityBits != 0) {
		return refuse(CodeSpecialFile, header.Name, "it is a pipe, or lends its owner's identity")
	}
	if e.Owner != nil {
		header.Uid, header.Gid = e.Owner.UID, e.Owner.GID
	}
	if header.Typeflag == tar.TypeDir {
		return e.folder(parts, header)
	}
	if len(parts) == 0 {
		return refuse(CodeDuplicate, header.Name, "it would replace the folder itself")
	}
	parent, err := e.place.folder(parts[:len(parts)-1], header.Name)
	if err != nil {
		return err
	}
	return e.make(parent, parts[len(parts)-1], header, content)
}

func (e *extractor) make(parent *os.Root, name string, header *tar.Header, content io.Reader) error {
	switch header.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		return e.file(parent, name, header, content)
	case tar.TypeSymlink:
		// It may name anything, as it is never followed by what extracts, nor by anything outside of the sandbox.
		if err := parent.Symlink(header.Linkname, name); err != nil {
			return existing(err, header.Name)
		}
		return finishEntry(parent, name, header)
	case tar.TypeLink:
		return e.hardLink(parent, name, header)
	case tar.TypeFifo:
		if err := makePipe(parent, name); err != nil {
			return existing(err, header.Name)
		}
		if err := finishEntry(parent, name, header); err != nil {
			return err
		}
		return parent.Chmod(name, header.FileInfo().Mode()&permissions)
	}
	return refuse(CodeSpecialFile, header.Name, "it is neither file, folder, link nor pipe")
}

func (e *extractor) folder(parts []string, header *tar.Header) error {
	if _, err := e.place.folder(parts, header.Name); err != nil {
		return err
	}
	if !e.place.name(parts) {
		return refuse(CodeDuplicate, header.Name, "the archive has it twice")
	}
	e.folders = append(e.folders, finish{parts: parts, header: header})
	return nil
}

func (e *extractor) finishFolder(done finish) error {
	folder, err := e.place.folder(done.parts, done.header.Name)
	if err != nil {
		return err
	}
	self, err := folder.Open(".")
	if err != nil {
		return err
	}
	defer self.Close()
	return e.finishFile(self, done.header)
}

func (e *extractor) file(parent *os.Root, name string, header *tar.Header, content io.Reader) error {
	if err := e.bytes(header.Name, header.Size); err != nil {
		return err
	}
	file, err := parent.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, unfinishedMode)
	if err != nil {
		return existing(err, header.Name)
	}
	defer file.Close()
	if _, err := io.CopyBuffer(struct{ io.Writer }{file}, content, e.buffer); err != nil {
		return streamError(err)
	}
	return e.finishFile(file, header)
}

// hardLink takes no other target than a regular file of the same folder.
func (e *extractor) hardLink(parent *os.Root, name string, header *tar.Header) error {
	target, err := partsOf(header.Linkname)
	if err != nil || len(target) == 0 {
		return refuse(CodeLinkTarget, header.Name, "its target is outside of the folder")
	}
	into := path.Join(e.place.parts...)
	folder, err := e.place.existing(target[:len(target)-1])
	if err != nil {
		return refuse(CodeLinkTarget, header.Name, "its target is not there")
	}
	info, err := folder.Lstat(target[len(target)-1])
	if err != nil || !info.Mode().IsRegular() {
		return refuse(CodeLinkTarget, header.Name, "its target is no file of the archive")
	}
	return existing(e.place.root.Link(path.Join(target...), path.Join(into, name)), header.Name)
}

func (e *extractor) finishFile(file *os.File, header *tar.Header) error {
	e.summary.Skipped += setAttributes(file, header.PAXRecords)
	if err := file.Chown(header.Uid, header.Gid); err != nil {
		return err
	}
	// After the owner, because a change of that takes bits away.
	if err := file.Chmod(header.FileInfo().Mode() & permissions); err != nil {
		return err
	}
	return setTimes(file, "", modTimeOf(header))
}

func finishEntry(parent *os.Root, name string, header *tar.Header) error {
	if err := parent.Lchown(name, header.Uid, header.Gid); err != nil {
		return err
	}
	self, err := parent.Open(".")
	if err != nil {
		return err
	}
	defer self.Close()
	return setTimes(self, name, modTimeOf(header))
}

func modTimeOf(header *tar.Header) time.Time {
	if header.ModTime.IsZero() {
		return time.Unix(0, 0)
	}
	return header.ModTime
}

func requireEmpty(folder *os.Root) error {
	self, err := folder.Open(".")
	if err != nil {
		return err
	}
	defer self.Close()
	if _, err := self.Readdirnames(1); !errors.Is(err, io.EOF) {
		return refuse(CodeNotEmpty, "", "the folder is not empty")
	}
	return nil
}

func existing(err error, name string) error {
	if errors.Is(err, os.ErrExist) {
		return refuse(CodeDuplicate, name, "the archive has it twice")
	}
	return err
}

// streamError tells what the bytes are to blame for from what the machine is.
func streamError(err error) error {
	var refusal *Refusal
	var pathError *os.PathError
	switch {
	case errors.As(err, &refusal), errors.As(err, &pathError):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return refuse(CodeTruncated, "", "the stream breaks off")
	case errors.Is(err, tar.ErrHeader), strings.HasPrefix(err.Error(), "archive/tar"):
		return refuse(CodeMalformed, "", "the stream is no tar archive")
	}
	return err
}

// sumReader counts and hashes what is read through it.
type sumReader struct {
	in    io.Reader
	hash  hash.Hash
	bytes int64
	// How many zero bytes came last.
	zeros int64
}

func (s *sumReader) Read(p []byte) (int, error) {
	n, err := s.in.Read(p)
	s.hash.Write(p[:n])
	s.bytes += int64(n)
	zeros := n - len(bytes.TrimRight(p[:n], "\x00"))
	if zeros < n {
		s.zeros = 0
	}
	s.zeros += int64(zeros)
	return n, err
}
