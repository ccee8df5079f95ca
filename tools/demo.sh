#!/usr/bin/env bash
# Brings labs up one after the other, runs their tests and takes them down
# again, whatever happens in between.
set -u
binary=$1
shift
if [ "$(id -u)" != 0 ]; then
	echo "the demo makes network namespaces, which takes root: sudo make demo" >&2
	exit 1
fi
lab="" tests="" interrupted=0 failed=0
# The tests run beside this shell, so that a signal is passed on at once; they
# stop by themselves, and what is left goes with the shell.
trap 'interrupted=1; [ -z "$tests" ] || kill -TERM "$tests" 2>/dev/null' INT TERM HUP
trap '[ -z "$tests" ] || { kill -TERM "$tests" 2>/dev/null; wait "$tests"; }; [ -z "$lab" ] || "$binary" lab down "$lab"' EXIT
for lab in "$@"; do
	echo "== $lab"
	"$binary" lab test "$lab" &
	tests=$!
	wait "$tests"
	status=$?
	while kill -0 "$tests" 2>/dev/null; do # a signal ended the wait, not the tests
		wait "$tests"
		status=$?
	done
	tests=""
	[ "$status" = 0 ] || failed=$status
	"$binary" lab down "$lab" || failed=1
	lab=""
	[ "$interrupted" = 0 ] || exit "${failed:-1}"
done
exit "$failed"
