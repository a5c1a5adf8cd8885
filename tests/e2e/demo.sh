#!/usr/bin/env bash
# `make demo` as whoever runs this, then as an ordinary user from a folder with spaces in its path, with
# a cache that cannot be written: both end in `demo: PASS` in less than three minutes and leave
# nothing behind.
set -u
tree=$(cd "$(dirname "$0")/../.." && pwd -P)
DEMO_SECONDS_MAX=180
# shellcheck source=/dev/null
. "$tree/tests/e2e/programs/lib.sh"
# shellcheck source=/dev/null
. "$tree/tests/e2e/lib/leftovers.sh"
skipped=0
work=$(mktemp -d)
chmod 755 "$work"
trap 'find "$work" -type d -exec chmod u+w {} +; rm -rf "$work"' EXIT

bed_programs=${BED_BIN:-$tree/build/bed} operator=${TIDEGATE:-$tree/build/tidegate}

# demo WHO TREE TMP COMMAND...: runs the demo of TREE by COMMAND, with TMP as its temporary folder.
demo() {
	local who=$1 from=$2 tmp=$3 began=$SECONDS rc=0
	shift 3
	"$@" bash "$from/tests/bed/demo.sh" >"$work/out" 2>"$work/err" || rc=$?
	equal "$who: exit code" "$rc" 0
	equal "$who: last line" "$(tail -n 1 "$work/out")" "demo: PASS"
	between "$who: seconds" "$((SECONDS - began))" 1 $DEMO_SECONDS_MAX
	equal "$who: processes left" "$(leftover_processes "$work")" ""
	equal "$who: files left" "$(ls -A "$tmp")" ""
	[ "$rc" -eq 0 ] || tail -n 30 "$work/err" "$work/out" | sed 's/^/    /'
}

# Programs of its own, so that what it leaves behind can be told from another demo's.
demo_as_it_is() {
	mkdir "$work/programs" "$work/tmp"
	cp "$operator" "$bed_programs"/* "$work/programs"
	demo "as $(id -un)" "$tree" "$work/tmp" \
		env BED_BIN="$work/programs" TIDEGATE="$work/programs/tidegate" TMPDIR="$work/tmp"
}

demo_as_ordinary_user() {
	local home="$work/an ordinary user" cache=${XDG_CACHE_HOME:-$HOME/.cache}/tidegate
	mkdir -p "$home/cache" "$home/tree/tests" "$home/tree/build" "$home/tmp"
	cp -RL "$tree/tests/bed" "$tree/tests/tools" "$home/tree/tests/"
	cp -R "$tree/manifests" "$home/tree/"
	cp "$operator" "$home/tree/build/tidegate"
	cp -R "$bed_programs" "$home/tree/build/bed"
	cp -al "$cache" "$home/cache/" 2>/dev/null || cp -a "$cache" "$home/cache/"
	chmod -R a+rX "$home"
	find "$home/cache" -type d -exec chmod a-w {} +
	chmod 1777 "$home/tmp"
	demo "as an ordinary user" "$home/tree" "$home/tmp" \
		setpriv --reuid=65534 --regid=65534 --clear-groups \
		env -i PATH="$PATH" HOME="$home" XDG_CACHE_HOME="$home/cache" TMPDIR="$home/tmp"
}

demo_as_it_is
if [ "$(id -u)" -eq 0 ]; then
	demo_as_ordinary_user
else
	skipped=1
	echo "skip  the demo as another user: this is an ordinary user already"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
