#!/usr/bin/env bash
# The whole story of the demo on real nodes: containerd and a kubelet in each zone instead of nodelet,
# so that nothing rests on nodelet alone. Then the same interrupted in the middle: nothing of
# it stays on the machine.
set -u
tree=$(cd "$(dirname "$0")/../.." && pwd -P)
KUBELETS_SECONDS_MAX=220
for kubelets_lib in programs/lib lib/leftovers lib/real_nodes; do
	# shellcheck source=/dev/null
	. "$tree/tests/e2e/$kubelets_lib.sh"
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# nothing_left WHO
nothing_left() {
	equal "$1: processes left" "$(leftover_processes "$work")" ""
	equal "$1: files left" "$(ls -A "$work/tmp")" ""
	equal "$1: the machine is as before" "$(leftover_machine)" "$before"
}

story_on_kubelets() {
	local began=$SECONDS rc=0
	TMPDIR=$work/tmp bash "$tree/tests/bed/demo.sh" --kubelets >"$work/out" 2>"$work/err" || rc=$?
	equal "story: exit code" "$rc" 0
	equal "story: last line" "$(tail -n 1 "$work/out")" "demo: PASS"
	between "story: seconds" "$((SECONDS - began))" 1 $KUBELETS_SECONDS_MAX
	sed -n '/^PHASE/,$p' "$work/out" | sed 's/^/    /'
	[ "$rc" -eq 0 ] || tail -n 30 "$work/err" "$work/out" | sed 's/^/    /'
	nothing_left story
}

# As from a terminal: the whole group gets it while pods run in all zones.
interrupted_story() {
	local pid rc=0
	TMPDIR=$work/tmp setsid env --default-signal=INT \
		bash "$tree/tests/bed/demo.sh" --kubelets >"$work/out" 2>"$work/err" &
	pid=$!
	eventually 60 grep -q 'pods placed by Tidegate' "$work/out"
	check "interrupted: pods were running" grep -q 'pods placed by Tidegate' "$work/out"
	kill -INT -- "-$pid"
	wait "$pid" || rc=$?
	equal "interrupted: exit code is not 0" "$((rc != 0))" 1
	nothing_left interrupted
}

real_nodes_or_skip "$tree" "the story on real kubelets"
mkdir "$work/tmp"
before=$(leftover_machine)
story_on_kubelets
interrupted_story
finish
