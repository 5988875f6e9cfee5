package git

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
)

// smallForge speaks the documented API of pull requests, as GitHub and Gitea have it, under the prefix of each.
type smallForge struct {
	server *httptest.Server
	open   []map[string]any
	// lose makes it forget to answer to one creation.
	lose   bool
	status int
}

func newForge(t *testing.T, prefix, scheme string) *smallForge {
	t.Helper()
	f := &smallForge{}
	f.server = httptest.NewTLSServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		if request.Header.Get("Authorization") != scheme+secret {
			response.WriteHeader(http.StatusUnauthorized)
			return
		}
		if request.URL.Path != prefix+"/repos/team/project/pulls" {
			response.WriteHeader(http.StatusNotFound)
			return
		}
		if request.Method == http.MethodGet {
			from := 0
			_, _ = fmt.Sscan(request.URL.Query().Get("page"), &from)
			_ = json.NewEncoder(response).Encode(f.page(from))
			return
		}
		var asked map[string]string
		_ = json.NewDecoder(request.Body).Decode(&asked)
		if f.status != 0 {
			response.WriteHeader(f.status)
			_, _ = fmt.Fprintf(response, `{"message":"no, %s"}`, secret)
			return
		}
		made := map[string]any{
			"number": len(f.open) + 1, "html_url": f.server.URL + "/team/project/pulls/1", "title": asked["title"],
			"head": branchOf("team/project", asked["head"]), "base": map[string]string{"ref": asked["base"]},
		}
		f.open = append(f.open, made)
		if f.lose {
			f.lose = false
			panic(http.ErrAbortHandler)
		}
		response.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(response).Encode(made)
	}))
	t.Cleanup(f.server.Close)
	return f
}

func branchOf(repository, ref string) map[string]any {
	return map[string]any{"ref": ref, "repo": map[string]string{"full_name": repository}}
}

// page is one pull request of those that are open, so that there are several pages.
func (f *smallForge) page(no int) []map[string]any {
	if no < 1 || no > len(f.open) {
		return []map[string]any{}
	}
	return f.open[no-1 : no]
}

func (f *smallForge) request(t *testing.T, kind string) Request {
	t.Helper()
	folder := t.TempDir()
	for _, arguments := range [][]string{{"init", "--quiet", "--initial-branch=topic"}, {"remote", "add", "origin", f.server.URL + "/team/project.git"}} {
		command := exec.Command("git", arguments...)
		command.Dir = folder
		if text, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%s", text)
		}
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.server.Certificate().Raw})
	return Request{
		Action: "open", Path: folder, Title: "T", Message: "B", Base: "main", Branch: "topic", Forge: kind,
		Remote: &Remote{
			Credential:      &Credential{Host: strings.TrimPrefix(f.server.URL, "https://"), Username: "git", Secret: secret},
			AllowedNetworks: []string{"127.0.0.0/8"}, Certificates: string(certificate),
		},
	}
}

func TestOpensAPullRequestOnce(t *testing.T) {
	for _, each := range [][3]string{{"gitea", "/api/v1", "token "}, {"github", "/api/v3", "Bearer "}} {
		t.Run(each[0], func(t *testing.T) {
			f := newForge(t, each[1], each[2])
			request := f.request(t, each[0])
			f.lose = true
			result, _ := ask(t, request)
			expect(t, result, Network)
			result, _ = ask(t, request)
			if expect(t, result, Found).Number != 1 || len(f.open) != 1 {
				t.Fatalf("%+v, and there are %d", result, len(f.open))
			}
			request.Branch = "other"
			result, _ = ask(t, request)
			if expect(t, result, Opened).Number != 2 || !strings.HasSuffix(result.URL, "/team/project/pulls/1") {
				t.Fatalf("%+v", result)
			}
		})
	}
}

func TestTakesNoPullRequestOfAForkForItsOwn(t *testing.T) {
	f := newForge(t, "/api/v1", "token ")
	request := f.request(t, "")
	f.open = append(f.open, map[string]any{
		"number": 1, "html_url": "https://elsewhere.test/1", "head": branchOf("stranger/project", "topic"), "base": map[string]string{"ref": "main"},
	})
	result, _ := ask(t, request)
	expect(t, result, Opened)
	result, _ = ask(t, request)
	if expect(t, result, Found).Number != 2 || len(f.open) != 2 {
		t.Fatalf("%+v, and there are %d", result, len(f.open))
	}
}

func TestSaysWhyAForgeOpensNone(t *testing.T) {
	f := newForge(t, "/api/v1", "token ")
	request := f.request(t, "")
	f.status = http.StatusUnprocessableEntity
	result, _ := ask(t, request)
	if text := expect(t, result, RemoteRejected).RemoteText; !strings.Contains(text, "no, [hidden]") {
		t.Fatalf("%q", text)
	}
	f.status = http.StatusInternalServerError
	result, _ = ask(t, request)
	expect(t, result, Network)
	request.Remote.Credential.Secret = "wrong"
	result, _ = ask(t, request)
	expect(t, result, AuthFailed)
	request.Remote.AllowedNetworks = nil
	result, _ = ask(t, request)
	expect(t, result, AddressRefused)
	request.Forge = "elsewhere"
	result, _ = ask(t, request)
	expect(t, result, Invalid)
}
