#!/usr/bin/env bash
# Runs every fuzz target for the time given, one after the other: go test
# takes one target of one package at a time.
set -u -o pipefail
time=${1:-10s}
failed=() count=0
for package in $(tools/with.sh Fuzz); do
	for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz'); do
		count=$((count + 1))
		echo "== $package $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 10x "$package" || failed+=("$package $target")
	done
done
if [ ${#failed[@]} -gt 0 ]; then
	printf 'failed: %s\n' "${failed[@]}"
	exit 1
fi
[ "$count" -gt 0 ] || { echo "no fuzz target found"; exit 1; }
echo "$count fuzz targets, none failed"
