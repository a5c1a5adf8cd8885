#!/usr/bin/env bash
# Zones that fail in part, under real requests: probes that get no answer while clients do, one pod of
# several, a zone that refuses what its kubelets are answered, one that answers with errors. What must be
# left is left, what need not be is not.
set -u
gray_tree=$(cd "$(dirname "$0")/../.." && pwd -P)
[ "${1:-}" = inside ] ||
	exec bash "$gray_tree/tests/bed/bed.sh" run --zones 3 --gateway -- bash "$0" inside

WORLD_STEPS='[{weight: 100}]'
WORLD_FAILOVER='{minCapacity: 60%, recoverAfter: 2s, ramp: 2s}'
WORLD_SLO='{objectives: [{name: availability, target: "99"}], onBreach: Notify}'
WORLD_TIMEOUT=2
for gray_lib in e2e zones; do
	# shellcheck source=/dev/null
	. "$BED_TREE/tests/e2e/lib/$gray_lib.sh"
done
# Objectives are held against half minutes of requests.
GRAY_ERRORS_S=60

zone_reason() {
	mdep ".status.zones[?(@.name==\"$1\")].reason"
}

zone_says() {
	[ "$(zone_reason "$1")" = "$2" ]
}

pods_serve() {
	[ "$(pods_ready "$1")" -eq "$2" ]
}

# zone_stays ZONE SECONDS: it is not left meanwhile.
zone_stays() {
	local began
	began=$(now_ms)
	while [ $(($(now_ms) - began)) -lt $(($2 * 1000)) ]; do
		case "$(zone_state "$1")" in
		"" | Healthy | Suspect) sleep 0.2 ;;
		*) return 1 ;;
		esac
	done
}

probes_alone_fail() {
	local began
	began=$(now_ms)
	world_faults hz-b hanging
	tell "hz-b does not answer probes, and clients as before"
	wait_until 10 "that is seen" zone_says hz-b ClientsServed || give_up "hz-b: $(mdep .status.zones)"
	check "it is not left" zone_stays hz-b 6
	check "its pods stay in service" pods_serve hz-b 2
	world_faults hz-b hanging
	wait_until 10 "hz-b is well" zone_well hz-b || give_up "hz-b: $(mdep .status.zones)"
	lost_since "clients were served: requests lost" "$began"
}

one_pod_of_two() {
	local pid began
	pid=$(pgrep -o -P "$(program_pid nodelet-hz-b)" modelserver)
	kill -STOP "$pid"
	tell "one pod of hz-b stands still"
	wait_until 10 "it gets no more requests" pods_serve hz-b 1 || give_up "it is still in service"
	began=$(now_ms)
	check "the zone is not left" zone_stays hz-b 4
	lost_since "the other pods serve: requests lost" $((began + 1000))
	kill -CONT "$pid"
	wait_until 20 "it serves again" pods_serve hz-b 2 || give_up "it is not in service again"
}

a_zone_refuses() {
	local began
	began=$(now_ms)
	bed zone-refuses 2
	tell "hz-b refuses everything, but its kubelets"
	is_left hz-b "$began" "$FAILOVER_TRAFFIC_MS"
	began=$(now_ms)
	bed zone-accepts 2
	comes_back hz-b "$began" 60
}

a_zone_errs() {
	local began
	world_faults hz-c errors
	tell "hz-c answers four requests of ten with an error"
	wait_until $GRAY_ERRORS_S "hz-c is left" zone_is hz-c Evacuated || give_up "hz-c was not left: $(mdep .status.zones)"
	tell "hz-c is left"
	equal "why" "$(zone_reason hz-c)" MissesObjective
	# Without traffic nobody can say that it still errs: it would come back to be judged again.
	began=$(now_ms)
	world_faults hz-c errors
	lost_since "hz-c is left: requests lost" $((began + 1000))
	comes_back hz-c "$began" 60
}

world_start_nodes || give_up "the nodes did not become Ready"
world_install || give_up "manifests/install.yaml could not be applied"
world_start_operator
world_mdep 1 ERROR_RATE 0.4 HANG status FAULTS_BY_SIGNAL 1 | kubectl apply -f - >/dev/null || give_up "version 1 was not accepted"
wait_until 60 "version 1 serves" mdep_serves 1 || give_up "version 1 does not serve"
wait_until 30 "in all zones" world_pods 6 || give_up "not all pods run"
world_start_load 200
sleep 2
probes_alone_fail
one_pod_of_two
a_zone_refuses
a_zone_errs
world_stop_load
[ "$failed" -eq 0 ] || e2e_evidence
finish
