#!/bin/sh
# Runs unit test programs one after the other; a failing one shows its whole output.
# Ends with one line "N passed, N failed, N skipped", counted from cmocka's own lines.
pass=0 fail=0 skip=0
for t in "$@"; do
	out=$("$t" 2>&1)
	rc=$?
	p=$(printf '%s\n' "$out" | grep -c '^\[       OK \]')
	# cmocka names failed and skipped tests again in its summary: count each name once.
	f=$(printf '%s\n' "$out" | grep '^\[  FAILED  \] [^0-9]' | sort -u | wc -l)
	s=$(printf '%s\n' "$out" | grep '^\[  SKIPPED \] [^0-9]' | sort -u | wc -l)
	if [ $rc -ne 0 ]; then
		printf '%s\n' "$out"
		[ "$f" -gt 0 ] || f=1
		echo "FAIL $t (exit $rc)"
	fi
	pass=$((pass + p)) fail=$((fail + f)) skip=$((skip + s))
done
echo "$pass passed, $fail failed, $skip skipped"
[ $fail -eq 0 ] && [ $pass -gt 0 ]
