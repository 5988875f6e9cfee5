package spool

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"berth.dev/runner/internal/protocol"
)

// ErrClaimed says that the exec id has been claimed before.
var ErrClaimed = errors.New("already claimed")

// Claim is what spec.json keeps. The environment is left out because it holds secrets.
type Claim struct {
	ExecID           string   `json:"execId"`
	Protocol         int      `json:"protocol"`
	BootID           string   `json:"bootId"`
	ClaimedAt        string   `json:"claimedAt"`
	Argv             []string `json:"argv,omitempty"`
	WorkingDirectory string   `json:"workingDirectory,omitempty"`
	User             string   `json:"user,omitempty"`
	TimeoutMs        int64    `json:"timeoutMs,omitempty"`
	Transient        bool     `json:"transient,omitempty"`
}

// Claim takes the exec id for ever. When it returns nil the claim survives a power cut, so the command cannot
// run twice; a transient one, whose request goes with the power, need not.
func (s *Spool) Claim(claim Claim) error {
	folder := s.ExecFolder(claim.ExecID)
	if err := os.Mkdir(folder, folderMode); err != nil {
		if errors.Is(err, syscall.EEXIST) {
			return ErrClaimed
		}
		return err
	}
	if err := s.fillClaim(folder, claim); err != nil {
		return errors.Join(err, s.Unclaim(claim.ExecID))
	}
	return nil
}

func (s *Spool) fillClaim(folder string, claim Claim) error {
	text, err := json.Marshal(claim)
	if err != nil {
		return err
	}
	if len(text) > textBytesMax {
		// A long command line is worth less than a claim that can be read back.
		claim.Argv = nil
		if text, err = json.Marshal(claim); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "spec.json"), text, fileMode); err != nil {
		return err
	}
	if claim.Transient {
		return nil
	}
	return syncFolder(s.execsFolder())
}

// Unclaim gives the id back. Only for a claim under which nothing has been started.
func (s *Spool) Unclaim(execID string) error {
	return errors.Join(os.RemoveAll(s.ExecFolder(execID)), syncFolder(s.execsFolder()))
}

// Claimed says whether the exec id has been claimed.
func (s *Spool) Claimed(execID string) (bool, error) {
	_, err := os.Lstat(s.ExecFolder(execID))
	if missing(err) {
		return false, nil
	}
	return err == nil, err
}

// ReadClaim reads spec.json. After a power cut it may be unreadable although the claim is there.
func (s *Spool) ReadClaim(execID string) (Claim, error) {
	var claim Claim
	err := readJSON(filepath.Join(s.ExecFolder(execID), "spec.json"), &claim)
	return claim, err
}

// HoldClaim marks the calling process as the exec's living supervisor until it ends or closes the file.
func HoldClaim(folder string) (*os.File, error) {
	file, err := os.Open(filepath.Join(folder, "spec.json"))
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// Supervised says whether a supervisor lives, seen from any process that can open the spool, also read-only
// and from another container.
func (s *Spool) Supervised(execID string) bool {
	file, err := os.Open(filepath.Join(s.ExecFolder(execID), "spec.json"))
	if err != nil {
		return false
	}
	defer file.Close()
	return errors.Is(syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// LostReason tells why a claim without supervisor and record is lost.
func (s *Spool) LostReason(execID, bootID string) protocol.LostReason {
	if _, err := os.Lstat(filepath.Join(s.ExecFolder(execID), recordName)); err == nil {
		return protocol.LostRecordUnreadable
	}
	if claim, err := s.ReadClaim(execID); err == nil && claim.BootID == bootID {
		return protocol.LostSupervisorDied
	}
	return protocol.LostSandboxRestarted
}
