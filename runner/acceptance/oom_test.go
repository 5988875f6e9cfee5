package acceptance

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"berth.dev/runner/internal/protocol"
)

// oomCounter stands in the place of the cgroup's own, because no kernel counts on demand.
type oomCounter struct {
	t      *testing.T
	folder string
}

func (o oomCounter) show(kills int) {
	o.t.Helper()
	aside, path := filepath.Join(o.folder, "aside"), filepath.Join(o.folder, "memory.events")
	if err := os.WriteFile(aside, fmt.Appendf(nil, "oom_kill %d\n", kills), 0o644); err != nil {
		o.t.Fatal(err)
	}
	if err := os.Rename(aside, path); err != nil {
		o.t.Fatal(err)
	}
}

func TestAKillThatWasAskedForIsNoOOMKillWhoeverElseRanOutOfMemory(t *testing.T) {
	counter := oomCounter{t: t, folder: t.TempDir()}
	counter.show(0)
	c := startSandbox(t, []string{"unshare", "--pid", "--fork", "--kill-child", "--mount-proc",
		"sh", "-c", `mount --bind "$0" /sys/fs/cgroup && exec "$@"`, counter.folder}).dial()
	signaled, victim := shell("exec sleep 300"), shell("exec sleep 300")
	c.mustStart(signaled)
	c.mustStart(victim)
	counter.show(1)
	if err := syscall.Kill(marked(t, victim.ExecID)[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if got := c.ended(victim.ExecID); ending(got.record) != "oom_killed - SIGKILL" || got.record.OOMKills != 1 {
		t.Fatalf("%+v", got.record)
	}
	request := protocol.SignalRequest{ExecID: signaled.ExecID, Signal: "SIGKILL"}
	if result, err := ask[protocol.SignalResult](c, protocol.Signal, request); err != nil || result.ProcessGroup == 0 {
		t.Fatalf("%+v %v", result, err)
	}
	if got := c.ended(signaled.ExecID); ending(got.record) != "exited - SIGKILL" || got.record.OOMKills != 1 {
		t.Fatalf("%+v", got.record)
	}
}
