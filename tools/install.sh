#!/usr/bin/env bash
# Installs the programs that the tests or the demo call and that are missing,
# where it can: as root, with apt-get. Otherwise it says what is missing, and
# the tests that need it are skipped, saying so.
set -u

# axe-core, by which the tests find out whether people who cannot see the page can use it,
# is a package of npm, and kept in the cache directory. Its version is that of
# internal/web's tests.
axe() {
	local version=4.14.1 dir tmp
	dir="${XDG_CACHE_HOME:-$HOME/.cache}/routerd/axe-core-$version"
	[ ! -s "$dir/axe.min.js" ] || return 0
	command -v npm >/dev/null 2>&1 || { echo "missing, and not installed (that takes npm): axe-core; what needs it is skipped"; return 0; }
	tmp=$(mktemp -d)
	if (cd "$tmp" && npm pack --silent "axe-core@$version" && tar xzf axe-core-*.tgz) >"$tmp/log" 2>&1; then
		mkdir -p "$dir" && cp "$tmp/package/axe.min.js" "$tmp/package/LICENSE" "$dir/"
	else
		echo "npm could not get axe-core:"
		tail -n 5 "$tmp/log"
	fi
	rm -rf "$tmp"
}

case "${1:-test}" in
demo) wanted="ip:iproute2 ping:iputils-ping tracepath:iputils-tracepath traceroute:traceroute iperf3:iperf3" ;;
test) wanted="gcc:gcc ip:iproute2 ping:iputils-ping tracepath:iputils-tracepath traceroute:traceroute iperf3:iperf3
	nft:nftables tcpdump:tcpdump arping:iputils-arping ndisc6:ndisc6 curl:curl systemd-analyze:systemd promtool:prometheus prometheus:prometheus
	bird:bird2 vtysh:frr gobgpd:gobgpd bgpctl:openbgpd exabgp:exabgp chromium:chromium npm:npm" ;;
*)
	echo "usage: $0 test|demo" >&2
	exit 2
	;;
esac

# Debian keeps some of these where only root's PATH looks.
PATH="$PATH:/usr/sbin:/sbin"

missing=() packages=() unpack=""
for pair in $wanted; do
	command -v "${pair%%:*}" >/dev/null 2>&1 && continue
	missing+=("${pair%%:*}")
	case "$pair" in
	*:prometheus) unpack=prometheus ;;
	gcc:*) packages+=(gcc libc6-dev) ;;
	*) packages+=("${pair##*:}") ;;
	esac
done
finish() {
	[ "${1:-}" != test ] || axe
	exit 0
}
[ ${#missing[@]} -gt 0 ] || finish "${1:-test}"

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
	echo "missing, and not installed (that takes root and apt-get): ${missing[*]}; what needs them is skipped"
	finish "${1:-test}"
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
say() {
	echo "$1:"
	tail -n 5 "$log"
}
export DEBIAN_FRONTEND=noninteractive
echo "installing: ${missing[*]}"
apt-get update >"$log" 2>&1 || say "apt-get update failed; trying the lists as they are"

# Routing daemons are run in namespaces by the tests, and shall not speak for this
# machine: while policy-rc.d says 101 no package starts a service, and neither
# do they at the next boot.
services() {
	case "$1" in
	bird2) echo bird.service ;;
	openbgpd) echo openbgpd.service bgplgd.service ;;
	frr | gobgpd | exabgp) echo "$1.service" ;;
	esac
}
policy=/usr/sbin/policy-rc.d made=""
allow() {
	[ -z "$made" ] || rm -f "$made"
	made=""
}
trap 'allow; rm -f "$log"' EXIT
if [ ! -e "$policy" ]; then
	made=$policy
	printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
fi
"$policy" bird start >/dev/null 2>&1
if [ $? != 101 ]; then
	kept=()
	for p in ${packages[@]+"${packages[@]}"}; do
		if [ -n "$(services "$p")" ]; then
			echo "$p is not installed: $policy would have it started"
		else
			kept+=("$p")
		fi
	done
	packages=(${kept[@]+"${kept[@]}"})
fi
if [ ${#packages[@]} -gt 0 ]; then
	# One by one, for a package that this system does not have stops no other.
	for p in "${packages[@]}"; do
		apt-get install -y --no-install-recommends "$p" >"$log" 2>&1 || say "apt-get could not install $p"
		for s in $(services "$p"); do
			systemctl disable "$s" >/dev/null 2>&1
		done
	done
fi
allow

# Installing prometheus would start a server and make a user; its two programs are
# taken out of the package instead.
if [ -n "$unpack" ]; then
	dir=$(mktemp -d) && chmod 755 "$dir"
	if (cd "$dir" && apt-get download "$unpack" && dpkg-deb -x ./*.deb .) >"$log" 2>&1; then
		mkdir -p bin/tools && cp "$dir/usr/bin/promtool" "$dir/usr/bin/prometheus" bin/tools/
	else
		say "apt-get could not download $unpack"
	fi
	rm -rf "$dir"
fi
finish "${1:-test}"
