package sandbox

import (
	"os"
	"time"

	"berth.dev/runner/internal/process"
)

const (
	orphansKillPause = 20 * time.Millisecond
	orphansKillLimit = 20 * time.Second
)

// killOrphans ends what a dead supervisor has left behind. Orphans have no mark of whose they were, so every child of
// init goes that is not a supervisor; commands that an operator has started by `docker exec` are no children of init
// unless they have been orphaned too.
func (s *Sandbox) killOrphans() {
	for giveUpAt := time.Now().Add(orphansKillLimit); time.Now().Before(giveUpAt); {
		killed, err := process.Kill(os.Getpid(), s.children.spared)
		if err == nil && len(killed) == 0 {
			return
		}
		time.Sleep(orphansKillPause)
	}
}
