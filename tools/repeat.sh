#!/usr/bin/env bash
# Repeats every test in random order for about the time given, and simulates
# random networks that no other run of the tests has tried; stops at the first
# failure.
set -u -o pipefail
time=${1:-10m}
case "$time" in
*h) seconds=$((${time%h} * 3600)) ;;
*m) seconds=$((${time%m} * 60)) ;;
*) seconds=${time%s} ;;
esac
rounds=0
while [ "$SECONDS" -lt "$seconds" ]; do
	go test -race -count=1 -shuffle=on ./... || exit 1
	go test -count=1 -timeout 30m ./internal/sim -run '^TestSeeds$' -first $((1001 + 200 * rounds)) -seeds 200 -rounds 3 || exit 1
	rounds=$((rounds + 1))
done
echo "$rounds rounds in $SECONDS s, none failed"
