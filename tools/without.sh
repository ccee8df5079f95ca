#!/usr/bin/env bash
# Runs a command as on a machine that lacks something: bird, frr, nft, iperf3
# or any other program, cubic, or ipv6. It hides what is named from the command
# alone, and apt-get with it, so that nothing is installed in its place:
#
#	tools/without.sh bird make demo
#
# It takes root, for namespaces of its own.
set -eu
if [ $# -lt 2 ]; then
	echo "usage: $0 bird|frr|cubic|ipv6|PROGRAM COMMAND..." >&2
	exit 2
fi
if [ "${WITHOUT_INSIDE:-}" != "$$" ]; then
	if [ "$(id -u)" != 0 ]; then
		echo "hiding a program takes root" >&2
		exit 1
	fi
	flags=-m
	[ "$1" != ipv6 ] || flags=-mn
	# Exec keeps the process's number, by which the script knows itself again.
	export WITHOUT_INSIDE=$$
	exec unshare $flags -- "$0" "$@"
fi
unset WITHOUT_INSIDE
what=$1
shift
mount --make-rprivate /
hidden=$(mktemp -d)
mount -t tmpfs -o mode=755 tmpfs "$hidden"
mkdir "$hidden/empty"

# hide takes programs from wherever they are looked for: over each directory
# that has some of them lies one of an overlay's with white-outs, devices 0 0,
# in their places.
hide() {
	local program dir over
	for dir in ${PATH//:/ } /usr/sbin /usr/bin /sbin /bin /usr/local/sbin /usr/local/bin; do
		dir=$(readlink -f "$dir") || continue
		over=$hidden/$(echo "$dir" | tr / _).$1
		[ ! -d "$over" ] || continue # by another name of the directory
		for program; do
			[ -e "$dir/$program" ] || [ -L "$dir/$program" ] || continue
			mkdir -p "$over"
			mknod "$over/$program" c 0 0
		done
		[ ! -d "$over" ] || mount -t overlay overlay -o "lowerdir=$over:$dir" "$dir"
	done
}

hide apt-get
case $what in
bird) hide bird birdc birdcl ;;
frr)
	hide vtysh
	for dir in /usr/lib/frr /usr/libexec/frr /usr/local/sbin/frr; do
		[ ! -d "$dir" ] || mount --bind "$hidden/empty" "$dir"
	done
	;;
cubic)
	list=/proc/sys/net/ipv4/tcp_allowed_congestion_control
	tr ' ' '\n' <"$list" | grep -vx cubic | paste -sd' ' >"$hidden/allowed"
	mount --bind "$hidden/allowed" "$list"
	;;
ipv6)
	# As containers have it: none in the namespace that they begin in.
	for name in all default lo; do
		echo 1 >"/proc/sys/net/ipv6/conf/$name/disable_ipv6"
	done
	ip link set lo up
	;;
*) hide "$what" ;;
esac
umount -l "$hidden"
rmdir "$hidden" 2>/dev/null || true
exec "$@"
