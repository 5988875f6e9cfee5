package git

import (
	"encoding/base64"
	"net/url"
	"strings"
)

const hidden = "[hidden]"

// scrubber takes secrets, in every form in which they travel, out of text that others wrote.
type scrubber struct{ replacer *strings.Replacer }

func (s *scrubber) hide(c *Credential) {
	pair := c.Username + ":" + c.Secret
	forms := []string{
		base64.StdEncoding.EncodeToString([]byte(pair)), base64.URLEncoding.EncodeToString([]byte(pair)),
		base64.StdEncoding.EncodeToString([]byte(c.Secret)), url.QueryEscape(c.Secret), url.PathEscape(c.Secret), c.Secret,
	}
	var pairs []string
	for _, form := range forms {
		if form != "" {
			pairs = append(pairs, form, hidden)
		}
	}
	s.replacer = strings.NewReplacer(pairs...)
}

func (s *scrubber) clean(text string) string {
	if s.replacer == nil {
		return text
	}
	return s.replacer.Replace(text)
}
