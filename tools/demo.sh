#!/usr/bin/env bash
# Brings a lab up, runs its tests and takes it down again, whatever happens
# in between.
set -u
binary=$1 lab=$2
if [ "$(id -u)" != 0 ]; then
	echo "the demo makes network namespaces, which takes root: sudo make demo" >&2
	exit 1
fi
trap '"$binary" lab down "$lab"' EXIT
# An interrupt reaches the lab as well; it stops by itself, and EXIT clears up.
trap 'exit 130' INT
trap 'exit 143' TERM
"$binary" lab test "$lab"
