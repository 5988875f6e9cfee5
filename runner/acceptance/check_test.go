package acceptance

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"berth.dev/runner/internal/check"
)

// askOnce runs the check as `docker exec` would, with the workspace of a test.
func askOnce(t *testing.T, order check.Order) (check.Outcome, string) {
	t.Helper()
	workspace, err := os.MkdirTemp("", "berth-check-")
	if err == nil {
		err = os.Chmod(workspace, 0o777)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(workspace) })
	text, err := json.Marshal(order)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(runnerPath, "check", string(text))
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "BERTH_WORKSPACE=" + workspace, "BERTH_EXEC_USER=" + execUID, "BERTH_SECRET=x"}
	command.Stderr = os.Stderr
	output, err := command.Output()
	var outcome check.Outcome
	if err != nil || json.Unmarshal(output, &outcome) != nil {
		t.Fatalf("%v: %s", err, output)
	}
	return outcome, workspace
}

func TestACheckRunsAsAnExecWouldAndTellsWhyItFailed(t *testing.T) {
	outcome, _ := askOnce(t, check.Order{Command: []string{"sh", "-c", "id -u; env | grep BERTH_; exit 3"}, TimeoutMs: 20_000})
	if outcome.OK || outcome.Detail != "exit code 3. "+execUID {
		t.Fatalf("%+v", outcome)
	}
	if outcome, _ := askOnce(t, check.Order{Command: []string{"true"}, TimeoutMs: 20_000}); !outcome.OK || outcome.Detail != "" {
		t.Fatalf("%+v", outcome)
	}
	if outcome, _ := askOnce(t, check.Order{Command: []string{"no-such-program"}, TimeoutMs: 20_000}); !strings.Contains(outcome.Detail, "no-such-program") {
		t.Fatalf("%+v", outcome)
	}
}

func TestACheckThatIsLateLeavesNoProcessAndSaysLittle(t *testing.T) {
	script := "echo $$ >> pids; (setsid sh -c 'echo $$ >> pids; exec sleep 300' &); yes & sleep 300"
	outcome, workspace := askOnce(t, check.Order{Command: []string{"sh", "-c", script}, TimeoutMs: 3_000})
	if outcome.OK || !strings.HasPrefix(outcome.Detail, "it did not end in time. y") || len(outcome.Detail) > 500 {
		t.Fatalf("%+v", outcome)
	}
	pids, err := os.ReadFile(filepath.Join(workspace, "pids"))
	if err != nil || len(strings.Fields(string(pids))) != 2 {
		t.Fatalf("%s %v", pids, err)
	}
	for _, pid := range strings.Fields(string(pids)) {
		eventually(t, "it is gone", func() bool { _, err := os.Stat("/proc/" + pid); return err != nil })
	}
}

func TestACheckByHTTPReadsAStatusAndNothingElse(t *testing.T) {
	answers := map[string]bool{
		"HTTP/1.1 200 OK\r\n\r\n": true, "HTTP/1.0 302 Found\r\nLocation: http://192.0.2.1/\r\n\r\n": true,
		"HTTP/1.1 503 no\r\n\r\n": false, "SSH-2.0 200\r\n": false, "": false, strings.Repeat("x", 1<<20): false,
	}
	for answer, healthy := range answers {
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		asked := make(chan string, 1)
		go func() {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			buffer := make([]byte, 4096)
			count, _ := conn.Read(buffer)
			asked <- string(buffer[:count])
			_, _ = fmt.Fprint(conn, answer)
			_ = conn.Close()
		}()
		port := uint16(listener.Addr().(*net.TCPAddr).Port)
		outcome, _ := askOnce(t, check.Order{HTTP: &check.Request{Port: port, Path: "/healthz"}, TimeoutMs: 20_000})
		if outcome.OK != healthy {
			t.Errorf("%.30q: %+v", answer, outcome)
		}
		if text := <-asked; !strings.HasPrefix(text, "GET /healthz HTTP/1.1\r\nHost: localhost:") {
			t.Errorf("asked %q", text)
		}
		_ = listener.Close()
	}
	if outcome, _ := askOnce(t, check.Order{HTTP: &check.Request{Port: 1, Path: "/"}, TimeoutMs: 20_000}); outcome.OK || !strings.HasPrefix(outcome.Detail, "nothing listens on port 1") {
		t.Fatalf("%+v", outcome)
	}
}
