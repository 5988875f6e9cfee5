package protocol

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
