#!/usr/bin/env bash
# Prints the packages whose tests declare a function of the given kind:
# Benchmark or Fuzz.
set -u
go list -f '{{$d := .Dir}}{{$p := .ImportPath}}{{range .TestGoFiles}}{{$p}} {{$d}}/{{.}}
{{end}}{{range .XTestGoFiles}}{{$p}} {{$d}}/{{.}}
{{end}}' ./... | while read -r package file; do
	[ -n "$package" ] && grep -q "^func $1[A-Z]" "$file" && echo "$package"
done | sort -u
