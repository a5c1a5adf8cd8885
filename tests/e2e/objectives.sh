#!/usr/bin/env bash
# An objective under real requests. A version that begins to fail after its promotion is taken back
# within the bake time; one that begins to fail while a zone is dark is not, because nobody can say
# whose failures they are: that is told instead.
set -u
objectives_tree=$(cd "$(dirname "$0")/../.." && pwd -P)
[ "${1:-}" = inside ] ||
	exec bash "$objectives_tree/tests/bed/bed.sh" run --zones 3 --gateway -- bash "$0" inside

WORLD_STEPS='[{weight: 50, hold: 1s}]'
WORLD_SLO='{objectives: [{name: availability, target: "99.9"}], onBreach: Rollback, bake: 10m, coolDown: 1s}'
# From the first failures on: 20 s of them at least, three slots of 10 s, and the way back pod by pod.
OBJECTIVES_BACK_MS=75000
# shellcheck source=/dev/null
. "$BED_TREE/tests/e2e/lib/e2e.sh"

release() {
	world_mdep "$@" | kubectl apply -f - >/dev/null || give_up "version $1 was not accepted"
	wait_until 60 "version $1 serves" mdep_serves "$1" || give_up "version $1 was not promoted"
	tell "version $1 is stable"
}

slo_is() {
	mdep_is ".status.conditions[?(@.type==\"SLOMet\")].$1" "$2"
}

failures_began() {
	grep -q '"status":500[,}].*"version":"'"$1"'"' "$WORLD_RECORDS"
}

# fails_everywhere VERSION: from now on.
fails_everywhere() {
	local zone
	for zone in "${WORLD_ZONES[@]}"; do
		world_faults "$zone" errors
	done
	wait_until 10 "version $1 begins to fail" failures_began "$1" || give_up "version $1 does not fail"
}

went_back() {
	mdep_is .status.rollout.phase RolledBack &&
		mdep_is ".status.revisions[?(@.name==\"$(mdep .status.stableRevision)\")].modelVersion" "$1"
}

failures_after_promotion() {
	local began
	release 3 ERROR_RATE 0.2 FAULTS_BY_SIGNAL 1
	equal "failures by then" "$(grep -c '"status":500[,}]' "$WORLD_RECORDS")" 0
	fails_everywhere 3
	began=$(now_ms)
	wait_until 120 "it is taken back" went_back 2 || give_up "a breach within the bake time led nowhere: $(mdep .status.slo)"
	between "ms from the first failure until version 2 is back whole" $(($(now_ms) - began)) 10000 $OBJECTIVES_BACK_MS
	equal "why" "$(mdep .status.rollout.reason)" SLOBreached
	equal "result of the revision" "$(mdep '.status.revisions[?(@.modelVersion=="3")].result')" RolledBack
	check "the budget has the failures" [ "$(mdep '.status.slo.objectives[0].bad')" -gt 50 ]
	sleep 2
	lost_none "requests lost by anybody else" 3
}

failures_in_the_dark() {
	local dark
	release 4 ERROR_RATE 0.2 FAULTS_BY_SIGNAL 1
	bed zone-dark 3
	dark=$(now_ms)
	wait_until 40 "the zone is left" zone_is hz-c Evacuated || give_up "the dark zone was not left"
	fails_everywhere 4
	wait_until 60 "the breach is seen" slo_is status False || give_up "no breach was seen: $(mdep .status.slo)"
	equal "why nothing is done" "$(mdep '.status.conditions[?(@.type=="SLOMet")].reason')" BreachHeld
	tell "a breach while $((($(now_ms) - dark) / 1000)) s of darkness: held"
	sleep 20
	equal "version 4 is still stable" "$(mdep ".status.revisions[?(@.name==\"$(mdep .status.stableRevision)\")].modelVersion")" 4
	equal "and nothing is being released" "$(mdep .status.rollout.phase)" ""
	bed zone-light 3
}

world_start_nodes || give_up "the nodes did not become Ready"
world_install || give_up "manifests/install.yaml could not be applied"
world_start_operator
release 1
world_start_load 150
release 2
failures_after_promotion
failures_in_the_dark
world_stop_load
[ "$failed" -eq 0 ] || e2e_evidence
finish
