#!/bin/sh
# run.sh PROGRAM FROM COUNT: simulated releases by seed, shared out among the processors.
# Ends with one line "N passed, N failed, N skipped".
program=$1 from=$2 count=$3
parts=${JOBS:-$(nproc)}
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"; kill $pids 2>/dev/null' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

pids= first=$from i=0
while [ $i -lt "$parts" ]; do
	i=$((i + 1))
	next=$((from + count * i / parts))
	[ $next -gt "$first" ] || continue
	"$program" --from "$first" --seeds $((next - first)) >"$out/$i" 2>&1 &
	pids="$pids $!"
	first=$next
done
rc=0
for pid in $pids; do
	wait "$pid" || rc=1
done
pids=
cat "$out"/* | grep -v '^[0-9]* passed, '
cat "$out"/* | awk '/^[0-9]+ passed, [0-9]+ failed/ {p += $1; f += $3; s += $5}
	END {printf "%d passed, %d failed, %d skipped\n", p, f, s}'
exit $rc
