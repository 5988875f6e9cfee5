// Package identity resolves a user the way the container's own files name it. The image may be hostile, so files are
// read with a bound and without blocking, and a missing file is an empty one. It must never fall back to root.
package identity

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

const (
	fileBytesMax     = 4 << 20
	lineBytesMax     = 256 << 10
	groupsMax        = 1_024
	idMax            = 1<<32 - 2
	DefaultHome      = "/workspace"
	passwdFieldCount = 7
	groupFieldCount  = 4
)

type Identity struct {
	UID, GID uint32
	// Groups are the supplementary ones; empty where the request names a group.
	Groups []uint32
	Name   string
	Home   string
}

var ErrUnknown = errors.New("no such user or group")

// Resolver reads the two files of one root, by default /etc.
type Resolver struct {
	PasswdPath, GroupPath string
}

func Container() Resolver { return Resolver{PasswdPath: "/etc/passwd", GroupPath: "/etc/group"} }

// Resolve understands name, name:group, uid and uid:gid. A number that is not listed is itself, with itself as group.
func (r Resolver) Resolve(text string) (Identity, error) {
	user, group, hasGroup := strings.Cut(text, ":")
	if user == "" || (hasGroup && group == "") {
		return Identity{}, ErrUnknown
	}
	identity, err := r.user(user)
	if err != nil {
		return Identity{}, err
	}
	if hasGroup {
		identity.GID, err = r.group(group)
		return identity, err
	}
	identity.Groups, err = r.supplementary(identity.Name, identity.GID)
	return identity, err
}

func (r Resolver) user(user string) (Identity, error) {
	number, isNumber := parseID(user)
	var found *Identity
	err := eachLine(r.PasswdPath, passwdFieldCount, func(fields []string) bool {
		uid, uidOK := parseID(fields[2])
		gid, gidOK := parseID(fields[3])
		if !uidOK || !gidOK || (fields[0] != user && !(isNumber && uid == number)) {
			return true
		}
		found = &Identity{UID: uid, GID: gid, Name: fields[0], Home: homeOf(fields[5])}
		// A name wins over a number that looks like it.
		return fields[0] != user
	})
	switch {
	case err != nil:
		return Identity{}, err
	case found != nil:
		return *found, nil
	case isNumber:
		return Identity{UID: number, GID: number, Name: user, Home: DefaultHome}, nil
	}
	return Identity{}, ErrUnknown
}

func (r Resolver) group(group string) (uint32, error) {
	number, found := parseID(group)
	err := eachLine(r.GroupPath, groupFieldCount, func(fields []string) bool {
		gid, valid := parseID(fields[2])
		if !valid || fields[0] != group {
			return true
		}
		number, found = gid, true
		return false
	})
	if err == nil && !found {
		err = ErrUnknown
	}
	return number, err
}

func (r Resolver) supplementary(name string, primary uint32) ([]uint32, error) {
	var groups []uint32
	err := eachLine(r.GroupPath, groupFieldCount, func(fields []string) bool {
		gid, valid := parseID(fields[2])
		if valid && gid != primary && contains(fields[3], name) {
			groups = append(groups, gid)
		}
		return len(groups) < groupsMax
	})
	return groups, err
}

func contains(members, name string) bool {
	for member := range strings.SplitSeq(members, ",") {
		if member == name {
			return true
		}
	}
	return false
}

func homeOf(text string) string {
	if strings.HasPrefix(text, "/") {
		return text
	}
	return DefaultHome
}

func parseID(text string) (uint32, bool) {
	if text == "" || text[0] < '0' || text[0] > '9' {
		return 0, false
	}
	number, err := strconv.ParseUint(text, 10, 32)
	return uint32(number), err == nil && number <= idMax
}

// eachLine calls visit with the fields of each well-formed line until it returns false.
func eachLine(path string, fieldCount int, visit func([]string) bool) error {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return errors.Join(err, ErrUnknown)
	}
	scanner := bufio.NewScanner(io.LimitReader(file, fileBytesMax))
	scanner.Buffer(make([]byte, 0, 4<<10), lineBytesMax)
	for scanner.Scan() {
		fields := strings.Split(scanner.Text(), ":")
		if len(fields) == fieldCount && !visit(fields) {
			return nil
		}
	}
	return scanner.Err()
}
