package process

import (
	"os"
	"slices"
	"syscall"
	"testing"
)

// sleeper is a child that stays until it is killed.
func sleeper(t *testing.T) int {
	t.Helper()
	pid, err := syscall.ForkExec("/bin/sleep", []string{"sleep", "300"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		if _, err := syscall.Wait4(pid, nil, 0, nil); err != nil {
			t.Errorf("wait for a sleeper: %v", err)
		}
	})
	return pid
}

func TestOneThatIsSparedFromItsBirthOnIsSparedAlsoWhenItIsBornWhileOthersAreLookedFor(t *testing.T) {
	victim := sleeper(t)
	born := map[int]bool{}
	killed, err := Kill(os.Getpid(), func() map[int]bool {
		if len(born) == 0 {
			born[sleeper(t)] = true
			return nil
		}
		return born
	})
	if err != nil || !slices.Equal(killed, []int{victim}) || len(born) != 1 {
		t.Fatalf("killed %v of %d and %v: %v", killed, victim, born, err)
	}
}
