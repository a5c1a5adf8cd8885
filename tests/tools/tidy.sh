#!/bin/sh
# tidy.sh FILE FLAG...: clang-tidy of one file with these compiler flags. What was found clean is not
# looked at again until something changes that clang-tidy reads: itself, the checks, the file with all
# that it includes. Kept in ${XDG_CACHE_HOME:-~/.cache}/tidegate/tidy.
set -u
file=$1
shift
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tidegate/tidy
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# With comments: some switch checks off.
key=
if clang -E -C "$@" "$file" >"$work/source" 2>/dev/null; then
	key=$({ clang-tidy --version && cat .clang-tidy "$work/source"; } | sha256sum | cut -d' ' -f1)
	[ ! -e "$cache/$key" ] || exit 0
fi
clang-tidy --quiet "$file" -- "$@" 2>"$work/err"
rc=$?
# Its count of warnings in headers of others is of no use.
grep -v ' warnings\{0,1\} generated\.$' "$work/err" >&2
[ $rc -eq 0 ] || exit $rc
# A cache that cannot be written only costs time.
[ -z "$key" ] || { mkdir -p "$cache" && : >"$cache/$key"; } 2>/dev/null
exit 0
