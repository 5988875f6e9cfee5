package git

import (
	"encoding/base64"
	"net/url"
	"strings"
)

const hidden = "[hidden]"

// scrubber takes secrets, in every form in which they travel, out of text that others wrote. It must see text before
// anything is cut off its end: what is left of a secret there is not the secret any more, and stays.
type scrubber struct {
	forms    []string
	replacer *strings.Replacer
}

func (s *scrubber) hide(c *Credential) {
	pair := c.Username + ":" + c.Secret
	forms := []string{
		base64.StdEncoding.EncodeToString([]byte(pair)), base64.URLEncoding.EncodeToString([]byte(pair)),
		base64.StdEncoding.EncodeToString([]byte(c.Secret)), url.QueryEscape(c.Secret), url.PathEscape(c.Secret), c.Secret,
	}
	var pairs []string
	for _, form := range forms {
		if form != "" {
			s.forms = append(s.forms, form)
			pairs = append(pairs, form, hidden)
		}
	}
	s.replacer = strings.NewReplacer(pairs...)
}

// clean takes secrets out. Of text that was read only so far, whatever a secret could begin with at its end goes, too.
func (s *scrubber) clean(text string, isCut bool) string {
	if s.replacer == nil {
		return text
	}
	text = s.replacer.Replace(text)
	if !isCut {
		return text
	}
	begun := 0
	for _, form := range s.forms {
		for length := min(len(form)-1, len(text)); length > begun; length-- {
			if strings.HasSuffix(text, form[:length]) {
				begun = length
			}
		}
	}
	return text[:len(text)-begun]
}
