#!/usr/bin/env bash
# Copies of real requests through a real gateway: Traefik by its own kinds. Clients get the stable
# version's answers only and lose none while a mirror begins and ends, the operator being killed as
# it begins; the copies are counted at the canary's pods; scores that have moved are seen in them,
# before anybody gets one.
set -u
mirror_tree=$(cd "$(dirname "$0")/../.." && pwd -P)
[ "${1:-}" = inside ] ||
	exec bash "$mirror_tree/tests/bed/bed.sh" run --zones 3 --gateway --traefik-kinds -- bash "$0" inside

WORLD_STEPS='[{mirror: {percent: 50}, hold: 8s}]'
WORLD_CANARY='{interval: 1s, policyRef: {name: scores}}'
WORLD_TRAFFIC='{traefik: {name: ranker}}'
for mirror_lib in e2e copies; do
	# shellcheck source=/dev/null
	. "$BED_TREE/tests/e2e/lib/$mirror_lib.sh"
done

users_objects() {
	cat <<-EOT
		apiVersion: traefik.io/v1alpha1
		kind: IngressRoute
		metadata: {name: ranker, namespace: shop}
		spec:
		  entryPoints: [web]
		  routes:
		  - kind: Rule
		    match: Host(\`$WORLD_HOST\`)
		    services: [{kind: TraefikService, name: ranker}]
		---
		apiVersion: serving.tidegate.io/v1alpha1
		kind: ScorePolicy
		metadata: {name: scores, namespace: shop}
		spec: {drift: {metric: ranker_score, minSamples: 300}}
	EOT
}

# Few pods and a short drain: here their requests are of interest.
release() {
	world_mdep "$@" | sed 's/replicas: 6/replicas: 3/; s/drain: 5s/drain: 2s/' | kubectl apply -f - >/dev/null || give_up "version $1 was not accepted"
	began=$(now_ms)
}

# at_step N: of a release that has reached it.
at_step() {
	mdep_is .status.rollout.phase Holding && mdep_is .status.rollout.step "$1"
}

traefik_names() {
	kubectl get traefikservices -n shop -o 'jsonpath={.items[*].metadata.name}'
}

only_one_is_left() {
	[ "$(traefik_names)" = ranker ]
}

start() {
	world_start_nodes || give_up "the nodes did not become Ready"
	world_install || give_up "manifests/install.yaml could not be applied"
	users_objects | kubectl apply -f - >/dev/null || give_up "the user's objects were not accepted"
	world_start_operator
	release 1 SCORE_NOISE 1
	wait_until 60 "version 1 serves" mdep_serves 1 || give_up "version 1 does not serve"
	world_start_load 200
}

# Half of what a mirror needs is there, or all of it.
mirror_has_begun() {
	[ "$(traefik_names)" != ranker ]
}

good_version() {
	release 2 SCORE_NOISE 1
	wait_until 40 "a mirror begins" mirror_has_begun || give_up "no mirror was begun"
	program_stop operator
	program_launch operator
	wait_until 40 "it mirrors" at_step 0 || give_up "version 2 was not mirrored to"
	equal "TraefikServices" "$(traefik_names)" "ranker ranker-answers ranker-copies"
	counts_copies "$(mdep .status.targetRevision)"
	equal "clients' answers by the canary" "$(answers_of 2)" 0
	wait_until 60 "version 2 serves" mdep_serves 2 || give_up "a good version did not go on: $(mdep .status.rollout)"
	tell "version 2, as good, is stable after $(seconds_since "$began") s"
	check "what the mirror needed is gone" only_one_is_left
	lost_none "requests lost by a mirror that begins and ends"
}

moved_scores() {
	release 3 SCORE_NOISE 4
	wait_until 60 "it goes back" mdep_is .status.rollout.phase RolledBack ||
		give_up "moved scores were not seen in the copies: $(mdep .status.score)"
	tell "version 3, with other scores, is back after $(seconds_since "$began") s"
	check "status has both figures" grep -Eq 'ranker_score has moved: PSI [0-9.]+ \(limit 0\.2\), KS 0\.[0-9]+' <<<"$(mdep .status.rollout.message)"
	equal "step" "$(mdep .status.rollout.step)" 0
	check "what the mirror needed is gone" eventually 5 only_one_is_left
	requests_lost_none
	equal "clients' answers by version 3" "$(answers_of 3)" 0
}

start
good_version
moved_scores
[ "$failed" -eq 0 ] || {
	e2e_evidence
	kubectl get traefikservices -n shop -o yaml | grep -v 'managedFields' | tail -n 80
	tail -n 20 "$BED_DIR/log/traefik.log"
}
finish
