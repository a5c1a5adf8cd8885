#!/usr/bin/env bash
# A zone goes dark under load: traffic leaves it in seconds, its pods are replaced elsewhere, and it
# comes back in steps without a lost request. Then the same with the zone of the leading operator,
# and a zone whose pods hold a canary.
set -u
failover_tree=$(cd "$(dirname "$0")/../.." && pwd -P)
[ "${1:-}" = inside ] ||
	exec bash "$failover_tree/tests/bed/bed.sh" run --zones 3 --gateway -- bash "$0" inside

WORLD_STEPS='[{weight: 30, hold: 4s}, {weight: 100}]'
for failover_lib in e2e replica zones; do
	# shellcheck source=/dev/null
	. "$BED_TREE/tests/e2e/lib/$failover_lib.sh"
done

failover_story() {
	local n leading
	world_start_nodes || give_up "the nodes did not become Ready"
	world_install || give_up "manifests/install.yaml could not be applied"
	record_start
	replicas_serve
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
