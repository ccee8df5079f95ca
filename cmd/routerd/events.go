package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"routerd/internal/control"
	"routerd/internal/show"
)

// reconnectPause is the time between two tries to follow a router again.
const reconnectPause = time.Second

// follower prints a router's events.
type follower struct {
	*session
	request control.EventRequest
	format  format
	screen  *show.Screen
}

func newEventsCommand(s *session) *cobra.Command {
	f := &follower{session: s, request: control.EventRequest{ID: 1}}
	var topics []string
	for _, t := range control.EventTopics() {
		topics = append(topics, t.Name)
	}
	cmd := &cobra.Command{
		Use:   "events [TOPIC...]",
		Short: "Print what happens in the router, as it happens",
		Long: `Print what happens in the router, a line for each event, until you interrupt it:
of the topics that you name, else of all but log and traffic. Topics are
` + strings.Join(topics, ", ") + `.

A line ends with the cursor of the event, and that of the one that caused it, so
that one can follow a lost carrier to the routes and packets that it took along.
If the connection ends, events goes on where it was as soon as the router answers;
if some were lost meanwhile, it says how many. --after resumes from any cursor, and
--after EPOCH:0 begins with the oldest event that the router still has.

With -o json it prints each frame as the API sends it.`,
		Example: `  routerd events
  routerd events interface route --snapshot
  routerd events drop --key no_route
  routerd events route --key '10.0.*' -o json | jq .item`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.request.Topics = args
			if len(args) == 0 {
				for _, t := range topics {
					if t != control.TopicLog && t != control.TopicTraffic {
						f.request.Topics = append(f.request.Topics, t)
					}
				}
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return f.follow(ctx)
		},
		ValidArgsFunction: cobra.FixedCompletions(topics, cobra.ShellCompDirectiveNoFileComp),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.request.After, "after", "", "resume behind the event with this `cursor`")
	flags.StringArrayVar(&f.request.Keys, "key", nil, "only of objects with this `key`, or with one that begins so if it ends with *; may be repeated")
	flags.BoolVar(&f.request.Snapshot, "snapshot", false, "print the objects that there are first, and again whenever events were lost")
	addFormat(cmd, &f.format)
	return cmd
}

// follow prints events until ctx is done. It fails if the router does not answer
// at first, or refuses.
func (f *follower) follow(ctx context.Context) error {
	c, err := f.client()
	if err != nil {
		return err
	}
	defer c.Close()
	f.screen = f.session.screen(f.format == formatWide)
	answered := false
	for ctx.Err() == nil {
		err := c.Events(ctx, f.request, func(frame *control.EventFrame, raw []byte) error {
			answered = true
			return f.print(frame, raw)
		})
		var unreachable *control.UnreachableError
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			fmt.Fprintln(f.err, "routerd: the router has ended the connection; trying again")
		case !answered || !errors.As(err, &unreachable):
			return err
		}
		select {
		case <-time.After(reconnectPause):
		case <-ctx.Done():
		}
	}
	return nil
}

// print prints a frame, and notes where to resume.
func (f *follower) print(frame *control.EventFrame, raw []byte) error {
	switch frame.Type {
	case "event", "bookmark":
		f.request.After = frame.Cursor
	}
	if f.format == formatJSON {
		_, err := fmt.Fprintf(f.out, "%s\n", raw)
		return err
	}
	return f.line(frame)
}

// line prints a frame as one line, or as one for each of its objects.
func (f *follower) line(frame *control.EventFrame) (err error) {
	switch frame.Type {
	case "event":
		text := strings.TrimSpace(frame.Key + " " + control.EventText(frame))
		if frame.Origin != "" {
			text += " [" + frame.Origin + "]"
		}
		if frame.Cause != "" {
			text += " <- " + frame.Cause
		}
		_, err = fmt.Fprintf(f.out, "%s %-9s %-7s %s (%s)\n", f.clock(frame.Time), frame.Topic, frame.Action, text, frame.Cursor)
	case "snapshot":
		for i, item := range frame.Items {
			text := control.EventText(&control.EventFrame{Item: item})
			if _, err = fmt.Fprintf(f.out, "%s %-9s %-7s %s %s\n", strings.Repeat(" ", len(f.clock(time.Time{}))), frame.Topic, "is", frame.Keys[i], text); err != nil {
				return err
			}
		}
	case "sample":
		for _, item := range frame.Items {
			if _, err = fmt.Fprintf(f.out, "%s %-9s %s\n", f.clock(time.Now()), frame.Topic, item); err != nil {
				return err
			}
		}
	case "gap":
		lost := "it is not known how many events were lost"
		if frame.Lost != nil {
			lost = fmt.Sprintf("%d events were lost", *frame.Lost)
		}
		_, err = fmt.Fprintf(f.out, "%s from %s to %s: %s\n", lost, frame.From, frame.To, frame.Why)
	case "error":
		return fmt.Errorf("following events: %s", frame.Error)
	}
	return err
}

// clock is the local time of an event; the whole of it in UTC on a wide screen.
func (f *follower) clock(t time.Time) string {
	if f.screen.Wide {
		return t.UTC().Format("2006-01-02T15:04:05.000000Z")
	}
	return t.Local().Format("15:04:05.000")
}
