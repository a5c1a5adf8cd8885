#!/usr/bin/env bash
# A release through Istio: the VirtualService that Tidegate writes, read by istiod, and an Envoy that
# goes by it, under real requests. Audience, copies, weights, promotion, abort, rollback and a dark zone are
# seen at the pods; the release loses no request, its operator being killed on the way.
set -u
istio_tree=$(cd "$(dirname "$0")/../.." && pwd -P)
[ "${1:-}" = inside ] ||
	exec bash "$istio_tree/tests/bed/bed.sh" run --zones 3 --mesh -- bash "$0" inside

WORLD_STEPS='[{audience: {headers: [{name: x-gray, exact: "1"}]}, approval: Required}, {mirror: {percent: 50}, approval: Required}, {weight: 20, hold: 3s}, {weight: 50, approval: Required}]'
WORLD_TRAFFIC='{istio: {virtualService: ranker, hosts: [ranker.shop.example], gateways: [default/mesh]}}'
# shellcheck source=/dev/null
. "$BED_TREE/tests/mesh/lib/mesh.sh"

a_good_version() {
	release 2
	sees_its_audience 2
	copied_and_promoted 2
}

an_aborted_version() {
	release 3
	next_step 1
	order promote next
	half_of 3 3
	order abort true
	wait_until 60 "aborted" mdep_is .status.rollout.phase Aborted || give_up "version 3 is not aborted"
	tell "version 3 is aborted"
	lost_none "abort: requests lost"
}

# Its copies show what it is before any client meets it.
a_bad_version() {
	release 4 ERROR_RATE 0.3
	order promote next
	wait_until 60 "rolled back" mdep_is .status.rollout.phase RolledBack || give_up "version 4 is not rolled back"
	tell "version 4 is rolled back: $(mdep .status.rollout.message)"
	wait_until 60 "the canary's pods have left" world_pods 6 || give_up "pods did not settle"
	equal "clients' answers by a bad version that got copies" "$(answers_of 4)" 0
	lost_none "rollback: requests lost"
}

# share_of FROM TO POD...: percent of the answers to requests of this time that these pods gave.
share_of() {
	local from=$1 to=$2
	shift 2
	sed 's/.*"t":\([0-9]*\).*"pod":"\([^"]*\)".*/\1 \2/' "$WORLD_RECORDS" | awk -v from="$from" -v to="$to" -v pods="$*" '
		BEGIN { n = split(pods, list, " "); for (i = 1; i <= n; i++) is_own[list[i]] = 1 }
		$1 >= from && $1 <= to { all++; own += ($2 in is_own) }
		END { print int(100 * own / (all ? all : 1)) }'
}

pods_now() {
	kubectl get pods -n shop -o 'jsonpath={range .items[*]}{.metadata.name}{"\n"}{end}' | sort
}

nine_serve() {
	[ "$(mdep .status.readyReplicas)" -eq 9 ]
}

# names_of KIND: of what Tidegate has made for cells.
names_of() {
	kubectl get "$1" -n shop -l serving.tidegate.io/revision -o 'jsonpath={.items[*].metadata.name}'
}

each_has_its_rule() {
	[ "$(names_of destinationrules)" = "$(names_of services)" ]
}

# Three pods join six: a third of the requests in the end.
slow_start() {
	local old new from
	kubectl patch mdep ranker -n shop --type=merge -p '{"spec":{"traffic":{"slowStart":"20s"}}}' >/dev/null
	check "slow start: a rule for each cell's Service" eventually 10 each_has_its_rule
	# Envoy begins to count when it has the rule: until then all pods are new alike.
	sleep 20
	old=$(pods_now)
	kubectl scale mdep ranker -n shop --replicas=9 >/dev/null
	wait_until 60 "nine pods serve" nine_serve || give_up "there are no nine pods"
	mapfile -t new < <(comm -13 <(echo "$old") <(pods_now))
	from=$(grep -F "$(printf '"pod":"%s"\n' "${new[@]}")" "$WORLD_RECORDS" | head -n 1 | sed 's/.*"t":\([0-9]*\).*/\1/')
	sleep 25
	between "slow start: percent of the new pods, in 4 s" "$(share_of "$from" $((from + 4000)) "${new[@]}")" 2 16
	between "slow start: percent of the new pods, after 22 s" "$(share_of $((from + 22000)) $((from + 26000)) "${new[@]}")" 28 38
	kubectl patch mdep ranker -n shop --type=merge -p '{"spec":{"traffic":{"slowStart":null}}}' >/dev/null
	check "slow start: the rules go without it" eventually 10 eval '[ -z "$(names_of destinationrules)" ]'
	kubectl scale mdep ranker -n shop --replicas=6 >/dev/null
	wait_until 60 "six pods are left" world_pods 6 || give_up "pods did not settle"
	lost_none "slow start: requests lost"
}

start
slow_start
a_good_version
an_aborted_version
a_bad_version
dark 2 $FAILOVER_TRAFFIC_MS
light 2
ended
