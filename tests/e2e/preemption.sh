#!/usr/bin/env bash
# A zone goes dark in a cluster without a spare card: pods of a model that can wait make way for
# those of a live one, as far as their budget lets them, and get their cards back with the zone.
set -u
preemption_tree=$(cd "$(dirname "$0")/../.." && pwd -P)
[ "${1:-}" = inside ] ||
	exec bash "$preemption_tree/tests/bed/bed.sh" run --zones 3 --gateway -- bash "$0" inside

WORLD_STEPS='[{weight: 100}]'
WORLD_NODES=1 # of four cards a zone
# shellcheck source=/dev/null
. "$BED_TREE/tests/e2e/lib/e2e.sh"

# as_class CLASS: the manifest, with this PriorityClass for its pods.
as_class() {
	sed "s/^    spec:/&\n      priorityClassName: $1/"
}

# batch: a model that nobody sends requests to; its pods end soon. It has none in the zone that goes dark: pods
# that do not answer there would count against its budget, from some moment on.
batch() {
	world_mdep 1 | as_class batch |
		sed 's/name: ranker, namespace/name: batch, namespace/; s/replicas: 6/replicas: 4/; s/{name: hz-b}, //; s/^    spec:/&\n      terminationGracePeriodSeconds: 6/
			/^  traffic:/,$d; /^  failover:/d'
}

# ready MODEL [ZONE]: its pods that serve, those of the zone aside.
ready() {
	kubectl get pods -n shop -l "serving.tidegate.io/name=$1,serving.tidegate.io/zone!=${2:-}" \
		-o 'jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}' | grep -c True
}

ready_are() {
	[ "$(ready "$1" "${3:-}")" -eq "$2" ]
}

# events REASON POD: so many, about pods of that name.
events() {
	kubectl get events.events.k8s.io -n shop --no-headers \
		-o 'custom-columns=R:.reason,N:.regarding.name,T:.note' | grep -c "^$1 *$2-.*"
}

events_are() {
	[ "$(events "$1" "$2")" -eq "$3" ]
}

refused_by_budget() {
	grep '"pods do not make way"' "$BED_DIR/log/operator.log" | grep -q 'disruption budget'
}

preemption_story() {
	world_start_nodes || give_up "the nodes did not become Ready"
	world_install || give_up "manifests/install.yaml could not be applied"
	kubectl create priorityclass live --value=1000 >/dev/null
	kubectl create priorityclass batch --value=-10 >/dev/null
	world_start_operator
	world_mdep 1 | as_class live | kubectl apply -f - >/dev/null || give_up "the live model was not accepted"
	wait_until 60 "the live model serves" ready_are ranker 6 || give_up "the live model does not serve"
	batch | kubectl apply -f - >/dev/null || give_up "the other model was not accepted"
	wait_until 60 "the other serves" ready_are batch 4 || give_up "the other model does not serve"
	sleep 2

	tell "hz-b is dark; the budget of batch lets one pod go"
	bed zone-dark 2
	wait_until 30 "five live pods elsewhere" ready_are ranker 5 hz-b || give_up "no card was taken"
	wait_until 10 "a second one is asked, and refused" refused_by_budget || fail "no budget refused anything"
	equal "pods of batch that made way" "$(events Preempted batch)" 1
	equal "live pods for whom they did" "$(events Preempting ranker)" 1

	tell "it lets all go"
	kubectl patch mdep batch -n shop --type=merge -p '{"spec":{"disruptionBudget":{"maxUnavailable":"100%"}}}' >/dev/null
	wait_until 30 "six live pods elsewhere" ready_are ranker 6 hz-b || give_up "no second card was taken"
	equal "pods of batch that made way" "$(events Preempted batch)" 2
	equal "batch pods elsewhere" "$(ready batch hz-b)" 2
	equal "live pods that made way" "$(events Preempted ranker)" 0
	between "decisions" "$(metric scheduler_preemption_attempts_total)" 2 6

	tell "hz-b is back"
	bed zone-light 2
	wait_until 60 "hz-b is healthy" zone_well hz-b || give_up "hz-b did not come back"
	wait_until 60 "batch has its cards back" world_pods 10 || give_up "pods did not settle"
	equal "pods of batch that made way" "$(events Preempted batch)" 2
	[ "$failed" -eq 0 ] || e2e_evidence
}

# metric NAME: of the operator.
metric() {
	world_operator_get operator 1 metrics /metrics | sed -n "s/^$1 //p"
}

preemption_story
finish
