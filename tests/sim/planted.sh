#!/bin/sh
# planted.sh PROGRAM: takes each guard away (tests/sim/planted.c), as many at a time as there are
# processors, and prints by which seed the simulator noticed, and what it saw. Ends with one line
# "N passed, N failed, N skipped".
program=$1
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

"$program" | xargs -P "${JOBS:-$(nproc)}" -n 1 "$program" >"$out" 2>/dev/null
rc=$?
sort "$out"
awk '/ seed +[0-9]+ / {p++} / not noticed / {f++} END {printf "%d passed, %d failed, 0 skipped\n", p, f}' "$out"
exit "$rc"
