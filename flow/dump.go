package flow

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A dump is a header and the sessions one after the other, most significant
// byte first:
//
//	header   magic 8 | layout version 4 | bytes of a session 4
//	session  number 4 | the record's eight words, 64 | host 4 | age 4 | packets 8 | bytes 8
//	end      number 0, and the count of sessions in what follows it
//
// A dump leaves out the record's generation. The time of the last packet, and
// age, are how long ago that was, in milliseconds, since the loading program
// has another clock.
const (
	dumpMagic   = "routerdF"
	dumpVersion = 2 // increment it when the meaning of a record's words changes
	dumpHeader  = 16
	dumpSession = 4 + 8*recordWords + 4 + 4 + 8 + 8
)

// ErrVersion is returned for a dump with another layout than this program's.
var ErrVersion = errors.New("another version of the layout")

// Dump writes all sessions in one pass, which releases the mutex between
// portions: each session is consistent, and one that is made or ends meanwhile
// may be in the dump or not. Times are written relative to now.
func (t *Table) Dump(w io.Writer, now Time) error {
	out := bufio.NewWriterSize(w, 64<<10)
	header := append(make([]byte, 0, dumpHeader), dumpMagic...)
	header = binary.BigEndian.AppendUint32(header, dumpVersion)
	header = binary.BigEndian.AppendUint32(header, dumpSession)
	// A bufio.Writer keeps its first error, so Flush returns it.
	_, _ = out.Write(header)
	count := uint32(0)
	page := make([]byte, 0, stride*dumpSession)
	for first, more := uint32(1), true; more; first += stride {
		page, more = t.page(page[:0], first, now)
		count += uint32(len(page) / dumpSession)
		if _, err := out.Write(page); err != nil {
			return fmt.Errorf("dumping sessions: %w", err)
		}
	}
	last := make([]byte, dumpSession)
	binary.BigEndian.PutUint32(last[4:], count)
	_, _ = out.Write(last)
	if err := out.Flush(); err != nil {
		return fmt.Errorf("dumping sessions: %w", err)
	}
	return nil
}

// page appends the sessions of a stride of numbers to b.
func (t *Table) page(b []byte, first uint32, now Time) ([]byte, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := min(first+stride, t.used)
	for number := first; number < last; number++ {
		s, ok := t.session(number)
		if !ok {
			continue
		}
		words := *t.record(number).snapshot()
		c := condition(words[wordCondition]).missing(words[wordHead])
		words[wordHead] &= 1<<32 - 1 - flagsCarried // nobody carries what is loaded
		words[wordCondition] = uint64(c.with(0).at(now - c.seen()))
		b = binary.BigEndian.AppendUint32(b, number)
		for _, word := range words {
			b = binary.BigEndian.AppendUint64(b, word)
		}
		b = binary.BigEndian.AppendUint32(b, s.Host)
		b = binary.BigEndian.AppendUint32(b, uint32(now-s.Created))
		b = binary.BigEndian.AppendUint64(b, s.Traffic.Packets)
		b = binary.BigEndian.AppendUint64(b, s.Traffic.Bytes)
	}
	return b, last < t.used
}

