// Package acceptance runs the built program as a sandbox does, with real processes and no Docker. It needs root.
package acceptance

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"berth.dev/runner/internal/protocol"
)

const (
	// execUID is in nobody's passwd.
	execUID       = "54321"
	eventualLimit = 60 * time.Second
)

var runnerPath string

func TestMain(m *testing.M) {
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "the acceptance tests need root, because a sandbox's init is root")
		os.Exit(1)
	}
	folder, err := os.MkdirTemp("", "berth-runner-")
	if err == nil {
		err = os.Chmod(folder, 0o755)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	runnerPath = filepath.Join(folder, "runner")
	build := exec.Command("go", "build", "-trimpath", "-o", runnerPath, "../cmd/runner")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s%v\n", output, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// sandbox is one life, or several, of an init on one spool.
type sandbox struct {
	t         testing.TB
	root      string
	spool     string
	workspace string
	init      *exec.Cmd
	wrapper   []string
}

// newSandbox starts an init in a PID namespace of its own, where it is PID 1 as in a container.
func newSandbox(t testing.TB) *sandbox {
	t.Helper()
	return startSandbox(t, []string{"unshare", "--pid", "--fork", "--kill-child", "--mount-proc"})
}

func startSandbox(t testing.TB, wrapper []string) *sandbox {
	t.Helper()
	root, err := os.MkdirTemp("", "berth-sandbox-")
	if err != nil {
		t.Fatal(err)
	}
	s := &sandbox{t: t, root: root, spool: filepath.Join(root, "spool"), workspace: filepath.Join(root, "workspace"), wrapper: wrapper}
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(s.workspace, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.kill()
		_ = os.RemoveAll(root)
	})
	s.boot()
	return s
}

func (s *sandbox) boot() {
	s.t.Helper()
	words := append(append([]string{}, s.wrapper...), runnerPath, "init")
	s.init = exec.Command(words[0], words[1:]...)
	s.init.Env = []string{"PATH=" + os.Getenv("PATH"), "FROM_IMAGE=yes", "HOME=/root", "BERTH_SPOOL=" + s.spool,
		"BERTH_WORKSPACE=" + s.workspace, "BERTH_EXEC_USER=" + execUID, "BERTH_SECRET=x"}
	s.init.Stderr = os.Stderr
	s.init.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.init.Start(); err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, "init listens", s.listens)
}

func (s *sandbox) listens() bool {
	conn, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return false
	}
	defer syscall.Close(conn)
	return syscall.Connect(conn, &syscall.SockaddrUnix{Name: s.socket()}) == nil
}

func (s *sandbox) socket() string { return filepath.Join(s.spool, "runner.sock") }

func (s *sandbox) dial() *client {
	s.t.Helper()
	return dial(s.t, s.socket())
}

// kill ends init the hard way, and with the namespace everything in it.
func (s *sandbox) kill() {
	if s.init.ProcessState == nil {
		_ = syscall.Kill(-s.init.Process.Pid, syscall.SIGKILL)
		_ = s.init.Wait()
		// The wrapper may be gone a moment before init.
		eventually(s.t, "init is gone", func() bool { return !s.listens() })
	}
}

// initPID is init's id as this process sees it.
func (s *sandbox) initPID() int {
	s.t.Helper()
	for _, pid := range pidsOf(s.t, runnerPath+"\x00init\x00") {
		if strings.Contains(environOf(pid), "BERTH_SPOOL="+s.spool) {
			return pid
		}
	}
	s.t.Fatal("init is not running")
	return 0
}

// file is a path in the workspace.
func (s *sandbox) file(name string) string { return filepath.Join(s.workspace, name) }

func (s *sandbox) read(name string) string {
	text, err := os.ReadFile(s.file(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

func environOf(pid int) string {
	// One that has just ended has none.
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return string(text)
}

func pidsOf(t testing.TB, commandLine string) []int {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, path := range paths {
		text, err := os.ReadFile(path)
		var pid int
		if err != nil || string(text) != commandLine {
			continue
		}
		if _, err := fmt.Sscanf(path, "/proc/%d/cmdline", &pid); err == nil {
			found = append(found, pid)
		}
	}
	return found
}

// marked finds the processes whose environment carries a mark, whoever their parents are.
func marked(t testing.TB, mark string) []int {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, path := range paths {
		text, err := os.ReadFile(path)
		var pid int
		if err != nil || !strings.Contains(string(text), "MARK="+mark) {
			continue
		}
		if _, err := fmt.Sscanf(path, "/proc/%d/environ", &pid); err == nil {
			found = append(found, pid)
		}
	}
	return found
}

func newID() string {
	var bytes [16]byte
	_, _ = rand.Read(bytes[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", bytes[:4], bytes[4:6], bytes[6:8], bytes[8:10], bytes[10:])
}

// release lets a command go on that waits for a file.
func (s *sandbox) release(name string) {
	s.t.Helper()
	if err := os.WriteFile(s.file(name), nil, 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// awaitFile waits for a command to come so far.
func (s *sandbox) awaitFile(name string) {
	s.t.Helper()
	eventually(s.t, "there is "+name, func() bool { _, err := os.Stat(s.file(name)); return err == nil })
}

// shell is a request for a command line whose processes carry the exec's id as a mark.
func shell(line string) protocol.StartRequest {
	id := newID()
	return protocol.StartRequest{ExecID: id, Argv: []string{"sh", "-c", line}, Env: map[string]string{"MARK": id}}
}

func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for giveUpAt := time.Now().Add(eventualLimit); time.Now().Before(giveUpAt); time.Sleep(2 * time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatalf("never came true: %s", what)
}
