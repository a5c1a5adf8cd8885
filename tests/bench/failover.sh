#!/usr/bin/env bash
# failover.sh: what a dark zone costs, counted request by request: Tidegate with a replica in each of
# three zones, and the same outage against stock Kubernetes (Deployment, Service, kube-scheduler,
# default timings) behind the same gateway. Ends with `bench: PASS` or `bench: FAIL`.
#
#   RUNS=30        outages against Tidegate, each zone in turn
#   STOCK_RUNS=1   outages against stock Kubernetes; each takes seven minutes
#   RATE=300       requests a second
#   LOAD_MS=0      time that loading the model takes at least, on both sides
#   RESULTS=FILE   a line an outage is added to it, and the table is made from all that it holds: a
#                  long measurement can be made in parts
#   BUILD=build    where the programs are
#   KEEP=1         leaves the work folder with all logs
set -u
bench_tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
bench_folder=$bench_tree/tests/bench

bench_outside() {
	local results='' rc=0 stock=()
	export RUNS=${RUNS:-30} STOCK_RUNS=${STOCK_RUNS:-1} RATE=${RATE:-300} LOAD_MS=${LOAD_MS:-0}
	export BED_BIN=$bench_tree/${BUILD:-build}/bed TIDEGATE=$bench_tree/${BUILD:-build}/tidegate
	[ -n "${RESULTS:-}" ] || RESULTS=$(mktemp) results=$RESULTS
	export RESULTS
	[ "$STOCK_RUNS" -eq 0 ] || stock=(--kube-scheduler)
	bash "$bench_tree/tests/bed/bed.sh" run --zones 3 --gateway ${stock[@]+"${stock[@]}"} ${KEEP:+--keep} -- \
		bash "$bench_folder/failover.sh" inside || rc=$?
	if [ "$rc" -ne 0 ]; then
		echo "bench: FAIL the measurement ended early"
	else
		bench_report || rc=$?
	fi
	[ -z "$results" ] || rm -f "$results"
	exit "$rc"
}

bench_report() {
	# shellcheck source=/dev/null
	. "$bench_folder/report.sh"
	# shellcheck source=/dev/null
	. "$bench_folder/failover_report.sh"
	failover_report "$RESULTS"
}

[ "${1:-}" = inside ] || bench_outside

export WORLD_STEPS='[{weight: 100}]' WORLD_FAILOVER='{minCapacity: 60%, recoverAfter: 2s, ramp: 4s}'
for bench_part in e2e/lib/e2e e2e/lib/replica e2e/lib/zones bench/outage bench/stock; do
	# shellcheck source=/dev/null
	. "$bench_tree/tests/$bench_part.sh"
done

# --- Tidegate ----------------------------------------------------------------------------

# Whoever was cut off may have ended and started again. All three must hear each other, or the next outage
# would be measured with fewer observers than there are.
bench_replicas() {
	wait_until 30 "all three replicas vote" replicas_voting 3 || give_up "not all replicas vote"
}

bench_tidegate_outage() {
	local n=$1 zone=${WORLD_ZONES[$1 - 1]} leads='' began lit
	bench_replicas
	[ "$(leader)" != "operator-$n" ] || leads=leader
	began=$(now_ms)
	bed zone-dark "$n"
	wait_until 30 "$zone is left" zone_is "$zone" Evacuated || give_up "$zone was not left"
	wait_until 60 "its pods are replaced" zone_replaced "$zone" 6 || give_up "the pods of $zone were not replaced"
	sleep $SETTLE
	lit=$(now_ms)
	bed zone-light "$n"
	bench_replicas
	wait_until 90 "$zone is healthy again" zone_well "$zone" || give_up "$zone did not come back"
	wait_until 60 "the extra pods have left" world_pods 6 || give_up "pods did not settle"
	outage_add tidegate ranker "$zone" "${leads:--}" "$began" "$lit"
}

# A ModelDeployment for an outage of each zone: what is remembered of earlier ones, and makes a
# return slower, has no part in the figures.
bench_tidegate_round() {
	local n
	world_mdep 1 LATENCY_MS 2 LOAD_MS "$LOAD_MS" | kubectl apply -f - >/dev/null || give_up "version 1 was not accepted"
	wait_until 60 "version 1 serves" mdep_serves 1 || give_up "version 1 does not serve"
	wait_until 60 "all of its pods are there" world_pods 6 || give_up "version 1 has not all of its pods"
	world_start_load "$RATE"
	sleep 3
	# The leader's zone last, so that it is one of three outages and not each, for it moves.
	for n in $(leading=$(leader) && other_than "${leading##*-}" && echo "${leading##*-}"); do
		[ "$bench_done" -lt "$RUNS" ] || break
		bench_tidegate_outage "$n"
		bench_done=$((bench_done + 1))
	done
	world_stop_load
	kubectl delete mdep ranker -n shop --timeout=60s >/dev/null || give_up "the ModelDeployment does not go"
	wait_until 60 "its pods have gone" world_pods 0 || give_up "pods of a deleted ModelDeployment stay"
}

bench_tidegate() {
	bench_done=0
	replicas_lead
	while [ "$bench_done" -lt "$RUNS" ]; do
		bench_tidegate_round
	done
}

# --- stock Kubernetes --------------------------------------------------------------------

bench_stock_outage() {
	local n=$1 zone=${WORLD_ZONES[$1 - 1]} began lit
	began=$(now_ms)
	bed zone-dark "$n"
	tell "stock Kubernetes: $zone is dark"
	wait_until 700 "six pods serve elsewhere" stock_replaced "$zone" 6 || give_up "stock pods were not replaced"
	sleep $SETTLE
	lit=$(now_ms)
	bed zone-light "$n"
	wait_until 60 "all nodes are Ready" world_nodes_ready 6 || give_up "the nodes of $zone did not come back"
	wait_until 60 "its old pods have gone" stock_settled || give_up "stock pods did not settle"
	sleep $SETTLE
	outage_add stock stock "$zone" - "$began" "$lit"
}

bench_stock() {
	local run
	for run in $(seq 1 "$STOCK_RUNS"); do
		stock_apply "$LOAD_MS" || give_up "the Deployment was not accepted"
		wait_until 60 "its pods serve" stock_settled || give_up "the Deployment does not serve"
		WORLD_HOST=$STOCK_HOST world_start_load "$RATE"
		sleep 3
		bench_stock_outage $((1 + run % 3))
		world_stop_load
		stock_delete
		wait_until 60 "its pods have gone" world_pods 0 || give_up "stock pods stay"
	done
}

world_start_nodes || give_up "the nodes did not become Ready"
world_install || give_up "manifests/install.yaml could not be applied"
outage_record
[ "$RUNS" -eq 0 ] || bench_tidegate
[ "$STOCK_RUNS" -eq 0 ] || bench_stock