// Load puts the sessions of a dump into a table that has had none yet. They
// keep their numbers and idle times; the time since the dump does not count.
// adopt, which may be nil, sees each before it is put in and can change its
// Rule, Owner and Host, or reject it by false. The table's limit has to be at
// least that of the dumped table; Configure can lower it afterwards.
//
// On an error the table holds part of the sessions and must not be used.
func (t *Table) Load(r io.Reader, now Time, adopt func(*Session) bool) error {
	in := bufio.NewReaderSize(r, 64<<10)
	var header [dumpHeader]byte
	if _, err := io.ReadFull(in, header[:]); err != nil {
		return fmt.Errorf("loading sessions: reading the header: %w", err)
	}
	if string(header[:8]) != dumpMagic {
		return fmt.Errorf("loading sessions: the file begins with %q, want %q", header[:8], dumpMagic)
	}
	if version, size := binary.BigEndian.Uint32(header[8:]), binary.BigEndian.Uint32(header[12:]); version != dumpVersion || size != dumpSession {
		return fmt.Errorf("loading sessions: version %d of %d bytes a session, want version %d of %d: %w", version, size, dumpVersion, dumpSession, ErrVersion)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.used != 1 {
		return errors.New("loading sessions: the table has had some already, want a new one")
	}
	defer t.gather()
	t.wheel.hand = tick(now)
	for count := uint32(0); ; count++ {
		var b [dumpSession]byte
		if _, err := io.ReadFull(in, b[:]); err != nil {
			return fmt.Errorf("loading sessions: reading session %d of the dump: %w", count+1, err)
		}
		number := binary.BigEndian.Uint32(b[:])
		if number == NoSession {
			if want := binary.BigEndian.Uint32(b[4:]); want != count {
				return fmt.Errorf("loading sessions: the dump has %d sessions, want the %d that its end tells", count, want)
			}
			return nil
		}
		if err := t.restore(number, b[4:], now, adopt); err != nil {
			return fmt.Errorf("loading sessions: session %d of the dump, number %d: %w", count+1, number, err)
		}
	}
}

// restore adds one session of a dump; b is what follows its number.
func (t *Table) restore(number uint32, b []byte, now Time, adopt func(*Session) bool) error {
	var words record
	for i := range words {
		words[i] = binary.BigEndian.Uint64(b[8*i:])
	}
	b = b[8*recordWords:]
	head, c := words[wordHead], condition(words[wordCondition])
	if number < t.used || number > t.limit {
		return fmt.Errorf("want numbers that rise, from %d to the limit of the table, %d", t.used, t.limit)
	}
	if c.state() >= states || head&^(flagInsideReply|0xffff) != 0 || c&63 != 0 || (uint8(head>>8) != protoTCP) != (c.state() == Idle) {
		return fmt.Errorf("state %d, head %#x: want those of a session", c.state(), head)
	}
	s := Session{
		Number:  number,
		Forward: unpacked(words[wordForward], uint32(words[wordPorts]>>32), head),
		Reply:   unpacked(words[wordReply], uint32(words[wordPorts]), head),
		Rule:    uint32(words[wordUser] >> 32), Owner: uint32(words[wordUser]),
		Host: binary.BigEndian.Uint32(b), Created: now - Time(binary.BigEndian.Uint32(b[4:])),
		State: c.state(), Seen: now - c.seen(), InsideReply: head&flagInsideReply != 0,
		Traffic: Traffic{Packets: binary.BigEndian.Uint64(b[8:]), Bytes: binary.BigEndian.Uint64(b[16:])},
	}
	if adopt != nil && !adopt(&s) {
		return nil
	}
	hf, hr := t.Hash(&s.Forward), t.Hash(&s.Reply)
	var hit Hit
	if t.FindHashed(&s.Forward, hf, &hit) || t.FindHashed(&s.Reply, hr, &hit) {
		return errors.New("its keys are another session's, want its own")
	}
	for n := t.used; n <= number; n += blockRecords {
		t.reserve(n)
	}
	t.reserve(number)
	t.used = number + 1
	load := conversation{c.at(s.Seen), [2]track{track(words[wordTracks]), track(words[wordTracks+1])}}
	t.record(number).write(&s.Forward, &s.Reply, s.Rule, s.Owner, s.InsideReply, load)
	x := t.index.Load()
	x.insert(hf, number<<1, anywhere)
	x.insert(hr, number<<1|1, anywhere)
	t.enter(number, s.Host, s.Created, now)
	t.carry(number, s.Traffic)
	return nil
}

// gather queues the numbers that Load has left free.
func (t *Table) gather() {
	for number := uint32(1); number < t.used; number++ {
		if t.record(number)[wordHead] == 0 {
			t.release(number)
		}
	}
}
