#!/usr/bin/env bash
# People keep a zone out under load: by order and by ZoneShift, with an end, beside each other, and
# with a zone that stands by. No request is lost on any of these ways.
set -u
shift_tree=$(cd "$(dirname "$0")/../.." && pwd -P)
[ "${1:-}" = inside ] ||
	exec bash "$shift_tree/tests/bed/bed.sh" run --zones 3 --gateway -- bash "$0" inside

WORLD_STEPS='[{weight: 100}]'
for shift_lib in e2e replica; do
	# shellcheck source=/dev/null
	. "$BED_TREE/tests/e2e/lib/$shift_lib.sh"
done

# order_outcome VERB VALUE: of this very order; empty until it was heard.
order_outcome() {
	mdep ".status.orders[?(@.value==\"$2\")].outcome"
}

order_is() {
	[ "$(order_outcome "$1" "$2")" = "$3" ]
}

# zshift NAME PATH
zshift() {
	kubectl get zshift "$1" -o "jsonpath={$2}"
}

zshift_is() {
	[ "$(zshift "$1" "$2")" = "$3" ]
}

ready_reason() {
	zshift "$1" '.status.conditions[?(@.type=="Ready")].reason'
}

ready_is() {
	[ "$(ready_reason "$1")" = "$2" ]
}

# make_shift NAME ZONE DURATION [SELECTOR]: as somebody who has the role for it and no other.
make_shift() {
	kubectl --as=ops apply -f - <<-EOT
		apiVersion: serving.tidegate.io/v1alpha1
		kind: ZoneShift
		metadata: {name: $1}
		spec: {zone: $2, duration: $3, reason: rack work, selector: {${4:-}}}
	EOT
}

# phase_begins WHAT, and phase_lost: requests lost since.
phase_begins() {
	tell "$1"
	phase_from=$(now_ms)
}

phase_lost() {
	sleep 1
	equal "$1: requests lost" "$(world_lost_between "$phase_from" "$(now_ms)")" 0
}

orders_story() {
	phase_begins "order evacuate"
	mdep_order evacuate hz-b,1h,rack-work
	wait_until 15 "hz-b is left" zone_is hz-b Evacuated || give_up "hz-b was not left"
	equal "outcome of evacuate" "$(order_outcome evacuate hz-b,1h,rack-work)" Done
	equal "reason of the zone" "$(mdep '.status.zones[?(@.name=="hz-b")].reason')" Ordered
	wait_until 40 "its pods are replaced" zone_replaced hz-b 6 || give_up "the pods of hz-b were not replaced"
	mdep_order evacuate hz-x
	wait_until 10 "an unknown zone is ignored" order_is evacuate hz-x Ignored || fail "evacuate=hz-x: $(mdep .status.orders)"
	phase_lost "hz-b is left"

	phase_begins "order return"
	mdep_order return hz-b
	wait_until 10 "return is heard" order_is return hz-b Done || fail "return: $(mdep .status.orders)"
	wait_until 40 "hz-b is healthy" zone_well hz-b || give_up "hz-b did not come back"
	wait_until 60 "the extra pods have left" world_pods 6 || give_up "pods did not settle"
	phase_lost "hz-b comes back"
}

