package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

const (
	outputBytesMax  = 4 << 20
	errorBytesMax   = 64 << 10
	messageBytesMax = 4 << 10
	nowhere         = "/nonexistent"
	// fatal is the exit code of a git that cannot begin.
	fatal = 128
	// endLimit is how long a git may take to end that was asked to.
	endLimit = 5 * time.Second
	endLook  = 5 * time.Millisecond
)

// settings are ours for every command, above whatever the repository says: nothing is run that a repository names, no
// protocol but the way to the relay, nothing that goes on behind our back.
var settings = []string{
	"core.hooksPath=/dev/null", "core.fsmonitor=false", "core.sshCommand=false", "core.gitProxy=", "core.askPass=",
	"core.pager=cat", "core.editor=false", "core.alternateRefsCommand=true", "core.quotePath=false",
	"protocol.allow=never", "protocol.http.allow=always", "credential.helper=",
	"http.proxy=", "http.followRedirects=false", "http.extraHeader=", "http.cookieFile=",
	"gc.auto=0", "maintenance.auto=false", "transfer.bundleURI=false",
	"submodule.recurse=false", "fetch.recurseSubmodules=false", "push.recurseSubmodules=no",
	"push.gpgSign=false", "push.followTags=false", "commit.gpgSign=false", "tag.gpgSign=false", "log.showSignature=false",
	"user.useConfigOnly=true", "color.ui=false", "init.templateDir=", "commit.template=",
	"i18n.commitEncoding=UTF-8", "i18n.logOutputEncoding=UTF-8", "merge.verifySignatures=false",
}

// repository is one working tree, and how git is run in it.
type repository struct {
	path  string
	speak *speaker
	// inTime is over when the request has taken as long as it may.
	inTime context.Context
	// bytesMax is of what comes from a remote, and of what is checked out; 0 for any number.
	bytesMax int64
	// overrides turn filters off that the repository's configuration names.
	overrides []string
	// origin is the address of the remote; empty where the repository has none.
	origin  string
	relayed map[string]string
}

// enter makes sure that there is a folder, and turns off what the repository in it could run.
func (r *repository) enter() error {
	if info, err := os.Stat(r.path); err != nil || !info.IsDir() {
		return stopped(NoRepository, "There is no folder "+r.path+".")
	}
	return r.readConfiguration()
}

const (
	originURL     = "remote.origin.url"
	configuration = `^(filter\..*\.(clean|smudge|process|required)|remote\.origin\.url)$`
)

// readConfiguration finds the programs that the configuration sets between files and commits, and sets none; and the
// address of the remote, as it stands there, without any rewriting. It is one command for both, because each is a process.
func (r *repository) readConfiguration() error {
	listed, err := r.run("config", "-z", "--get-regexp", configuration)
	if code(err) == 1 {
		return nil
	}
	if err != nil {
		return err
	}
	r.overrides, r.origin = nil, ""
	for _, entry := range strings.Split(strings.TrimSuffix(listed, "\x00"), "\x00") {
		name, value, _ := strings.Cut(entry, "\n")
		switch {
		case name == originURL:
			r.origin = value
		case strings.HasSuffix(name, ".required"):
			r.overrides = append(r.overrides, name, "false")
		default:
			r.overrides = append(r.overrides, name, "")
		}
	}
	return nil
}

// failure is a git that said no.
type failure struct {
	code int
	text string
}

func (f *failure) Error() string { return f.text }

func code(err error) int {
	var failed *failure
	if errors.As(err, &failed) {
		return failed.code
	}
	return 0
}

// messageOf is what git complained of, which holds no secret any more, short enough to be shown.
func messageOf(err error) string {
	text := strings.TrimSpace(err.Error())
	if len(text) > messageBytesMax {
		text = text[:messageBytesMax]
	}
	return strings.ToValidUTF8(text, "�")
}

// run returns what git printed. A lock that nobody holds any more is taken away, once.
func (r *repository) run(arguments ...string) (string, error) {
	return r.runWith(nil, arguments...)
}

func (r *repository) runWith(input io.Reader, arguments ...string) (string, error) {
	out, err := r.runOnce(input, nil, arguments...)
	if err != nil && strings.Contains(err.Error(), ".lock': File exists") {
		if !removeStaleLock(err.Error()) {
			return out, stopped(Busy, "Another git works in this repository: "+messageOf(err))
		}
		if seeker, can := input.(io.Seeker); can {
			if _, seekErr := seeker.Seek(0, io.SeekStart); seekErr != nil {
				return out, seekErr
			}
		}
		return r.runOnce(input, nil, arguments...)
	}
	return out, err
}

