#!/usr/bin/env bash
# Runs every test twice: plainly, because allocation counts mean nothing under
# the race detector, and then with it. Each run ends with the skipped tests
# and their reasons. TESTFLAGS goes to go test, V=1 names the tests that pass.
#
# What tests draw by chance follows from SEED, so that two runs of the same tree do the same;
# SEED=0 takes another one each time. A property test that fails prints the seed of its own,
# -rapid.seed, by which it alone fails again.
#
# The tests of live packages have the kernel, BIRD, FRR and others beside them, whose
# timing is not ours. If a few of those fail, and nothing else, they are run once more,
# and the last line says so: what fails twice has failed.
#
# Those tests wait most of the time. So more packages are tested at a time than there are
# processors; the packages that wait longest begin first and have a processor when they
# want one, and the tests that calculate, and the compiler, fill what is left.
set -u -o pipefail
live=routerd/internal/bench,routerd/internal/bench/bgp,routerd/internal/bench/site,routerd/internal/daemon,routerd/internal/lab
live+=,routerd/dataplane/port/packet,routerd/dataplane/port/tun,routerd/dataplane/port/tap,routerd/internal/localstack,routerd/dataplane/offload
waiting=(internal/daemon internal/lab internal/web routing/bgp internal/bench internal/bench/bgp internal/control
	internal/localstack arp dataplane/port/packet dataplane/port/tun dataplane/port/tap dataplane/port/memory dataplane/port/device)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
report=$scratch/report
if [ "${SEED:=1}" != 0 ]; then
	export RAPID_SEED=$SEED ROUTERD_TEST_SEED=$SEED
fi
go -C tools build -o "$report" ./testreport || exit 1
# Of those that calculate internal/sim takes longest. Go test takes each package once.
packages=(./internal/sim "${waiting[@]/#/./}" ./...)
flags=(-json -count=1 -timeout 20m -p "$(($("$report" -processors) + 1))" -toolexec "nice -n 10"
	-exec "'$PWD/tools/polite.sh' $(IFS=, && echo "${waiting[*]}")")

failed=0
excused=()
run() {
	echo "== go test $*"
	go test "${flags[@]}" ${TESTFLAGS:-} "$@" "${packages[@]}" | "$report" ${V:+-v} -again "$scratch/again" -live "$live" && return
	[ -s "$scratch/again" ] || { failed=1; return; }
	while read -r package test; do
		echo "== once more: $package $test"
		if go test "${flags[@]}" ${TESTFLAGS:-} "$@" -run "^$test\$" "$package" </dev/null | "$report" ${V:+-v}; then
			excused+=("$package $test")
		else
			failed=1
		fi
	done <"$scratch/again"
}

CGO_ENABLED=0 run # as the binary is built
if [ "$(go env CGO_ENABLED)" = 1 ] && command -v "$(go env CC)" >/dev/null 2>&1; then
	# Properties are of values that one goroutine has, and the detector makes them some ten
	# times slower: it sees a quarter of their 100 cases.
	RAPID_CHECKS=${RAPID_CHECKS:-25} run -race
else
	echo "== go test -race left out: it needs cgo and a C compiler ($(go env CC))"
fi
[ ${#excused[@]} = 0 ] || printf 'failed once and passed alone: %s\n' "${excused[@]}"
exit $failed
