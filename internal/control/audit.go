package control

import (
	"context"

	"routerd/internal/access"
	"routerd/internal/show"
)

// AuditList is who did what lately.
type AuditList struct {
	Entries []access.Entry `json:"entries" show:",rows"` // the oldest first
}

type auditQuery struct {
	Last uint64 `query:"last,max=1000" help:"the latest <number> of entries (default 100)"`
}

const defaultAudit = 100

var auditNoun = show.Spec[Router, auditQuery, AuditList]{
	Path: "audit", Takes: access.Admin,
	Help: show.Help{
		Short: "Who changed something lately, or tried to",
		Long: `Who changed something lately, or tried to: who, by which role, from where, what,
and what came of it. Of those who failed to say who they are the first few are in
it. The router remembers the latest 1000 entries; all are in its log.`,
		Example: `  routerd show audit
  routerd show audit --last 20 -o json`,
	},
	Ask: func(ctx context.Context, r Router, q auditQuery) (l AuditList, err error) {
		n := int(q.Last)
		if n == 0 {
			n = defaultAudit
		}
		l.Entries, err = r.Audit(ctx, n)
		return l, err
	},
}.Noun()