shifts_story() {
	phase_begins "ZoneShift, deleted"
	make_shift rack hz-a 1h >/dev/null || give_up "the ZoneShift was not accepted"
	wait_until 15 "hz-a is left" zone_is hz-a Evacuated || give_up "hz-a was not left: $(zshift rack .status)"
	wait_until 10 "the ZoneShift says so" ready_is rack Shifted || fail "its status: $(zshift rack .status)"
	equal "matched, evacuated, refused" \
		"$(zshift rack .status.matched) $(zshift rack .status.evacuated) $(zshift rack .status.refused)" "1 1 0"
	mdep_order return 'hz-a#1'
	wait_until 10 "return is ignored" order_is return 'hz-a#1' Ignored || fail "return: $(mdep .status.orders)"

	# Another zone beside it: what is left could not carry the load, until it has grown.
	make_shift younger hz-c 1h "namespaces: [shop]" >/dev/null
	wait_until 15 "the younger is refused or carried out" ready_settled younger || fail "younger: $(zshift younger .status)"
	tell "the younger ZoneShift: $(ready_reason younger)"
	kubectl delete zshift younger >/dev/null
	make_shift elsewhere hz-c 1h "namespaces: [nowhere]" >/dev/null
	wait_until 10 "nobody matches" ready_is elsewhere NothingMatched || fail "elsewhere: $(zshift elsewhere .status)"
	kubectl delete zshift rack elsewhere >/dev/null
	wait_until 60 "all zones are healthy" zones_well || give_up "zones did not come back: $(mdep .status.zones)"
	wait_until 60 "the extra pods have left" world_pods 6 || give_up "pods did not settle"
	phase_lost "left and back"

	phase_begins "ZoneShift, expired"
	make_shift brief hz-c 15s >/dev/null
	wait_until 15 "hz-c is left" zone_is hz-c Evacuated || give_up "hz-c was not left"
	wait_until 30 "it has expired" zshift_is brief .status.phase Expired || fail "brief: $(zshift brief .status)"
	wait_until 40 "hz-c is healthy" zone_well hz-c || give_up "hz-c did not come back"
	wait_until 60 "the extra pods have left" world_pods 6 || give_up "pods did not settle"
	phase_lost "left for 15 s"
}

ready_settled() {
	ready_is "$1" Refused || ready_is "$1" Shifted
}

zones_well() {
	zone_well hz-a && zone_well hz-b && zone_well hz-c
}

standby_story() {
	phase_begins "hz-c stands by"
	kubectl patch mdep ranker -n shop --type=merge \
		-p '{"spec":{"zones":[{"name":"hz-a"},{"name":"hz-b"},{"name":"hz-c","role":"Standby"}]}}' >/dev/null
	wait_until 60 "hz-c is empty" pods_in hz-c 0 || give_up "hz-c keeps pods"
	mdep_order evacuate hz-a,1h
	wait_until 60 "hz-c has taken its part" pods_in hz-c 3 || give_up "hz-c was not brought in"
	wait_until 20 "hz-a is left" zone_is hz-a Evacuated || give_up "hz-a was not left"
	mdep_order return 'hz-a#2'
	wait_until 60 "hz-a is healthy" zone_well hz-a || give_up "hz-a did not come back"
	wait_until 60 "hz-c is empty again" pods_in hz-c 0 || give_up "hz-c was not stood down"
	phase_lost "brought in and stood down"
}

# pods_in ZONE N: so many pods serve there, and no other is there.
pods_in() {
	local lines
	lines=$(kubectl get pods -n shop -l "serving.tidegate.io/zone=$1" --no-headers 2>/dev/null)
	[ "$(grep -c . <<<"$lines")" -eq "$2" ] && [ "$(grep -c ' Running ' <<<"$lines")" -eq "$2" ]
}

zoneshift_story() {
	world_start_nodes || give_up "the nodes did not become Ready"
	world_install || give_up "manifests/install.yaml could not be applied"
	kubectl create clusterrolebinding ops --clusterrole=tidegate-zone-shifter --user=ops >/dev/null
	world_start_operator
	world_mdep 1 | kubectl apply -f - >/dev/null || give_up "version 1 was not accepted"
	wait_until 60 "version 1 serves" mdep_serves 1 || give_up "version 1 does not serve"
	world_start_load 100
	sleep 6
	orders_story
	shifts_story
	standby_story
	equal "refused by the schema: no end" "$(make_shift bad hz-a 0s 2>&1 | grep -c 'from 10s to 168h')" 1
	requests_lost_none
	[ "$failed" -eq 0 ] || e2e_evidence
}

zoneshift_story
finish
