package supervisor

import (
	"sort"
	"strings"

	"berth.dev/runner/internal/identity"
)

const (
	defaultPath   = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	defaultLang   = "C.UTF-8"
	defaultTerm   = "xterm-256color"
	privatePrefix = "BERTH_"
)

// Environment lays the request's variables over the user's, over the container's, over a minimum. Nothing that
// is meant for the runner reaches a command.
func Environment(container []string, who identity.Identity, request map[string]string, hasTerminal bool) []string {
	variables := map[string]string{"PATH": defaultPath, "LANG": defaultLang}
	if hasTerminal {
		variables["TERM"] = defaultTerm
	}
	for _, entry := range container {
		if name, value, found := strings.Cut(entry, "="); found && name != "" {
			variables[name] = value
		}
	}
	variables["HOME"], variables["USER"], variables["LOGNAME"] = who.Home, who.Name, who.Name
	for name, value := range request {
		variables[name] = value
	}
	env := make([]string, 0, len(variables))
	for name, value := range variables {
		if !strings.HasPrefix(name, privatePrefix) {
			env = append(env, name+"="+value)
		}
	}
	sort.Strings(env)
	return env
}
