#!/usr/bin/env bash
# Runs every benchmark, one after the other, whatever became of those before,
# and ends with the words of what was not met. It exits 0 when every mark is
# met, 1 when one is missed or a run failed, and 3 when no mark is missed and
# some could not be judged: what was missing stands beside them.
set -u -o pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
interrupted=0
trap 'interrupted=1' INT TERM HUP
# Built, since go run gives no exit code but 1.
go build -o "$dir/" ./internal/bench/bgp ./internal/bench/converge ./internal/bench/forward ./internal/bench/mgmt ./internal/bench/nat ./internal/bench/ospf ./internal/bench/rip ./internal/bench/table || exit 1

failed=() unjudged=()
run() {
	local name=$1 code
	shift
	echo "== $name"
	"$@"
	code=$?
	[ "$interrupted" = 0 ] || exit 1
	case $code in
	0) ;;
	3) unjudged+=("$name") ;;
	*) failed+=("$name") ;;
	esac
}

benchmarks() {
	go test -run '^$' -bench . -benchmem $(tools/with.sh Benchmark)
}

run "Go benchmarks" benchmarks
run "forwarding" "$dir/forward"
run "forwarding over Ethernet" "$dir/forward" -group ethernet -seconds 1
run "address translation, Go benchmarks" "$dir/nat"
run "address translation beside nftables" "$dir/forward" -group nat -seconds 1
run "the flow cache beside the kernel" "$dir/forward" -group offload -seconds 0.5
run "the packet filter beside nftables" "$dir/forward" -group filter -seconds 1
run "RIP beside BIRD" "$dir/rip"
run "OSPF beside BIRD and FRR" "$dir/ospf"
run "BGP beside BIRD, FRR, OpenBGPD and GoBGP" "$dir/bgp"
run "BFD beside BIRD" "$dir/converge"
run "the management plane, Go benchmarks" "$dir/mgmt"
run "a table of the internet's size, Go benchmarks" "$dir/table"

echo "=="
for name in ${unjudged[@]+"${unjudged[@]}"}; do
	echo "NOT RUN, in part: $name; what was measured is met"
done
for name in ${failed[@]+"${failed[@]}"}; do
	echo "MISSED or failed: $name"
done
[ ${#failed[@]} = 0 ] || exit 1
[ ${#unjudged[@]} = 0 ] || exit 3
echo "every mark is met"
