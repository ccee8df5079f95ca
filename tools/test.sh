#!/usr/bin/env bash
# Runs every test twice: plainly, because allocation counts mean nothing under
# the race detector, and then with it. Each run ends with the skipped tests
# and their reasons. TESTFLAGS goes to go test, V=1 names the tests that pass.
set -u -o pipefail
report=$(mktemp)
trap 'rm -f "$report"' EXIT
go -C tools build -o "$report" ./testreport || exit 1

failed=0
run() {
	echo "== go test $*"
	go test -json -count=1 -timeout 20m ${TESTFLAGS:-} "$@" ./... | "$report" ${V:+-v} || failed=1
}

CGO_ENABLED=0 run # as the binary is built
if [ "$(go env CGO_ENABLED)" = 1 ] && command -v "$(go env CC)" >/dev/null 2>&1; then
	run -race
else
	echo "== go test -race left out: it needs cgo and a C compiler ($(go env CC))"
fi
exit $failed
