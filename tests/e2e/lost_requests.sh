#!/usr/bin/env bash
# What users of other release tools report as lost requests, each under 500 requests a second through
# the real gateway: 503s at promotion, 503s at abort, a service that is scaled in mid-release, a
# controller that dies in mid-release, a way back that waits for pods. None is lost here, and the
# audience of a step is answered by the new version, nobody else.
set -u
lost_tree=$(cd "$(dirname "$0")/../.." && pwd -P)
[ "${1:-}" = inside ] ||
	exec bash "$lost_tree/tests/bed/bed.sh" run --zones 3 --gateway -- bash "$0" inside

# An audience first, at weight 0, until it is approved.
WORLD_STEPS='[{weight: 0, audience: {headers: [{name: x-gray, exact: "1"}]}, approval: Required}, {weight: 30, hold: 1s}, {weight: 60, approval: Required}]'
RATE=500
for lost_lib in e2e steps; do
	# shellcheck source=/dev/null
	. "$BED_TREE/tests/e2e/lib/$lost_lib.sh"
done

# lost_so_far NAME: since the last time; the load goes on.
lost_seen=0
none_lost() {
	local lost
	sleep 1
	lost=$(world_lost)
	equal "$1: requests lost" "$((lost - lost_seen))" 0
	lost_seen=$lost
}

to_60() {
	order promote next
	wait_until 60 "60 % are in force" waits_at 2 || give_up "60 % are not reached"
}

setup() {
	world_start_nodes || give_up "no nodes"
	world_install || give_up "not installed"
	world_start_operator
	world_mdep 1 | kubectl apply -f - >/dev/null || give_up "version 1 was not accepted"
	wait_until 60 "version 1 serves" mdep_ready || give_up "version 1 does not serve"
	wait_until 20 "an answer" curl -sf -m 2 -H "Host: $WORLD_HOST" "$BED_GATEWAY_URL/v1/models/ranker"
	world_start_load $RATE
	sleep 1
	equal "pods that may not be taken away" \
		"$(kubectl get pdb ranker -n shop -o 'jsonpath={.spec.minAvailable} {.status.currentHealthy}')" "5 6"
}

no_503_at_promotion() {
	release 2
	sleep "${WORLD_LAG:-0}" # until the gateway goes by what the status tells
	equal "the audience is answered by" "$(gray 30)" "30 2"
	equal "others are answered by version 2" "$(answers_of 2)" 0
	to_60
	order promote next
	wait_until 60 "version 2 is promoted" mdep_serves 2 || give_up "version 2 is not promoted"
	none_lost "503s at promotion"
}

no_503_at_abort() {
	release 3
	to_60
	order abort true # as stable's pods can carry it
	wait_until 60 "aborted" mdep_is .status.rollout.phase Aborted || give_up "version 3 is not aborted"
	none_lost "503s at abort"
}

# Nobody serves metrics in the bed: what an autoscaler does without them is to keep minReplicas.
autoscaler() {
	cat <<-EOT
		apiVersion: autoscaling/v2
		kind: HorizontalPodAutoscaler
		metadata: {name: ranker, namespace: shop}
		spec:
		  scaleTargetRef: {apiVersion: serving.tidegate.io/v1alpha1, kind: ModelDeployment, name: ranker}
		  minReplicas: $1
		  maxReplicas: 12
		  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
	EOT
}

autoscaler_saw() {
	[ "$(kubectl get hpa ranker -n shop -o 'jsonpath={.status.currentReplicas} {.status.desiredReplicas} {.status.conditions[?(@.type=="AbleToScale")].status}')" = "$1" ]
}

nine_ready() {
	[ "$(mdep .status.readyReplicas)" -ge 9 ]
}

# scale_says: pods, and whose they are.
scale_says() {
	kubectl get --raw /apis/serving.tidegate.io/v1alpha1/namespaces/shop/modeldeployments/ranker/scale |
		sed 's/.*"status":{"replicas":\([0-9]*\),"selector":"\([^"]*\)".*/\1 \2/'
}

# The share of the new version stays what the step says, whatever the number of pods is; its pods are
# not the autoscaler's to measure, or a canary that burns CPU would inflate the stable revision.
scaled_in_mid_release() {
	release 4
	to_60
	autoscaler 9 | kubectl apply -f - >/dev/null || give_up "the autoscaler was not accepted"
	check "nine pods and more" wait_until 60 "nine pods and more" nine_ready
	check "the autoscaler reads nine pods and wants nine" wait_until 20 "nine by the autoscaler" autoscaler_saw "9 9 True"
	check "its scale counts the 4 pods that carry 40 %" wait_until 20 "4 by its scale" eval '[[ $(scale_says) == "4 "* ]]'
	equal "the revision of the pods that it measures" "$(scale_says | sed 's/.*revision=\([a-z0-9]*\).*/\1/')" \
		"$(mdep .status.stableRevision)"
	kubectl delete hpa ranker -n shop >/dev/null
	kubectl scale mdep ranker -n shop --replicas=6 >/dev/null
	sleep 2
	none_lost "scaled in mid-release by an autoscaler"
}

operator_killed_in_mid_release() {
	program_stop operator KILL
	sleep 2
	world_start_operator
	order promote full
	wait_until 60 "version 4 is promoted" mdep_serves 4 || give_up "version 4 is not promoted"
	none_lost "operator killed in mid-release"
}

way_back() {
	local revision
	revision=$(mdep '.status.revisions[?(@.modelVersion=="2")].name')
	order rollback-to "$revision"
	wait_until 60 "version 2 serves again" mdep_is .status.rollout.phase RolledBack || give_up "no way back"
	equal "the revision that serves again" "$(mdep .status.stableRevision)" "$revision"
	none_lost "back to a revision of the past"
}

setup
no_503_at_promotion
no_503_at_abort
scaled_in_mid_release
operator_killed_in_mid_release
way_back
requests_lost_none
finish