func (r *repository) runOnce(input io.Reader, heard func(string), arguments ...string) (string, error) {
	output := &bounded{max: outputBytesMax}
	err := r.runTo(output, input, heard, arguments...)
	return output.String(), err
}

func (r *repository) runTo(output io.Writer, input io.Reader, heard func(string), arguments ...string) error {
	command, err := r.command(arguments)
	if err != nil {
		return err
	}
	complaints := &bounded{max: errorBytesMax}
	command.Stdin, command.Stdout, command.Stderr = input, output, complaints
	if heard != nil {
		command.Stderr = &listener{to: complaints, scrub: r.speak.scrub, heard: heard}
	}
	err = command.Run()
	if err == nil {
		return nil
	}
	if r.inTime.Err() != nil {
		if command.Process != nil {
			endGroup(command.Process.Pid)
		}
		return stopped(TimedOut, "Git did not come to its end in the time that it had, and was stopped.")
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return fmt.Errorf("start git: %w", err)
	}
	text := r.plain(r.speak.scrub.clean(complaints.String(), complaints.truncated))
	if text == "" {
		text = fmt.Sprintf("git %s ended with %d", arguments[0], exit.ExitCode())
	}
	return verdictOn(exit.ExitCode(), text)
}

// command is git in a group of processes of its own, which ends with the time of the request.
func (r *repository) command(arguments []string) (*exec.Cmd, error) {
	program, err := exec.LookPath("git")
	if err != nil {
		return nil, stopped(Failed, "There is no git in this sandbox: its image has none.")
	}
	var before []string
	for _, setting := range settings {
		before = append(before, "-c", setting)
	}
	command := exec.CommandContext(r.inTime, program, append(before, arguments...)...)
	command.Dir = r.path
	command.Env = r.environment()
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// Asked to end, git takes its locks with it.
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGTERM) }
	command.WaitDelay = endLimit
	return command, nil
}

// endGroup ends what git has started and what has outlived it, so that nothing of it writes on.
func endGroup(id int) {
	for giveUpAt := time.Now().Add(endLimit); time.Now().Before(giveUpAt); time.Sleep(endLook) {
		if syscall.Kill(-id, syscall.SIGKILL) != nil {
			return
		}
	}
}

// fullDisk is how the C library says it, which git repeats.
var fullDisk = regexp.MustCompile(`No space left on device|Disk quota exceeded`)

// verdictOn is what a git that said no has said, of which the remote's share proves nothing about this side.
func verdictOn(exitCode int, text string) error {
	for _, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "remote: ") && fullDisk.MatchString(line) {
			return stopped(DiskFull, "The disk of the sandbox is full: "+messageOf(errors.New(line)))
		}
	}
	if exitCode == fatal && strings.Contains(text, "not a git repository") {
		return stopped(NoRepository, "This is no repository that git takes: "+text)
	}
	return &failure{exitCode, text}
}

// environment is all that git gets: nothing of the user's own configuration, and nobody to ask.
func (r *repository) environment() []string {
	overrides := r.overrides
	for address := range r.relayed {
		// The longest rule is the one that holds, so none of the repository's leads git past the relay.
		overrides = append(overrides[:len(overrides):len(overrides)],
			"url."+address+".insteadOf", address, "url."+address+".pushInsteadOf", address)
	}
	env := []string{
		"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "HOME=" + nowhere, "XDG_CONFIG_HOME=" + nowhere,
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=false",
		"GIT_ALLOW_PROTOCOL=http", "GIT_LITERAL_PATHSPECS=1", "GIT_OPTIONAL_LOCKS=0", "GIT_PAGER=cat",
		"GIT_CEILING_DIRECTORIES=" + filepath.Dir(r.path), "NO_PROXY=*", "no_proxy=*",
		fmt.Sprintf("GIT_CONFIG_COUNT=%d", len(overrides)/2),
	}
	for at := 0; at < len(overrides); at += 2 {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", at/2, overrides[at]),
			fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", at/2, overrides[at+1]))
	}
	return env
}

// plain has the addresses of remotes in it and not those of their relays.
func (r *repository) plain(text string) string {
	for from, to := range r.relayed {
		text = strings.ReplaceAll(text, from, to)
	}
	return strings.TrimSpace(text)
}

// bounded keeps the first bytes and counts on.
type bounded struct {
	bytes.Buffer
	max       int
	truncated bool
}

func (b *bounded) Write(piece []byte) (int, error) {
	room := b.max - b.Len()
	if len(piece) > room {
		b.truncated = true
		b.Buffer.Write(piece[:max(room, 0)])
		return len(piece), nil
	}
	return b.Buffer.Write(piece)
}
