#!/usr/bin/env bash
# Runs the test program of a package for go test -exec: as it is if the list has the
# package, else at a lower priority, so that it takes only what the others leave of the
# processors:
#
#	polite.sh internal/lab,internal/daemon PROGRAM ARGUMENT...
set -u
list=$1
shift
root=$(cd "$(dirname "$0")/.." && pwd -P)
here=$(pwd -P) # go test runs a program in the directory of its package
case ",$list," in
*",${here#"$root"/},"*) exec "$@" ;;
*) exec nice -n 10 "$@" ;;
esac
