package git

import (
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLeavesNothingOfASecretWhereTextIsCut(t *testing.T) {
	s := &scrubber{}
	s.hide(&Credential{Username: username, Secret: secret})
	pair := base64.StdEncoding.EncodeToString([]byte(username + ":" + secret))
	for _, form := range []string{secret, pair} {
		for kept := 1; kept <= len(form); kept++ {
			text := "said " + form + " and " + form[:kept]
			got := s.clean(text, true)
			if want := "said [hidden] and "; strings.TrimSuffix(got, hidden) != want {
				t.Fatalf("%q of %q", got, text)
			}
		}
	}
	if got := s.clean("no secre", false); got != "no secre" {
		t.Fatalf("of text that ended by itself there is %q", got)
	}
}

func TestScrubsALineBeforeItIsCut(t *testing.T) {
	s := &scrubber{}
	s.hide(&Credential{Username: username, Secret: secret})
	for gap := range len(secret) {
		var heard []string
		l := &listener{to: io.Discard, scrub: s, heard: func(line string) { heard = append(heard, line) }}
		line := strings.Repeat("x", lineBytesMax-gap) + secret + "\n"
		if _, err := io.WriteString(l, line); err != nil {
			t.Fatal(err)
		}
		if len(heard) != 1 || strings.Trim(heard[0], "x") != "" {
			t.Fatalf("of a line that was cut %d bytes into the secret this was heard: %q", gap, strings.Trim(heard[0], "x"))
		}
	}
}

// TestARemoteThatSaysTheSecretAtACut has a hook whose words are cut right within the secret.
func TestARemoteThatSaysTheSecretAtACut(t *testing.T) {
	r := newRemote(t)
	path := r.cloneOf()
	result, _ := ask(t, commitIn(path))
	expect(t, result, Committed)
	hook := filepath.Join(r.folder, "project.git", "hooks", "pre-receive")
	padding := messageBytesMax - len("remote: ") - len(secret)/2
	script := fmt.Sprintf("#!/bin/sh\nprintf '%%%ds%s\\n' x >&2; exit 1\n", padding, secret)
	if err := os.WriteFile(hook, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	result, written := ask(t, r.pushIn(path))
	expect(t, result, RemoteRejected)
	if strings.Contains(written, secret[:4]) {
		t.Fatalf("a part of the secret is in %q", strings.Join(strings.Fields(written), " "))
	}
}
