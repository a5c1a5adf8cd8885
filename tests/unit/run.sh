#!/bin/sh
# Runs unit test programs one after the other; a failing one shows its whole output.
# Ends with one line "N passed, N failed, N skipped", counted from cmocka's own lines.
pass=0 fail=0 skip=0
for t in "$@"; do
	out=$("$t" 2>&1)
	rc=$?
	p=$(printf '%s\n' "$out" | grep -c '^\[       OK \]')
	f=$(printf '%s\n' "$out" | grep -c '^\[  FAILED  \] [^0-9]')
	s=$(printf '%s\n' "$out" | grep -c '^\[  SKIPPED \] [^0-9]')
	if [ $rc -ne 0 ]; then
		printf '%s\n' "$out"
		[ "$f" -gt 0 ] || f=1
		echo "FAIL $t (exit $rc)"
	fi
	pass=$((pass + p)) fail=$((fail + f)) skip=$((skip + s))
done
echo "$pass passed, $fail failed, $skip skipped"
[ $fail -eq 0 ] && [ $pass -gt 0 ]
