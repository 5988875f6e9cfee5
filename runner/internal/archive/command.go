package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const (
	exitDone    = 0
	exitRefused = 3
	exitFailed  = 1
)

// Report is the last line that a run of this program says on standard error.
type Report struct {
	FormatVersion int      `json:"formatVersion"`
	Summary       Summary  `json:"summary"`
	Refusal       *Refusal `json:"refusal,omitempty"`
	Failure       string   `json:"failure,omitempty"`
}

// RunWrite sends a folder to standard output. The limits are JSON.
func RunWrite(path, limits string, out, report io.Writer) int {
	return reported(report, func() (Summary, error) {
		var wanted Limits
		if err := json.Unmarshal([]byte(limits), &wanted); err != nil {
			return Summary{}, err
		}
		folder, err := Open(path, "")
		if err != nil {
			return Summary{}, err
		}
		defer folder.Close()
		return Write(folder, out, wanted)
	})
}

// RunExtract makes a folder of standard input. What is expected of it is JSON.
func RunExtract(path, expected string, in io.Reader, report io.Writer) int {
	return reported(report, func() (Summary, error) {
		var wanted Extraction
		if err := json.Unmarshal([]byte(expected), &wanted); err != nil {
			return Summary{}, err
		}
		if wanted.SHA256 != "" {
			// The sender need not close its end for this to know that it has everything.
			in = io.LimitReader(in, wanted.StreamBytes)
		}
		folder, err := Open(path, "")
		if err != nil {
			return Summary{}, err
		}
		defer folder.Close()
		return Extract(folder, in, wanted)
	})
}

func reported(out io.Writer, work func() (Summary, error)) int {
	summary, err := work()
	report := Report{FormatVersion: FormatVersion, Summary: summary}
	code := exitDone
	if err != nil && errors.As(err, &report.Refusal) {
		code = exitRefused
	} else if err != nil {
		report.Failure, code = err.Error(), exitFailed
	}
	line, err := json.Marshal(report)
	if err == nil {
		_, err = fmt.Fprintf(out, "%s\n", line)
	}
	if err != nil {
		return exitFailed
	}
	return code
}
