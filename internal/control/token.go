package control

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"routerd/internal/access"
	"routerd/internal/show"
)

// AccessRouter is the part of Router that says who may do what.
type AccessRouter interface {
	// Tokens returns the tokens that work, sorted by name.
	Tokens(ctx context.Context) ([]access.Token, error)
	// AddToken makes a token that works until it expires.
	AddToken(ctx context.Context, name string, role access.Role, expires time.Time) (TokenAdded, error)
	// RevokeToken ends a token and what its holders have open.
	RevokeToken(ctx context.Context, id string) (access.Token, error)
	// LoginCode makes a one-time code for a session of at most that role.
	LoginCode(ctx context.Context, by access.Identity, role access.Role) (LoginCode, error)
	// Audit returns the latest n entries of who did what, the oldest first.
	Audit(ctx context.Context, n int) ([]access.Entry, error)
}

// TokenList is the answer about tokens.
type TokenList struct {
	Tokens []access.Token `json:"tokens" show:",rows"` // sorted by name
}

// TokenAdded is a new token, the only answer that has its secret.
type TokenAdded struct {
	access.Token
	Secret string `json:"token"` // the whole text that its holder shows
}

// TokenRevoked is a token that works no longer.
type TokenRevoked struct {
	access.Token
}

// lifetime is how long a token works. The zero lifetime was not given.
type lifetime time.Duration

const (
	day             = 24 * time.Hour
	defaultLifetime = 90 * day
	minLifetime     = time.Minute
	maxLifetime     = 3650 * day
)

// Set parses a duration, which may be a number of days: 90d, 12h.
func (l *lifetime) Set(text string) error {
	err := errors.New(`wanted a duration from 1m to 3650d, such as 12h or 90d`)
	d, parsed := time.ParseDuration(text)
	if n, isDays := strings.CutSuffix(text, "d"); isDays {
		days, e := strconv.ParseUint(n, 10, 16)
		d, parsed = time.Duration(days)*day, e
	}
	if parsed != nil || d < minLifetime || d > maxLifetime {
		return err
	}
	*l = lifetime(d)
	return nil
}

func (l *lifetime) String() string {
	switch d := time.Duration(*l); {
	case d == 0:
		return ""
	case d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	default:
		return d.String()
	}
}

// roleParameter is a role in a query; Nobody was not given.
type roleParameter struct{ access.Role }

func (r *roleParameter) String() string {
	if r.Role == access.Nobody {
		return ""
	}
	return r.Role.String()
}

// Offered implements show.Offering.
func (*roleParameter) Offered() []string { return access.RoleNames() }

var tokenNoun = show.Spec[Router, nothing, TokenList]{
	Path: "token", Takes: access.Admin,
	Help: show.Help{
		Aliases: []string{"tokens"},
		Short:   "The tokens that open the API over HTTPS, without their secrets",
		Long: `The tokens that open the API over HTTPS. Their secrets are kept nowhere: who
has lost one makes another. USED is when the token was last shown since the router
started.`,
		Example: `  routerd show token`,
	},
	Ask: func(ctx context.Context, r Router, _ nothing) (l TokenList, err error) {
		l.Tokens, err = r.Tokens(ctx)
		return l, err
	},
}.Noun()

type tokenAddQuery struct {
	Name    string        `query:"name,arg"`
	Role    roleParameter `query:"role" help:"what its holder may do: <role> read, operate or admin (default read)"`
	Expires lifetime      `query:"expires" help:"how long it works: a <time> such as 12h or 365d (default 90d)"`
}

var tokenAddNoun = show.Spec[Router, tokenAddQuery, TokenAdded]{
	Path: "token/add", Changes: true,
	Help: show.Help{
		Args: "NAME", Short: "Make a token, and print it this once",
		Long: `Make a token for the API over HTTPS, and print it this once: the router keeps a
hash of it alone. NAME says what it is for.`,
		Example: `  routerd token add grafana
  routerd token add ci --role operate --expires 30d
  routerd token add backup -o json | jq -r .token > /root/backup.token`,
	},
	Arguments: func(q *tokenAddQuery, args []string) error {
		if len(args) == 0 {
			return errors.New("a token needs a name, which says what it is for")
		}
		q.Name = args[0]
		return checkTokenName(q.Name)
	},
	Check: func(q *tokenAddQuery) error {
		if err := checkTokenName(q.Name); err != nil {
			return show.BadRequest("%v", err)
		}
		return nil
	},
	Ask: func(ctx context.Context, r Router, q tokenAddQuery) (TokenAdded, error) {
		role, lives := q.Role.Role, time.Duration(q.Expires)
		if role == access.Nobody {
			role = access.Read
		}
		if lives == 0 {
			lives = defaultLifetime
		}
		return r.AddToken(ctx, q.Name, role, time.Now().Add(lives))
	},
	Draw: func(s *show.Screen, _ *tokenAddQuery, a *TokenAdded) {
		fmt.Fprintf(s, "%s\n", a.Secret)
		fmt.Fprintf(s, "token %s (%s) may %s until %s; it is shown this once\n", a.ID, a.Name, a.Role, a.Expires.Local().Format(time.RFC3339))
	},
}.Noun()

// checkTokenName returns an error for a name that a log or a table cannot show as
// one word.
func checkTokenName(name string) error {
	const others = "-_.@:/+"
	fits := name != "" && len(name) <= access.MaxTokenName
	for _, c := range name {
		fits = fits && (c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.ContainsRune(others, c))
	}
	if !fits {
		return fmt.Errorf("the name %q of a token: wanted 1 to %d letters, digits and %s", name, access.MaxTokenName, others)
	}
	return nil
}

type tokenRevokeQuery struct {
	ID string `query:"id,arg,complete=token"`
}

var tokenRevokeNoun = show.Spec[Router, tokenRevokeQuery, TokenRevoked]{
	Path: "token/revoke", Changes: true,
	Help: show.Help{
		Args: "ID", Short: "End a token, and what its holders have open",
		Example: `  routerd token revoke k3v9q2xa`,
	},
	Arguments: func(q *tokenRevokeQuery, args []string) error {
		if len(args) == 0 {
			return errors.New("which token? routerd token list says their IDs")
		}
		q.ID = args[0]
		return nil
	},
	Check: func(q *tokenRevokeQuery) error {
		if q.ID == "" {
			return show.BadRequest("a token to revoke needs its id")
		}
		return nil
	},
	Ask: func(ctx context.Context, r Router, q tokenRevokeQuery) (a TokenRevoked, err error) {
		a.Token, err = r.RevokeToken(ctx, q.ID)
		if errors.Is(err, access.ErrNoToken) {
			err = show.NotFound("there is no token %q", q.ID)
		}
		return a, err
	},
	Draw: func(s *show.Screen, _ *tokenRevokeQuery, a *TokenRevoked) {
		fmt.Fprintf(s, "revoked token %s (%s)\n", a.ID, a.Name)
	},
}.Noun()
