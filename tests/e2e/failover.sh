#!/usr/bin/env bash
# A zone goes dark under load: traffic leaves it in seconds, its pods are replaced elsewhere, and it
# comes back in steps without a lost request. Then the same with the zone of the leading operator,
# and a zone whose pods hold a canary.
set -u
failover_tree=$(cd "$(dirname "$0")/../.." && pwd -P)
[ "${1:-}" = inside ] ||
	exec bash "$failover_tree/tests/bed/bed.sh" run --zones 3 --gateway -- bash "$0" inside

WORLD_STEPS='[{weight: 30, hold: 4s}, {weight: 100}]'
# Probes once a second, three failures in a row: 2.4 s to 3.4 s, and the route's way to the gateway.
FAILOVER_TRAFFIC_MS=6000
# A warm spare card, and a model that loads at once.
FAILOVER_CAPACITY_MS=15000
# What a dead leader costs more: its lease, and the next one's first probes.
FAILOVER_LEADER_MS=12000
for failover_lib in e2e replica; do
	# shellcheck source=/dev/null
	. "$BED_TREE/tests/e2e/lib/$failover_lib.sh"
done

# A request that waits in the dark is over after its 5 s time-out.
SETTLE=6

# dark N LIMIT: zone N goes dark; times of traffic and capacity.
dark() {
	local zone=${WORLD_ZONES[$1 - 1]} began replaced last
	began=$(now_ms)
	bed zone-dark "$1"
	tell "$zone is dark"
	wait_until 30 "$zone is left" zone_is "$zone" Evacuated || give_up "$zone was not left"
	wait_until 40 "its pods are replaced" zone_replaced "$zone" 6 || give_up "the pods of $zone were not replaced"
	replaced=$(now_ms)
	sleep $SETTLE
	last=$(world_last_lost "$began" "$(now_ms)")
	between "$zone: ms until the last request that was lost" $((${last:-$began} - began)) 0 "$2"
	between "$zone: ms until six pods serve elsewhere" $((replaced - began)) 0 $((FAILOVER_CAPACITY_MS + $2 - FAILOVER_TRAFFIC_MS))
}

# light N: zone N answers again; it comes back without a lost request.
light() {
	local zone=${WORLD_ZONES[$1 - 1]} began
	began=$(now_ms)
	bed zone-light "$1"
	wait_until 90 "$zone is healthy again" zone_well "$zone" || give_up "$zone did not come back"
	tell "$zone is back after $(seconds_since "$began") s"
	sleep $SETTLE
	equal "$zone: requests lost on its way back" "$(world_lost_between $((began + 1000)) "$(now_ms)")" 0
	wait_until 60 "the extra pods have left" world_pods 6 || give_up "pods did not settle"
}

other_than() {
	local n
	for n in 1 2 3; do
		[ "$n" = "$1" ] || echo "$n"
	done
}

failover_story() {
	local n leading
	world_start_nodes || give_up "the nodes did not become Ready"
	world_install || give_up "manifests/install.yaml could not be applied"
	record_start
	for n in 1 2 3; do
		replica_start "operator-$n" "$n"
	done
	wait_until 20 "one leads" leader || give_up "nobody leads"
	world_mdep 1 | kubectl apply -f - >/dev/null || give_up "version 1 was not accepted"
	wait_until 60 "version 1 serves" mdep_serves 1 || give_up "version 1 does not serve"
	world_start_load 300
	sleep 3
	leading=$(leader)
	n=$(other_than "${leading##*-}" | head -n 1)
	dark "$n" $FAILOVER_TRAFFIC_MS
	light "$n"
	tell "the zone of the leader, ${leading##*-}"
	dark "${leading##*-}" $FAILOVER_LEADER_MS
	light "${leading##*-}"
	world_stop_load
	[ "$failed" -eq 0 ] || e2e_evidence
}

failover_story
finish
