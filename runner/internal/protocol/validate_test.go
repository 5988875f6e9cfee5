package protocol

import (
	"errors"
	"strings"
	"testing"
)

const validID = "0198c5a2-7b1e-7c3d-9f4e-0123456789ab"

func TestOnlyAUUIDInLowerCaseIsAnExecID(t *testing.T) {
	if !ValidExecID(validID) {
		t.Fatal("a UUID is valid")
	}
	for _, text := range []string{"", "../../../../etc/passwd", strings.ToUpper(validID), validID + "0", validID[:35] + "/",
		strings.ReplaceAll(validID, "-", "_"), "0198c5a27-b1e-7c3d-9f4e-0123456789ab", validID[:35] + "\x00"} {
		if ValidExecID(text) {
			t.Errorf("%q must not be valid", text)
		}
	}
}

func TestMalformedStartRequestsAreRefused(t *testing.T) {
	good := func() *StartRequest { return &StartRequest{ExecID: validID, Argv: []string{"true"}} }
	if err := good().Check(); err != nil {
		t.Fatal(err)
	}
	spoilers := map[string]func(*StartRequest){
		"no arguments":       func(r *StartRequest) { r.Argv = nil },
		"empty program":      func(r *StartRequest) { r.Argv = []string{""} },
		"too many arguments": func(r *StartRequest) { r.Argv = make([]string, 10_000); r.Argv[0] = "x" },
		"NUL in an argument": func(r *StartRequest) { r.Argv = []string{"echo", "a\x00b"} },
		"equals in a name":   func(r *StartRequest) { r.Env = map[string]string{"A=B": "c"} },
		"newline in a name":  func(r *StartRequest) { r.Env = map[string]string{"A\nB": "c"} },
		"relative folder":    func(r *StartRequest) { r.WorkingDirectory = "tmp" },
		"negative timeout":   func(r *StartRequest) { r.TimeoutMs = -1 },
		"tiny spool":         func(r *StartRequest) { r.UncommittedBytesMax = 10 },
		"long user":          func(r *StartRequest) { r.User = strings.Repeat("u", 1_000) },
	}
	for name, spoil := range spoilers {
		request := good()
		spoil(request)
		var refusal *Error
		if err := request.Check(); !errors.As(err, &refusal) || refusal.Code != CodeBadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
}
