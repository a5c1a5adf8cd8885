#!/usr/bin/env bash
# A zone goes dark while a release is at a canary step, while it waits for approval, and while it is
# aborted; another zone each time but the last, which is one that had failed before. No request is lost
# but in the first seconds of the dark, the release goes on where it was, and the zone that fails again
# has to prove itself for twice as long.
set -u
during_tree=$(cd "$(dirname "$0")/../.." && pwd -P)
[ "${1:-}" = inside ] ||
	exec bash "$during_tree/tests/bed/bed.sh" run --zones 3 --gateway -- bash "$0" inside

WORLD_STEPS='[{weight: 30, hold: 5s}, {weight: 60, approval: Required}]'
RECOVER_S=2
WORLD_FAILOVER="{minCapacity: 60%, recoverAfter: ${RECOVER_S}s, ramp: 2s}"
WORLD_TIMEOUT=2
for during_lib in e2e replica zones; do
	# shellcheck source=/dev/null
	. "$BED_TREE/tests/e2e/lib/$during_lib.sh"
done
WINDOWS=$BED_DIR/windows
: >"$WINDOWS"

# zone_fails N: it goes dark and is left; requests of the next seconds may be lost.
zone_fails() {
	local began
	began=$(now_ms)
	bed zone-dark "$1"
	tell "${WORLD_ZONES[$1 - 1]} is dark"
	wait_until 30 "it is left" zone_is "${WORLD_ZONES[$1 - 1]}" Evacuated || give_up "${WORLD_ZONES[$1 - 1]} was not left"
	echo "$began $((began + FAILOVER_TRAFFIC_MS))" >>"$WINDOWS"
}

# zone_answers N: and comes back; how long that took is in back_ms.
zone_answers() {
	local lit
	lit=$(now_ms)
	bed zone-light "$1"
	wait_until 60 "it is healthy again" zone_well "${WORLD_ZONES[$1 - 1]}" || give_up "${WORLD_ZONES[$1 - 1]} did not come back"
	back_ms=$(($(now_ms) - lit))
	tell "${WORLD_ZONES[$1 - 1]} is back after $back_ms ms"
}

# lost_outside: failed requests that were sent in none of the windows.
lost_outside() {
	grep -v '"status":200[,}]' "$WORLD_RECORDS" | sed 's/.*"t":\([0-9]*\).*/\1 &/' |
		awk 'NR == FNR { from[NR] = $1; to[NR] = $2; n = NR; next }
			{ for (i = 1; i <= n; i++) if ($1 >= from[i] && $1 <= to[i]) next; print }' "$WINDOWS" -
}

at_step() {
	mdep_is .status.rollout.phase "$1" && mdep_is .status.rollout.step "$2"
}

# release_is NAME "PHASE STEP"
release_is() {
	equal "$1" "$(mdep .status.rollout.phase) $(mdep .status.rollout.step)" "$2"
}

outcome_is() {
	[ "$(mdep ".status.orders[?(@.order==\"$1\")].outcome")" = "$2" ]
}

during_a_canary_step() {
	world_mdep 2 | kubectl apply -f - >/dev/null || give_up "version 2 was not accepted"
	wait_until 60 "version 2 is at its first step" at_step Holding 0 || give_up "version 2 does not reach a step"
	zone_fails "$1"
	sleep 5
	release_is "the step is held beyond its 5 s" "Holding 0"
	zone_answers "$1"
	wait_until 30 "the step ends" at_step AwaitingApproval 1 || give_up "the release does not go on"
}

during_an_approval_hold() {
	zone_fails "$1"
	sleep 1
	release_is "it still waits for approval" "AwaitingApproval 1"
	zone_answers "$1"
	release_is "and after the zone's return" "AwaitingApproval 1"
}

during_an_abort() {
	mdep_order abort now
	wait_until 5 "the order is heard" outcome_is abort Done || give_up "abort: $(mdep .status.orders)"
	zone_fails "$1"
	wait_until 30 "aborted" mdep_is .status.rollout.phase Aborted || give_up "version 2 is not aborted"
	wait_until 10 "all is stable's" mdep_is .status.traffic.verifiedWeight 0
	equal "the canary's share" "$(mdep .status.traffic.verifiedWeight)" 0
	zone_answers "$1"
	between "ms until the zone is back that failed twice" "$back_ms" $((2 * RECOVER_S * 1000)) 30000
	equal "times that it was left" "$(mdep ".status.zones[?(@.name==\"${WORLD_ZONES[$1 - 1]}\")].evacuations")" 2
}

during_story() {
	local others
	world_start_nodes || give_up "the nodes did not become Ready"
	world_install || give_up "manifests/install.yaml could not be applied"
	replicas_serve
	wait_until 10 "all three vote" replicas_voting 3 || give_up "the replicas do not vote"
	mapfile -t others < <(leading=$(leader) && other_than "${leading##*-}")
	world_start_load 300
	sleep 2
	during_a_canary_step "${others[0]}"
	during_an_approval_hold "${others[1]}"
	during_an_abort "${others[0]}"
	wait_until 60 "the canary's pods have left" world_pods 6 || give_up "pods did not settle"
	sleep 1
	world_stop_load
	equal "requests lost outside of the dark seconds, of $(world_sent)" "$(lost_outside | wc -l)" 0
	lost_outside | head -n 5 | cut -c1-300 | sed 's/^/    /'
	[ "$failed" -eq 0 ] || e2e_evidence
}

during_story
finish
