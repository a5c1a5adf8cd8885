#!/usr/bin/env bash
# Tests of the test bed's own programs. BUILD names the build folder.
set -u
cd "$(dirname "$0")/../../.." || exit 1
export BUILD=${BUILD:-build}
here=tests/e2e/programs
log=$(mktemp)
trap 'rm -f "$log"' EXIT
pass=0 fail=0

count() {
	local name=$1 rc p f
	shift
	"$@" 2>&1 | tee "$log"
	rc=${PIPESTATUS[0]}
	p=$(sed -n 's/^\([0-9]*\) passed.*/\1/p' "$log" | tail -n 1)
	f=$(sed -n 's/^.* \([0-9]*\) failed.*/\1/p' "$log" | tail -n 1)
	if [ -z "$p" ] || { [ "$rc" -ne 0 ] && [ "${f:-0}" -eq 0 ]; }; then
		echo "FAIL  $name ended with $rc"
		f=$((${f:-0} + 1))
	fi
	pass=$((pass + ${p:-0})) fail=$((fail + f))
}

count "model server" bash "$here/modelserver.sh"
count "load" bash "$here/load.sh"
count "nodelet" bash tests/bed/bed.sh run --zones 1 -- bash "$here/nodelet.sh"
count "nodelet faults" bash tests/bed/bed.sh run --zones 1 -- bash "$here/nodelet_faults.sh"
echo "test programs: $pass passed, $fail failed, 0 skipped"
[ "$fail" -eq 0 ]
