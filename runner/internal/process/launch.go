package process

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"berth.dev/runner/internal/identity"
	"berth.dev/runner/internal/protocol"
)

const searchFoldersMax = 256

// Command is one program to start, with everything already resolved.
type Command struct {
	Argv             []string
	Env              []string
	WorkingDirectory string
	Identity         identity.Identity
	// Stdin, Stdout and Stderr are descriptors of this process.
	Stdin, Stdout, Stderr uintptr
	// Terminal: Stdin becomes the controlling terminal.
	Terminal bool
}

// Launch forks the command. A StartFailure is the caller's mistake; an error is a lack of resources or permission of
// ours. In both cases nothing has been executed.
func Launch(command Command) (pid int, failure *protocol.StartFailure, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Never unlocked: the thread has given credentials away and ends with this goroutine.
		runtime.LockOSThread()
		pid, failure, err = launchOnThread(command)
	}()
	<-done
	return pid, failure, err
}

func launchOnThread(command Command) (int, *protocol.StartFailure, error) {
	if failure, err := checkFolder(command.WorkingDirectory, command.Identity); failure != nil || err != nil {
		return 0, failure, err
	}
	attributes := &syscall.ProcAttr{
		Dir:   command.WorkingDirectory,
		Env:   command.Env,
		Files: []uintptr{command.Stdin, command.Stdout, command.Stderr},
		Sys:   &syscall.SysProcAttr{Setsid: true, Setctty: command.Terminal},
	}
	root := command.Identity.UID == 0
	if root {
		// Changing from root to root clears no capability, so the thread itself takes the groups and then gives all up.
		if err := setThreadGroups(command.Identity); err != nil {
			return 0, nil, err
		}
	} else {
		attributes.Sys.Credential = &syscall.Credential{
			Uid: command.Identity.UID, Gid: command.Identity.GID, Groups: command.Identity.Groups,
		}
	}
	if err := limitThread(!root); err != nil {
		return 0, nil, err
	}
	if err := yieldThread(); err != nil {
		return 0, nil, err
	}
	pid, err := 0, error(nil)
	withExecOOMScore(func() { pid, err = forkFirstFound(command, attributes) })
	if err == nil {
		return pid, nil, nil
	}
	if failure := startFailureOf(command.Argv[0], err); failure != nil {
		return 0, failure, nil
	}
	return 0, nil, err
}

// forkFirstFound tries the candidates the way execvp does: what is missing is passed over, and what may not be executed
// is remembered in case nothing better follows.
func forkFirstFound(command Command, attributes *syscall.ProcAttr) (int, error) {
	remembered := error(syscall.ENOENT)
	for _, candidate := range candidates(command) {
		pid, err := syscall.ForkExec(candidate, command.Argv, attributes)
		switch {
		case err == nil:
			return pid, nil
		case err == syscall.ENOENT || err == syscall.ENOTDIR:
			// A file that is there but whose interpreter is missing is not found either, and the search goes on.
		case err == syscall.EACCES:
			remembered = err
		default:
			return 0, err
		}
	}
	return 0, remembered
}

func candidates(command Command) []string {
	program := command.Argv[0]
	if strings.Contains(program, "/") {
		return []string{program}
	}
	var found []string
	for _, folder := range strings.SplitN(variable(command.Env, "PATH"), ":", searchFoldersMax) {
		if folder == "" {
			folder = "."
		}
		candidate := folder + "/" + program
		absolute := candidate
		if !filepath.IsAbs(candidate) {
			absolute = filepath.Join(command.WorkingDirectory, candidate)
		}
		// Passing over what is certainly missing saves a fork for each folder.
		if _, err := os.Stat(absolute); err == nil || errors.Is(err, syscall.EACCES) {
			found = append(found, candidate)
		}
	}
	return found
}

func variable(env []string, name string) string {
	for _, entry := range env {
		if value, found := strings.CutPrefix(entry, name+"="); found {
			return value
		}
	}
	return ""
}

func startFailureOf(program string, err error) *protocol.StartFailure {
	code := protocol.CommandNotExecutable
	switch err {
	case syscall.ENOENT, syscall.ENOTDIR:
		code = protocol.CommandNotFound
	case syscall.EACCES, syscall.ENOEXEC, syscall.ELOOP, syscall.EISDIR, syscall.ENAMETOOLONG, syscall.ETXTBSY, syscall.ELIBBAD:
	case syscall.E2BIG:
		code = protocol.ArgumentListTooLong
	default:
		return nil
	}
	return &protocol.StartFailure{Code: code, Message: program + ": " + err.Error()}
}
