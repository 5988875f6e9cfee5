package identity

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

const passwd = `root:x:0:0:root:/root:/bin/sh
malformed
node:x:1000:1001:Node,,,:/home/node:/bin/bash
1234:x:77:78::/home/odd:
nohome:x:2000:2000:::
`
const group = `root:x:0:
staff:x:50:node,nohome
docker:x:998:other,node
node:x:1001:node
`

func resolver(t *testing.T) Resolver {
	folder := t.TempDir()
	files := Resolver{PasswdPath: filepath.Join(folder, "passwd"), GroupPath: filepath.Join(folder, "group")}
	for path, text := range map[string]string{files.PasswdPath: passwd, files.GroupPath: group} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func TestUsersResolveTheWayTheContainerNamesThem(t *testing.T) {
	files := resolver(t)
	cases := map[string]Identity{
		"node":       {UID: 1000, GID: 1001, Groups: []uint32{50, 998}, Name: "node", Home: "/home/node"},
		"1000":       {UID: 1000, GID: 1001, Groups: []uint32{50, 998}, Name: "node", Home: "/home/node"},
		"node:staff": {UID: 1000, GID: 50, Name: "node", Home: "/home/node"},
		"node:4242":  {UID: 1000, GID: 4242, Name: "node", Home: "/home/node"},
		"5000":       {UID: 5000, GID: 5000, Name: "5000", Home: DefaultHome},
		"5000:5001":  {UID: 5000, GID: 5001, Name: "5000", Home: DefaultHome},
		"1234":       {UID: 77, GID: 78, Name: "1234", Home: "/home/odd"},
		"nohome":     {UID: 2000, GID: 2000, Groups: []uint32{50}, Name: "nohome", Home: DefaultHome},
		"root":       {UID: 0, GID: 0, Name: "root", Home: "/root"},
		"4294967294": {UID: 4294967294, GID: 4294967294, Name: "4294967294", Home: DefaultHome},
	}
	for text, want := range cases {
		got, err := files.Resolve(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
}

func TestWhatDoesNotResolveIsRefusedAndNeverRoot(t *testing.T) {
	files := resolver(t)
	for _, text := range []string{"", ":", "nobody", "node:nogroup", "-1", "4294967295", "99999999999", "node:", ":staff", "0x10"} {
		if got, err := files.Resolve(text); !errors.Is(err, ErrUnknown) {
			t.Errorf("%q: got %+v, %v", text, got, err)
		}
	}
}

func TestAnImageWithoutFilesKnowsOnlyNumbers(t *testing.T) {
	none := Resolver{PasswdPath: "/nonexistent/passwd", GroupPath: "/nonexistent/group"}
	if got, err := none.Resolve("1000"); err != nil || got.UID != 1000 || got.GID != 1000 {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := none.Resolve("node"); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	folder := Resolver{PasswdPath: t.TempDir(), GroupPath: "/nonexistent"}
	if _, err := folder.Resolve("1000"); err == nil {
		t.Error("a folder is no passwd file")
	}
}
