// Package relay stands between git and one remote repository. Git speaks plain HTTP with it on the loopback; the relay
// alone holds the credential, adds it, and speaks TLS with the remote. So git, which any process of the same user may
// look into, never knows a secret, and no configuration of a repository decides where a secret goes. It must never
// follow a redirect, and never reach for another host, repository or service than the one that it was opened for.
package relay

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	dialLimit   = 15 * time.Second
	headerLimit = 15 * time.Second
	// answerLimit is for a remote whose hooks think before they speak.
	answerLimit  = 10 * time.Minute
	nonceBytes   = 16
	pieceBytes   = 32 << 10
	redirectFrom = 300
	redirectTo   = 399
)

// Credential is what the remote knows somebody by.
type Credential struct {
	Username string `json:"username"`
	Secret   string `json:"secret"`
}

// Options say what the relay is for.
type Options struct {
	// Remote is the address of the repository: https, without user, query and fragment.
	Remote *url.URL
	// Credential is nil where the remote is asked by nobody in particular.
	Credential *Credential
	// Pushes allows the service that changes the remote.
	Pushes bool
	// Allowed are networks that would be refused otherwise.
	Allowed []netip.Prefix
	// Certificates are trusted instead of those of the sandbox, as PEM; empty for those of the sandbox.
	Certificates string
	// AnswerBytesMax is how much may come from the remote while the relay is open; 0 for any number.
	AnswerBytesMax int64
}

var errTooLarge = errors.New("the answer is too large")

// Trouble is what kept git from the remote, in the words of the relay, which saw it happen.
type Trouble struct {
	Kind    TroubleKind
	Message string
}

// TroubleKind tells what may be done about it.
type TroubleKind string

const (
	Refused     TroubleKind = "auth_failed"
	Missing     TroubleKind = "not_found"
	Unreachable TroubleKind = "network"
	Forbidden   TroubleKind = "address_refused"
	Moved       TroubleKind = "redirected"
	TooLarge    TroubleKind = "too_large"
)

// Relay is one listening relay.
type Relay struct {
	options       Options
	authorization string
	nonce         string
	listener      net.Listener
	server        *http.Server
	transport     *http.Transport
	answered      atomic.Int64

	mutex   sync.Mutex
	trouble *Trouble
}

// Open listens on the loopback until Close.
func Open(options Options) (*Relay, error) {
	roots, err := rootsOf(options.Certificates)
	if err != nil {
		return nil, err
	}
	secret := make([]byte, nonceBytes)
	if _, err := rand.Read(secret); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Relay{options: options, nonce: hex.EncodeToString(secret), listener: listener}
	if c := options.Credential; c != nil {
		r.authorization = "Basic " + base64.StdEncoding.EncodeToString([]byte(c.Username+":"+c.Secret))
	}
	r.transport = transport(options.Allowed, roots)
	r.server = &http.Server{Handler: http.HandlerFunc(r.serve), ReadHeaderTimeout: headerLimit}
	go func() { _ = r.server.Serve(listener) }()
	return r, nil
}

