package protocol

import (
	"path"
	"strings"
)

const (
	argumentsMax          = 4_096
	variablesMax          = 4_096
	userBytesMax          = 256
	pathBytesMax          = 4_096
	execIDBytes           = 36
	hexDigits             = "0123456789abcdef"
	hyphenPositions       = "\x08\x0d\x12\x17"
	durationMsMax   int64 = 366 * 24 * 3_600 * 1_000
)

// ValidExecID says whether the text is a UUID in lower case: the only thing that ever becomes part of a path.
func ValidExecID(text string) bool {
	if len(text) != execIDBytes {
		return false
	}
	for at := range len(text) {
		if strings.IndexByte(hyphenPositions, byte(at)) >= 0 {
			if text[at] != '-' {
				return false
			}
		} else if strings.IndexByte(hexDigits, text[at]) < 0 {
			return false
		}
	}
	return true
}

// Check refuses what no exec can be started with. It judges form only; the sandbox judges the rest.
func (r *StartRequest) Check() error {
	switch {
	case !ValidExecID(r.ExecID):
		return Errorf(CodeBadRequest, "execId is not a UUID in lower case")
	case len(r.Argv) < 1 || len(r.Argv) > argumentsMax || r.Argv[0] == "":
		return Errorf(CodeBadRequest, "argv needs a program and at most %d arguments", argumentsMax)
	case len(r.Env) > variablesMax:
		return Errorf(CodeBadRequest, "env has more than %d variables", variablesMax)
	case len(r.User) > userBytesMax || strings.ContainsRune(r.User, 0):
		return Errorf(CodeBadRequest, "user is malformed")
	case r.WorkingDirectory != "" && !validPath(r.WorkingDirectory):
		return Errorf(CodeBadRequest, "workingDirectory is not an absolute path of at most %d bytes", pathBytesMax)
	case outside(r.TimeoutMs, 0, durationMsMax) || outside(r.IdleTimeoutMs, 0, durationMsMax):
		return Errorf(CodeBadRequest, "a timeout is out of bounds")
	case outside(r.OutputBytesMax, 0, SafeIntegerMax):
		return Errorf(CodeBadRequest, "outputBytesMax is out of bounds")
	case r.UncommittedBytesMax != 0 && outside(r.UncommittedBytesMax, UncommittedBytesMin, SafeIntegerMax):
		return Errorf(CodeBadRequest, "uncommittedBytesMax is out of bounds")
	}
	if err := r.checkInput(); err != nil {
		return err
	}
	return r.checkText()
}

func (r *StartRequest) checkText() error {
	for _, argument := range r.Argv {
		if strings.ContainsRune(argument, 0) {
			return Errorf(CodeBadRequest, "an argument contains NUL")
		}
	}
	for name, value := range r.Env {
		if name == "" || strings.ContainsAny(name, "=\x00\n") || strings.ContainsRune(value, 0) {
			return Errorf(CodeBadRequest, "a variable is malformed")
		}
	}
	return nil
}

func validPath(text string) bool {
	return path.IsAbs(text) && len(text) <= pathBytesMax && !strings.ContainsRune(text, 0)
}

func outside(value, low, high int64) bool { return value < low || value > high }
