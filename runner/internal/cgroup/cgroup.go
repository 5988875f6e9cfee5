// Package cgroup reads the evidence of OOM kills from the container's own cgroup, version 1 or 2.
package cgroup

import (
	"os"
	"strconv"
	"strings"
)

var sources = []string{
	"/sys/fs/cgroup/memory.events",
	"/sys/fs/cgroup/memory/memory.oom_control",
	"/sys/fs/cgroup/unified/memory.events",
}

// OOMKills is the number of processes that the kernel has killed here for want of memory, and whether it is known.
func OOMKills() (uint64, bool) {
	for _, path := range sources {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if kills, found := parse(string(text)); found {
			return kills, true
		}
	}
	return 0, false
}

func parse(text string) (uint64, bool) {
	for line := range strings.Lines(text) {
		if number, found := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); found {
			kills, err := strconv.ParseUint(number, 10, 64)
			return kills, err == nil
		}
	}
	return 0, false
}
