package process

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"syscall"
)

// freezeRoundsMax bounds how often a tree that keeps forking is looked at before it is killed as it is.
const freezeRoundsMax = 64

type process struct {
	pid, parent int
	zombie      bool
}

// Signal sends the signal to every living descendant and returns their ids.
func Signal(root int, signal syscall.Signal) ([]int, error) {
	living, err := descendants(root, Nobody)
	for _, pid := range living {
		_ = syscall.Kill(pid, signal)
	}
	return living, err
}

// Kill stops the tree first, so that nothing escapes between a look and a kill by forking, and then kills it.
// It returns the ids that were alive. The trees below the spared children are left alone; who they are is asked after each
// look, so that it includes whoever was born before the look.
func Kill(root int, spared func() map[int]bool) ([]int, error) {
	stopped := map[int]bool{}
	var failed error
	for range freezeRoundsMax {
		living, err := descendants(root, spared)
		failed = err
		grown := false
		for _, pid := range living {
			if !stopped[pid] {
				stopped[pid], grown = true, true
				_ = syscall.Kill(pid, syscall.SIGSTOP)
			}
		}
		if !grown {
			break
		}
	}
	killed := make([]int, 0, len(stopped))
	for pid := range stopped {
		// What has gone in the meantime is what we wanted.
		if syscall.Kill(pid, syscall.SIGKILL) == nil {
			killed = append(killed, pid)
		}
	}
	return killed, failed
}

// Nobody is spared.
func Nobody() map[int]bool { return nil }

// Living counts the descendants that are not zombies.
func Living(root int) (int, error) {
	living, err := descendants(root, Nobody)
	return len(living), err
}

func descendants(root int, spare func() map[int]bool) ([]int, error) {
	children, err := byParent()
	if err != nil {
		return nil, err
	}
	spared := spare()
	var living []int
	seen := map[int]bool{root: true}
	for queue := []int{root}; len(queue) > 0; queue = queue[1:] {
		for _, child := range children[queue[0]] {
			if seen[child.pid] || spared[child.pid] {
				continue
			}
			seen[child.pid] = true
			queue = append(queue, child.pid)
			if !child.zombie {
				living = append(living, child.pid)
			}
		}
	}
	return living, nil
}

func byParent() (map[int][]process, error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	children := map[int][]process{}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		text, err := os.ReadFile("/proc/" + name + "/stat")
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if found, valid := parseStat(pid, text); valid {
			children[found.parent] = append(children[found.parent], found)
		}
	}
	return children, nil
}

// parseStat takes the fields after the last parenthesis, because the name before it may contain anything.
func parseStat(pid int, text []byte) (process, bool) {
	end := bytes.LastIndexByte(text, ')')
	if end < 0 {
		return process{}, false
	}
	fields := bytes.Fields(text[end+1:])
	if len(fields) < 2 || len(fields[0]) != 1 {
		return process{}, false
	}
	parent, err := strconv.Atoi(string(fields[1]))
	state := fields[0][0]
	return process{pid: pid, parent: parent, zombie: state == 'Z' || state == 'X'}, err == nil
}
