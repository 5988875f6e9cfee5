package protocol

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"time"
)

const exitCodeMax = 255

var signalName = regexp.MustCompile(`^SIG[A-Z0-9]{1,12}$`)

type Reason string

const (
	ReasonExited         Reason = "exited"
	ReasonTimedOut       Reason = "timed_out"
	ReasonIdleTimedOut   Reason = "idle_timed_out"
	ReasonCanceled       Reason = "canceled"
	ReasonOutputLimited  Reason = "output_limited"
	ReasonOOMKilled      Reason = "oom_killed"
	ReasonSandboxStopped Reason = "sandbox_stopped"
	ReasonStartFailed    Reason = "start_failed"
)

type StartFailureCode string

const (
	CommandNotFound         StartFailureCode = "command_not_found"
	CommandNotExecutable    StartFailureCode = "command_not_executable"
	ArgumentListTooLong     StartFailureCode = "argument_list_too_long"
	WorkingDirectoryInvalid StartFailureCode = "working_directory_invalid"
	UserInvalid             StartFailureCode = "user_invalid"
)

// ExitCode is what a shell would answer for a command that it cannot execute.
func (c StartFailureCode) ExitCode() int {
	if c == CommandNotFound {
		return 127
	}
	return 126
}

// StartFailure is the caller's mistake, told apart from a lack of resources, which is an Error and starts nothing.
type StartFailure struct {
	Code    StartFailureCode `json:"code"`
	Message string           `json:"message"`
}

type Usage struct {
	UserMs      int64 `json:"userMs"`
	SystemMs    int64 `json:"systemMs"`
	MaxRssBytes int64 `json:"maxRssBytes"`
}

// ExitRecord is the only source of an exit code. Its fields are explained in libs/domain/src/ports/runner.port.ts.
type ExitRecord struct {
	ExecID            string        `json:"execId"`
	Protocol          int           `json:"protocol"`
	ExitCode          *int          `json:"exitCode"`
	Signal            *string       `json:"signal"`
	Reason            Reason        `json:"reason"`
	StartFailure      *StartFailure `json:"startFailure,omitempty"`
	StartedAt         string        `json:"startedAt"`
	FinishedAt        string        `json:"finishedAt"`
	WallMs            int64         `json:"wallMs"`
	StdoutBytes       uint64        `json:"stdoutBytes"`
	StderrBytes       uint64        `json:"stderrBytes"`
	StdoutSHA256      string        `json:"stdoutSha256"`
	StderrSHA256      string        `json:"stderrSha256"`
	EndPosition       uint64        `json:"endPosition"`
	DescendantsKilled int           `json:"descendantsKilled"`
	DescendantsLeft   int           `json:"descendantsLeft"`
	HadToKill         bool          `json:"hadToKill"`
	OOMKills          uint64        `json:"oomKills"`
	OutputHeldOpen    bool          `json:"outputHeldOpen"`
	OutputTruncated   bool          `json:"outputTruncated"`
	StdinBytes        uint64        `json:"stdinBytes"`
	SelfReported      bool          `json:"selfReported"`
	Usage             Usage         `json:"usage"`
}

// WellFormed says whether a host would take the record for one. Whoever could write into the spool could forge it; a
// forgery that is no record must not keep the host from reading anything else.
func (r *ExitRecord) WellFormed() bool {
	switch r.Reason {
	case ReasonExited, ReasonTimedOut, ReasonIdleTimedOut, ReasonCanceled, ReasonOutputLimited, ReasonOOMKilled,
		ReasonSandboxStopped, ReasonStartFailed:
	default:
		return false
	}
	for _, text := range []string{r.StartedAt, r.FinishedAt} {
		if _, err := time.Parse(timestampLayout, text); err != nil {
			return false
		}
	}
	for _, digest := range []string{r.StdoutSHA256, r.StderrSHA256} {
		if bytes, err := hex.DecodeString(digest); err != nil || len(bytes) != sha256.Size || strings.ToLower(digest) != digest {
			return false
		}
	}
	counts := []uint64{r.StdoutBytes, r.StderrBytes, r.EndPosition, r.OOMKills, r.StdinBytes}
	times := []int64{
		r.WallMs, int64(r.DescendantsKilled), int64(r.DescendantsLeft), r.Usage.UserMs, r.Usage.SystemMs, r.Usage.MaxRssBytes,
	}
	return slices.Max(counts) <= SafeIntegerMax && slices.Min(times) >= 0 && slices.Max(times) <= SafeIntegerMax &&
		(r.ExitCode == nil || !outside(int64(*r.ExitCode), 0, exitCodeMax)) && (r.Signal == nil || signalName.MatchString(*r.Signal))
}
