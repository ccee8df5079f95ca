// Package deploy holds the files that are shipped beside the binary, of which
// some are in the binary too.
package deploy

import _ "embed"

// Example is routerd.toml: a configuration with every key that there is, each
// with a comment.
//
//go:embed routerd.toml
var Example string
