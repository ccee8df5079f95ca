package decode

import (
	"fmt"

	"routerd/internal/tomltext"
)

// SecretFile is a file with a secret alone in it, which a key names.
type SecretFile struct {
	File string
	At   tomltext.Path // of its key

	section *tomltext.Section
	key     string
	room    int
	uses    []func(secret []byte)
}

// Secret reads the path of a file that has a secret of at most room bytes at key; nil if
// there is none.
func (c *Context) Secret(s *tomltext.Section, key string, room int) *SecretFile {
	file := tomltext.Get(s, key, "", tomltext.Text("the path of a file that holds the password"))
	if file == "" {
		return nil
	}
	f := &SecretFile{File: file, At: s.At.With(key), section: s, key: key, room: room}
	c.secrets = append(c.secrets, f)
	return f
}

// Use has a function called with the secret when the whole configuration has been read
// and is valid; not if only a text is parsed.
func (f *SecretFile) Use(use func(secret []byte)) { f.uses = append(f.uses, use) }

// Secrets are the files of all secrets that are used.
func (c *Context) Secrets() (list []*SecretFile) {
	for _, f := range c.secrets {
		if len(f.uses) > 0 {
			list = append(list, f)
		}
	}
	return list
}

// HandOutSecret calls the users of a file with its content, and records text as the value
// of its key.
func (c *Context) HandOutSecret(f *SecretFile, secret []byte, text string) {
	if len(secret) > f.room {
		c.Wrong(f.At, fmt.Sprintf("%s has a password of %d bytes, and there is room for %d", f.At, len(secret), f.room), "a shorter password")
	}
	for _, use := range f.uses {
		use(secret)
	}
	f.section.Record(f.key, text)
}
