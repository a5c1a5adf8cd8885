#!/usr/bin/env bash
# Who says that a zone is dark: a leader that alone does not reach a zone leaves it in peace; one whose
# standbys are dead decides alone; and what the dead have left behind is cleared up.
set -u
votes_tree=$(cd "$(dirname "$0")/../.." && pwd -P)
[ "${1:-}" = inside ] ||
	exec bash "$votes_tree/tests/bed/bed.sh" run --zones 3 --gateway -- bash "$0" inside

for votes_lib in e2e replica zones; do
	# shellcheck source=/dev/null
	. "$BED_TREE/tests/e2e/lib/$votes_lib.sh"
done

# A Lease that has not been renewed for a minute is a leftover.
LEFTOVER_S=75

# Three times as long as it takes to leave a zone that is dark.
cut_off_leader() {
	local leading=$1 other=$2 zone=${WORLD_ZONES[$2 - 1]} began
	began=$(now_ms)
	bed zones-apart "${leading##*-}" "$other"
	tell "$leading does not reach $zone, everybody else does"
	while [ $(($(now_ms) - began)) -lt 10000 ]; do
		zone_well "$zone" || {
			fail "$zone is $(zone_state "$zone") although only the leader does not reach it"
			break
		}
		sleep 0.2
	done
	equal "pods of $zone in service" "$(pods_ready "$zone")" 2
	equal "it still leads" "$(leader)" "$leading"
	bed zones-together
	lost_since "requests lost meanwhile" "$began"
	equal "pods" "$(kubectl get pods -n shop --no-headers | wc -l)" 6
}

votes_story() {
	local leading n others
	world_start_nodes || give_up "the nodes did not become Ready"
	world_install || give_up "manifests/install.yaml could not be applied"
	replicas_serve
	wait_until 10 "all three vote" replicas_voting 3 || give_up "the replicas do not vote"
	equal "a Lease a replica" "$(votes_leases)" 3
	world_start_load 300
	sleep 3
	leading=$(leader)
	mapfile -t others < <(other_than "${leading##*-}")
	cut_off_leader "$leading" "${others[0]}"
	replica_signal "operator-${others[0]}" TERM
	wait_until 5 "operator-${others[0]} ends" replica_ended "operator-${others[0]}"
	equal "who ends in order takes its vote along" "$(votes_leases)" 2
	replica_start "operator-${others[0]}" "${others[0]}"
	wait_until 10 "all three vote again" replicas_voting 3 || give_up "the new replica does not vote"
	for n in "${others[@]}"; do
		replica_signal "operator-$n" KILL
	done
	tell "both standbys are killed"
	equal "$leading leads" "$(leader)" "$leading"
	dark "${others[0]}" $FAILOVER_TRAFFIC_MS
	light "${others[0]}"
	wait_until $LEFTOVER_S "leftovers are cleared up" test_votes 1
	equal "Leases" "$(votes_leases)" 1
	world_stop_load
	[ "$failed" -eq 0 ] || e2e_evidence
}

test_votes() {
	[ "$(votes_leases)" -eq "$1" ]
}

votes_story
finish
