package git

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

var lockNamed = regexp.MustCompile(`Unable to create '([^']+\.lock)': File exists`)

// removeStaleLock takes away a lock whose owner was killed. A lock has an owner as long as any git lives in the sandbox;
// where there is none, nobody will ever take it away.
func removeStaleLock(complaint string) bool {
	found := lockNamed.FindStringSubmatch(complaint)
	if found == nil || gitLives() {
		return false
	}
	return os.Remove(found[1]) == nil
}

func gitLives() bool {
	names, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return true
	}
	own := strconv.Itoa(os.Getpid())
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil || strings.HasPrefix(name, "/proc/"+own+"/") {
			continue
		}
		// berth-git of another request has children that are called git while it works.
		if comm := strings.TrimSpace(string(text)); comm == "git" || strings.HasPrefix(comm, "git-") {
			return true
		}
	}
	return false
}