// NewClient reaches what a relay with these options would reach, for requests that are not git's. It follows nothing.
func NewClient(options Options) (*http.Client, error) {
	roots, err := rootsOf(options.Certificates)
	if err != nil {
		return nil, err
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &http.Client{Transport: transport(options.Allowed, roots), CheckRedirect: stay}, nil
}

func transport(allowed []netip.Prefix, roots *x509.CertPool) *http.Transport {
	dialer := &net.Dialer{Timeout: dialLimit, Control: refuseNetworks(allowed)}
	return &http.Transport{
		// No proxy of the environment: what is dialled must be what was checked.
		DialContext:           dialer.DialContext,
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   dialLimit,
		ResponseHeaderTimeout: answerLimit,
		DisableCompression:    true,
	}
}

// Address is what git is given in place of the remote.
func (r *Relay) Address() string {
	return fmt.Sprintf("http://%s/%s", r.listener.Addr(), r.nonce)
}

// Trouble is the last thing that went wrong since it was asked for; nil if nothing has.
func (r *Relay) Trouble() *Trouble {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	trouble := r.trouble
	r.trouble = nil
	return trouble
}

// Close ends it with what is open.
func (r *Relay) Close() {
	_ = r.server.Close()
	r.transport.CloseIdleConnections()
}

func rootsOf(pem string) (*x509.CertPool, error) {
	if pem == "" {
		return nil, nil
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(pem)) {
		return nil, errors.New("the configured certificates cannot be read")
	}
	return roots, nil
}

func (r *Relay) serve(response http.ResponseWriter, request *http.Request) {
	target, allowed := r.target(request)
	if !allowed {
		http.Error(response, "This is not what the relay is for.", http.StatusNotFound)
		return
	}
	answer, err := r.ask(request, target)
	if err != nil {
		r.note(TroubleOf(err))
		http.Error(response, "The remote was not reached.", http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	if trouble := r.troubleWith(answer); trouble != nil {
		r.note(*trouble)
		http.Error(response, trouble.Message, http.StatusForbidden)
		return
	}
	for _, name := range []string{"Content-Type", "Content-Encoding", "Cache-Control"} {
		if value := answer.Header.Get(name); value != "" {
			response.Header().Set(name, value)
		}
	}
	response.WriteHeader(answer.StatusCode)
	if err := r.copyAtOnce(response, answer.Body); err != nil {
		r.note(TroubleOf(err))
		// Git must see an answer that broke off, not one that ended.
		panic(http.ErrAbortHandler)
	}
}

// target is where a request of git goes, if it is one that git makes of this repository.
func (r *Relay) target(request *http.Request) (*url.URL, bool) {
	path, named := strings.CutPrefix(request.URL.Path, "/"+r.nonce)
	if !named {
		return nil, false
	}
	service := strings.TrimPrefix(path, "/")
	query := ""
	switch {
	case request.Method == http.MethodGet && path == "/info/refs":
		service = request.URL.Query().Get("service")
		query = "service=" + service
	case request.Method == http.MethodPost:
	default:
		return nil, false
	}
	if service != "git-upload-pack" && (service != "git-receive-pack" || !r.options.Pushes) {
		return nil, false
	}
	target := *r.options.Remote
	target.Path = strings.TrimSuffix(target.Path, "/") + path
	target.RawPath = ""
	target.RawQuery = query
	return &target, true
}

func (r *Relay) ask(request *http.Request, target *url.URL) (*http.Response, error) {
	asked, err := http.NewRequestWithContext(request.Context(), request.Method, target.String(), request.Body)
	if err != nil {
		return nil, err
	}
	asked.ContentLength = request.ContentLength
	for _, name := range []string{"Accept", "Accept-Encoding", "Content-Type", "Content-Encoding", "Git-Protocol", "User-Agent"} {
		if value := request.Header.Get(name); value != "" {
			asked.Header.Set(name, value)
		}
	}
	if r.authorization != "" {
		asked.Header.Set("Authorization", r.authorization)
	}
	return r.transport.RoundTrip(asked)
}

func (r *Relay) troubleWith(answer *http.Response) *Trouble {
	status := answer.StatusCode
	switch {
	case status == http.StatusOK:
		return nil
	case status == http.StatusUnauthorized && r.authorization == "":
		return &Trouble{Refused, "The remote wants to know who asks: a credential for its host is needed."}
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return &Trouble{Refused, fmt.Sprintf("The remote refused the credential (%d).", status)}
	case status == http.StatusNotFound || status == http.StatusGone:
		return &Trouble{Missing, fmt.Sprintf("The remote has no such repository, or not for this credential (%d).", status)}
	case status >= redirectFrom && status <= redirectTo:
		return &Trouble{Moved, "The remote answers with another address, which is not followed: use that one. " + place(answer)}
	}
	return &Trouble{Unreachable, fmt.Sprintf("The remote answered %d.", status)}
}

// place is where a redirect leads, without what it may carry.
func place(answer *http.Response) string {
	to, err := answer.Location()
	if err != nil {
		return ""
	}
	return fmt.Sprintf("(%s://%s%s)", to.Scheme, to.Host, strings.TrimSuffix(to.Path, "/info/refs"))
}

func (r *Relay) note(trouble Trouble) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.trouble = &trouble
}

// TroubleOf is why something was not reached.
func TroubleOf(err error) Trouble {
	var forbidden *ForbiddenAddressError
	var invalid *tls.CertificateVerificationError
	switch {
	case errors.As(err, &forbidden):
		return Trouble{Forbidden, forbidden.Error()}
	case errors.As(err, &invalid):
		return Trouble{Unreachable, "The certificate of the remote is not trusted: " + invalid.Err.Error()}
	case errors.Is(err, errTooLarge):
		return Trouble{TooLarge, "The remote sends more than a repository in a sandbox may have."}
	case errors.Is(err, context.Canceled):
		return Trouble{Unreachable, "Git gave the request up."}
	}
	return Trouble{Unreachable, "The connection to the remote failed: " + err.Error()}
}

// copyAtOnce hands each piece on when it comes, because git shows progress out of it.
func (r *Relay) copyAtOnce(response http.ResponseWriter, body io.Reader) error {
	flusher := http.NewResponseController(response)
	piece := make([]byte, pieceBytes)
	for {
		count, err := body.Read(piece)
		if most := r.options.AnswerBytesMax; r.answered.Add(int64(count)) > most && most > 0 {
			return errTooLarge
		}
		if count > 0 {
			if _, writeErr := response.Write(piece[:count]); writeErr != nil {
				return writeErr
			}
			if flushErr := flusher.Flush(); flushErr != nil {
				return flushErr
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
