// Package check asks a sandbox once how it is: it runs one command to its end, or sends one HTTP request to a port of the
// sandbox itself. It must leave no process behind, keep no more than a few bytes, and reach nothing outside.
package check

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"berth.dev/runner/internal/sandbox"
)

const (
	timeoutMax = 60 * time.Second
	// detailBytesMax is what is told about a failure.
	detailBytesMax = 500
	exitAsked      = 0
	exitUsage      = 2
)

// Order is what the host asks.
type Order struct {
	Command   []string `json:"command"`
	HTTP      *Request `json:"http"`
	TimeoutMs int64    `json:"timeoutMs"`
}

// Request is for a port of the sandbox itself.
type Request struct {
	Port uint16 `json:"port"`
	Path string `json:"path"`
}

// Outcome is one line on standard output.
type Outcome struct {
	OK bool `json:"ok"`
	// Detail says why not.
	Detail string `json:"detail"`
}

// Run asks once and prints the outcome. Its exit code says only whether it could ask.
func Run(text string, settings sandbox.Settings, out io.Writer) int {
	var order Order
	if err := json.Unmarshal([]byte(text), &order); err != nil || (len(order.Command) == 0) == (order.HTTP == nil) {
		fmt.Fprintln(os.Stderr, "runner check: the order is not understood")
		return exitUsage
	}
	deadline := time.Now().Add(min(time.Duration(order.TimeoutMs)*time.Millisecond, timeoutMax))
	outcome := ask(order, settings, deadline)
	if len(outcome.Detail) > detailBytesMax {
		outcome.Detail = outcome.Detail[:detailBytesMax]
	}
	if err := json.NewEncoder(out).Encode(outcome); err != nil {
		return exitUsage
	}
	return exitAsked
}

func ask(order Order, settings sandbox.Settings, deadline time.Time) Outcome {
	if order.HTTP != nil {
		return askHTTP(*order.HTTP, deadline)
	}
	return runCommand(order.Command, settings, deadline)
}

func failed(format string, values ...any) Outcome {
	return Outcome{Detail: fmt.Sprintf(format, values...)}
}
