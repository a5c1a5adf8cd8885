#!/bin/sh
# Runs unit test programs, as many at a time as there are processors (JOBS); a failing one shows its
# whole output. Ends with one line "N passed, N failed, N skipped", counted from cmocka's own lines.
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Each has a folder of its own, by its place in the list: names may repeat between modules.
n=0
for t in "$@"; do
	n=$((n + 1))
	printf '%s %s\n' "$n" "$t"
done >"$out/list"

# shellcheck disable=SC2016 # the shell of each program expands these
xargs -d '\n' -P "${JOBS:-$(nproc)}" -n 1 sh -c '
	n=${1%% *}
	"${1#* }" >"$0/$n.log" 2>&1
	echo $? >"$0/$n.rc"' "$out" <"$out/list"

pass=0 fail=0 skip=0
while read -r n t; do
	log=$out/$n.log
	# A program that was not even started has no exit code.
	rc=$(cat "$out/$n.rc" 2>/dev/null || echo none)
	p=$(grep -c '^\[       OK \]' "$log")
	# cmocka names failed and skipped tests again in its summary: count each name once.
	f=$(grep '^\[  FAILED  \] [^0-9]' "$log" | sort -u | wc -l)
	s=$(grep '^\[  SKIPPED \] [^0-9]' "$log" | sort -u | wc -l)
	if [ "$rc" != 0 ]; then
		cat "$log"
		[ "$f" -gt 0 ] || f=1
		echo "FAIL $t (exit $rc)"
	fi
	pass=$((pass + p)) fail=$((fail + f)) skip=$((skip + s))
done <"$out/list"
echo "$pass passed, $fail failed, $skip skipped"
[ $fail -eq 0 ] && [ $pass -gt 0 ]
