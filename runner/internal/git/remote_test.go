package git

import (
	"bufio"
	"bytes"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	username = "somebody"
	secret   = "s3cr+t/with=signs"
	mark     = "0192f0c1-1111-7000-8000-000000000001"
)

// remote is a real git server behind TLS and a password, whose answers can be cut.
type remote struct {
	t      *testing.T
	server *httptest.Server
	folder string
	// cut is asked before and after each request to a service.
	cut func(moment string, request *http.Request) bool
}

func newRemote(t *testing.T) *remote {
	t.Helper()
	r := &remote{t: t, folder: t.TempDir(), cut: func(string, *http.Request) bool { return false }}
	backend, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	handler := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(backend)), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + r.folder, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=" + username},
	}
	r.server = httptest.NewTLSServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		if name, password, _ := request.BasicAuth(); name != username || password != secret {
			response.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			response.WriteHeader(http.StatusUnauthorized)
			return
		}
		if strings.HasPrefix(request.URL.Path, "/moved.git/") {
			http.Redirect(response, request, "https://elsewhere.test/x.git/info/refs", http.StatusMovedPermanently)
			return
		}
		if r.cut("before", request) {
			panic(http.ErrAbortHandler)
		}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		if r.cut("after", request) {
			panic(http.ErrAbortHandler)
		}
		for name, values := range answer.Header() {
			response.Header()[name] = values
		}
		response.WriteHeader(answer.Code)
		body := answer.Body.Bytes()
		if r.cut("within", request) {
			_, _ = response.Write(body[:len(body)/2])
			_ = http.NewResponseController(response).Flush()
			panic(http.ErrAbortHandler)
		}
		_, _ = response.Write(body)
	}))
	t.Cleanup(r.server.Close)
	r.make("project.git")
	return r
}

// make creates a repository on the server with one commit on main.
func (r *remote) make(name string) string {
	bare := filepath.Join(r.folder, name)
	r.git("", "init", "--quiet", "--bare", "--initial-branch=main", bare)
	r.git(bare, "config", "http.receivepack", "true")
	seed := r.t.TempDir()
	r.git("", "clone", "--quiet", bare, seed)
	if err := os.WriteFile(filepath.Join(seed, "README"), []byte("hello\n"), 0o644); err != nil {
		r.t.Fatal(err)
	}
	r.git(seed, "add", "README")
	r.git(seed, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "first")
	r.git(seed, "push", "--quiet", "origin", "HEAD:refs/heads/main")
	return bare
}

func (r *remote) git(folder string, arguments ...string) string {
	r.t.Helper()
	command := exec.Command("git", arguments...)
	command.Dir = folder
	output, err := command.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %v: %v\n%s", arguments, err, output)
	}
	return strings.TrimSpace(string(output))
}

func (r *remote) address(name string) string { return r.server.URL + "/" + name }

// access is how a request reaches it.
func (r *remote) access() *Remote {
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.server.Certificate().Raw})
	return &Remote{
		Credential:      &Credential{Host: strings.TrimPrefix(r.server.URL, "https://"), Username: username, Secret: secret},
		AllowedNetworks: []string{"127.0.0.0/8"}, Certificates: string(certificate),
	}
}

// subjects are those of the commits of main, newest first.
func (r *remote) subjects() string {
	return r.git(filepath.Join(r.folder, "project.git"), "log", "--format=%s", "main")
}

// ask runs the program once and returns its result and all that it wrote.
func ask(t *testing.T, request Request) (Result, string) {
	t.Helper()
	text, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Serve(bytes.NewReader(text), &out); err != nil {
		t.Fatal(err)
	}
	written := out.String()
	if strings.Contains(written, secret) {
		t.Errorf("the secret is in what was written: %s", written)
	}
	var last event
	lines := bufio.NewScanner(&out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		last = event{}
		if err := json.Unmarshal(lines.Bytes(), &last); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
	}
	if last.Result == nil {
		t.Fatalf("no result at the end of %q", written)
	}
	return *last.Result, written
}

func expect(t *testing.T, got Result, outcome Outcome) Result {
	t.Helper()
	if got.Outcome != outcome {
		t.Fatalf("outcome %s, want %s: %+v", got.Outcome, outcome, got)
	}
	return got
}

// cloneOf is a fresh clone of the project, in which something has changed.
func (r *remote) cloneOf() string {
	r.t.Helper()
	path := filepath.Join(r.t.TempDir(), "project")
	result, _ := ask(r.t, Request{Mark: mark, Action: "clone", Path: path, URL: r.address("project.git"), Remote: r.access()})
	expect(r.t, result, Cloned)
	write(r.t, path, "new", "1\n")
	return path
}

func write(t *testing.T, folder, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func commitIn(path string) Request {
	return Request{Mark: mark, Action: "commit", Path: path, Message: "second", Author: &Author{"A", "a@b.test"}}
}

func (r *remote) pushIn(path string) Request {
	return Request{Mark: mark, Action: "push", Path: path, Remote: r.access()}
}
