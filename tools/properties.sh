#!/usr/bin/env bash
# Runs every property test (those that draw their cases with rapid) again and again for the
# time given each, from other seeds than those of the gate. It goes on after a failure, of
# which rapid prints the seed, and ends with the list of those that failed.
set -u -o pipefail
time=${1:-20s}
case "$time" in
*h) seconds=$((${time%h} * 3600)) ;;
*m) seconds=$((${time%m} * 60)) ;;
*) seconds=${time%s} ;;
esac
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
unset RAPID_SEED

# properties prints the tests of a directory that check a property themselves or by a function
# that does.
properties() {
	awk '
		/^func / { name = $2; sub(/\(.*/, "", name) }
		{ text[name] = text[name] "\n" $0 }
		/rapid\.(Check|MakeCheck)\(/ { checks[name] = 1 }
		END {
			for (name in text) {
				if (name !~ /^Test/) continue
				found = name in checks
				for (other in checks) if (index(text[name], "\t" other "(") || index(text[name], " " other "(")) found = 1
				if (found) print name
			}
		}' "$1"/*_test.go | sort
}

failed=() count=0
while read -r package dir; do
	go test -c -o "$scratch/test" "$package" || { failed+=("$package"); continue; }
	for name in $(properties "$dir"); do
		count=$((count + 1)) begin=$SECONDS rounds=0
		while [ $rounds = 0 ] || [ $((SECONDS - begin)) -lt "$seconds" ]; do
			if ! (cd "$dir" && "$scratch/test" -test.run "^$name\$" -test.timeout 10m -rapid.nofailfile >"$scratch/out" 2>&1); then
				echo "== $package $name"
				cat "$scratch/out"
				failed+=("$package $name")
				break
			fi
			rounds=$((rounds + 1))
		done
		echo "$package $name: $rounds rounds"
	done
done < <(go list -f '{{.ImportPath}} {{.Dir}} {{join .TestImports " "}} {{join .XTestImports " "}}' ./... | awk '/ pgregory.net\/rapid/ {print $1, $2}')
if [ ${#failed[@]} -gt 0 ]; then
	printf 'failed: %s\n' "${failed[@]}"
	exit 1
fi
[ "$count" -gt 0 ] || { echo "no property test found"; exit 1; }
echo "$count property tests, none failed"
