package spool

import (
	"os"
	"path/filepath"
	"testing"
)

func TestASpoolThatIsRemovedHasNoInitAnyMore(t *testing.T) {
	root := filepath.Join(t.TempDir(), "spool")
	s, err := Create(root)
	if err != nil {
		t.Fatal(err)
	}
	tenure, err := s.Enter()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(tenure.lock.Name()); err != nil || tenure.removed() {
		t.Fatalf("root in the sandbox took the files alone: %v", err)
	}
	if err := os.RemoveAll(root); err != nil || !tenure.removed() {
		t.Fatalf("the spool is gone: %v", err)
	}
}
