#!/usr/bin/env bash
# Brings a lab up, runs its tests and takes it down again, whatever happens
# in between.
set -u
binary=$1 lab=$2
if [ "$(id -u)" != 0 ]; then
	echo "the demo makes network namespaces, which takes root: sudo make demo" >&2
	exit 1
fi
"$binary" lab test "$lab" &
tests=$!
# The tests run beside this shell, so that a signal is passed on at once; they
# stop by themselves, and what is left goes with the shell.
trap 'kill -TERM "$tests" 2>/dev/null' INT TERM HUP
trap 'kill -TERM "$tests" 2>/dev/null; wait "$tests"; "$binary" lab down "$lab"' EXIT
wait "$tests"
status=$?
while kill -0 "$tests" 2>/dev/null; do # a signal ended the wait, not the tests
	wait "$tests"
	status=$?
done
exit "$status"
