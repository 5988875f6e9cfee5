// Package protocol names what travels over the channel and lies in the spool as JSON: docs/RUNNER-PROTOCOL.md in Go.
// It must hold no behaviour beyond checking what a host may ask.
package protocol

import (
	"time"

	"berth.dev/runner/internal/wire"
)

const (
	// Version is the highest protocol, VersionMin the lowest one that a host may still speak.
	Version    = 2
	VersionMin = 1

	// SafeIntegerMax keeps every number exact on the TypeScript side.
	SafeIntegerMax = 1<<53 - 1

	DataBytesMax     = 512 << 10
	WindowBytesMin   = DataBytesMax
	WindowBytesMax   = 64 << 20
	GraceMsMax       = 60_000
	ListLimitMax     = 200
	ListLimitDefault = 100
	PingBytesMax     = 64

	UncommittedBytesDefault = 64 << 20
	// UncommittedBytesMin leaves room for a whole read of each pipe.
	UncommittedBytesMin = 1 << 20
)

const (
	Hello    wire.Type = 0x01
	Ping     wire.Type = 0x02
	Start    wire.Type = 0x10
	Status   wire.Type = 0x11
	List     wire.Type = 0x12
	Follow   wire.Type = 0x13
	Window   wire.Type = 0x14
	Unfollow wire.Type = 0x15
	Commit   wire.Type = 0x16
	Cancel   wire.Type = 0x17
	Forget   wire.Type = 0x18

	// From protocol 2 on.
	Stdin  wire.Type = 0x20
	Signal wire.Type = 0x21
	Resize wire.Type = 0x22

	HelloOK wire.Type = 0x81
	Pong    wire.Type = 0x82
	Result  wire.Type = 0x90
	Failed  wire.Type = 0x91
	Data    wire.Type = 0x92
	End     wire.Type = 0x93
	Lost    wire.Type = 0x94
)

type State string

const (
	StateUnknown   State = "unknown"
	StateStarting  State = "starting"
	StateStarted   State = "started"
	StateRunning   State = "running"
	StateFinished  State = "finished"
	StateCanceled  State = "canceled"
	StateForgotten State = "forgotten"
	StateLost      State = "lost"
	// StateNeverStarted answers only a cancel.
	StateNeverStarted State = "never_started"
)

type LostReason string

const (
	LostSandboxRestarted LostReason = "sandbox_restarted"
	LostSupervisorDied   LostReason = "supervisor_died"
	LostRecordUnreadable LostReason = "record_unreadable"
)

type Block string

const (
	BlockNone             Block = ""
	BlockUncommittedLimit Block = "uncommitted_limit"
	BlockDiskFull         Block = "disk_full"
)

type HelloRequest struct {
	Protocols []int  `json:"protocols"`
	Client    string `json:"client"`
}

type HelloResult struct {
	Protocol int    `json:"protocol"`
	Version  string `json:"version"`
	BootID   string `json:"bootId"`
	Epoch    uint64 `json:"epoch"`
	Mode     string `json:"mode"`
}

type StartRequest struct {
	ExecID              string            `json:"execId"`
	Argv                []string          `json:"argv"`
	Env                 map[string]string `json:"env,omitempty"`
	WorkingDirectory    string            `json:"workingDirectory,omitempty"`
	User                string            `json:"user,omitempty"`
	AllowRoot           bool              `json:"allowRoot,omitempty"`
	TimeoutMs           int64             `json:"timeoutMs,omitempty"`
	IdleTimeoutMs       int64             `json:"idleTimeoutMs,omitempty"`
	OutputBytesMax      int64             `json:"outputBytesMax,omitempty"`
	UncommittedBytesMax int64             `json:"uncommittedBytesMax,omitempty"`
	AllowBackground     bool              `json:"allowBackground,omitempty"`
	// Transient: it is over with its request, so nothing of it need outlive a power cut, and forgetting leaves no tombstone.
	Transient bool `json:"transient,omitempty"`
	// Both from protocol 2 on. Without Stdin the command reads /dev/null, or its terminal.
	Stdin *StdinSource  `json:"stdin,omitempty"`
	TTY   *TerminalSize `json:"tty,omitempty"`
}

type StartResult struct {
	State      State       `json:"state"`
	ExitRecord *ExitRecord `json:"exitRecord,omitempty"`
}

type ExecRequest struct {
	ExecID string `json:"execId"`
}

type ExecStatus struct {
	ExecID        string      `json:"execId"`
	State         State       `json:"state"`
	FirstPosition uint64      `json:"firstPosition"`
	EndPosition   uint64      `json:"endPosition"`
	PID           int         `json:"pid,omitempty"`
	StartedAt     string      `json:"startedAt,omitempty"`
	Blocked       Block       `json:"blocked,omitempty"`
	ExitRecord    *ExitRecord `json:"exitRecord,omitempty"`
	LostReason    LostReason  `json:"lostReason,omitempty"`
}

type ListRequest struct {
	After string `json:"after,omitempty"`
	Limit int    `json:"limit,omitempty"`
}

type ListResult struct {
	Execs []ExecStatus `json:"execs"`
	Next  string       `json:"next,omitempty"`
}

type FollowRequest struct {
	ExecID string `json:"execId"`
	From   uint64 `json:"from"`
	Window int64  `json:"window"`
}

type FollowResult struct {
	FirstPosition uint64 `json:"firstPosition"`
	EndPosition   uint64 `json:"endPosition"`
}

type WindowRequest struct {
	Bytes int64 `json:"bytes"`
}

type CommitRequest struct {
	ExecID   string `json:"execId"`
	Position uint64 `json:"position"`
}

type CancelRequest struct {
	ExecID  string `json:"execId"`
	GraceMs int64  `json:"graceMs"`
	// Stops ends it because the sandbox is about to be stopped: nobody has canceled it.
	Stops bool `json:"stops,omitempty"`
}

type CancelResult struct {
	State             State       `json:"state"`
	DescendantsKilled int         `json:"descendantsKilled"`
	HadToKill         bool        `json:"hadToKill"`
	ExitRecord        *ExitRecord `json:"exitRecord,omitempty"`
}

type EndNotice struct {
	ExitRecord *ExitRecord `json:"exitRecord"`
}

type LostNotice struct {
	EndPosition uint64     `json:"endPosition"`
	Reason      LostReason `json:"reason"`
}

const timestampLayout = "2006-01-02T15:04:05.000000Z"

// Timestamp formats a time the way all JSON of the protocol has it.
func Timestamp(at time.Time) string {
	return at.UTC().Format(timestampLayout)
}
