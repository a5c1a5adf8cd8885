#!/usr/bin/env bash
# run.sh [ci|mesh|ingress]: the test suite, ring by ring, CI's by default; ends with one line "N passed, N failed, N skipped".
#
# A ring is a command that prints such a line of its own last; one that prints none counts as one
# test. Output is shown as it comes; what failed is said again at the end, for readers of the end only.
set -u
cd "$(dirname "$0")/.." || exit 1

passed=0 failed=0 skipped=0 broken=()
started=$SECONDS
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# count_line WORD: the number before WORD in the last closing line of the log, empty when there is none.
count_line() {
	sed -n 's/^\([A-Za-z]*: \)\{0,1\}\([0-9]\{1,\}\) passed, \([0-9]\{1,\}\) failed\(, \([0-9]\{1,\}\) skipped\)\{0,1\}$/\2 \3 \5/p' "$log" |
		tail -n 1
}

# failures: the lines of the log that say what failed, each with the indented ones below it.
failures() {
	awk '/^FAIL |^\[  FAILED  \]|^\[  ERROR   \]|^seed [0-9]+: / { below = 6; print "    " $0; next }
		/^ / && below > 0 { below--; print "    " $0; next } { below = 0 }' "$log" | head -n 20
}

ring() {
	local name=$1 rc counts p f s
	shift
	printf '\n== %s (%d s so far)\n' "$name" "$((SECONDS - started))"
	"$@" 2>&1 | tee "$log"
	rc=${PIPESTATUS[0]}
	counts=$(count_line)
	if [ -z "$counts" ]; then
		counts="$((rc == 0)) $((rc != 0)) 0"
	fi
	read -r p f s <<<"$counts"
	[ "$rc" -eq 0 ] || [ "$f" -gt 0 ] || f=1
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + ${s:-0}))
	[ "$f" -eq 0 ] || broken+=("failed: $name" "$(failures)")
}

bed() {
	local options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	BED_KEEP_ON_FAIL=${BED_KEEP_ON_FAIL:-0} bash tests/bed/bed.sh run "${options[@]}" "$@"
}

# What CI runs.
rings_of_ci() {
	local t
	ring "layers" sh tests/tools/layers.sh
	ring "banned calls" sh tests/tools/banned.sh
	ring "checks of the checks" sh tests/tools/lint_test.sh
	ring "links in documents" sh tests/tools/links.sh
	ring "the program as it is shipped" sh tests/tools/binary.sh
	ring "help texts and documents" sh tests/tools/manual.sh
	ring "format and static analysis" sh tests/tools/style.sh
	ring "unit, address and undefined-behaviour sanitizers" make -s -j"$(nproc)" unit SAN=1 BUILD=build-san
	ring "unit" make -s -j"$(nproc)" unit
	ring "Kayenta's rule, drawn cases" python3 tests/score/kayenta_differential.py build/tidegate 250
	ring "simulated releases, fixed seeds" make -s sim SEEDS=2000
	# Not the same ones every day; the first seed is printed, and a failing one prints how to repeat it.
	ring "simulated releases, fresh seeds" make -s sim SEEDS=20 FROM="$(date +%s)"
	ring "simulated releases without a guard" make -s sim-planted
	ring "drawn worlds" make -s sim-worlds SEEDS=40
	ring "test bed" bash tests/bed/selftest.sh
	ring "test programs" bash tests/e2e/programs/run.sh
	for t in tests/integration/*.sh; do
		ring "integration: $(basename "$t" .sh)" bed --gateway -- bash "$t"
	done
	for t in tests/e2e/*.sh; do
		ring "end to end: $(basename "$t" .sh)" bash "$t"
	done
}

# What needs istiod and Envoy.
rings_of_mesh() {
	local t
	for t in tests/mesh/*.sh; do
		ring "mesh: $(basename "$t" .sh)" bash "$t"
	done
}

# What needs ingress-nginx.
rings_of_ingress() {
	ring "ingress: nginx" bash tests/ingress/nginx.sh
}

"rings_of_${1:-ci}"

printf '\n'
[ ${#broken[@]} -eq 0 ] || printf '%s\n' "${broken[@]}"
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
