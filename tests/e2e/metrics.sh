#!/usr/bin/env bash
# Releases judged by figures of a real Prometheus, under real requests: a version whose clicks fall
# goes back, by a canary config as a team has it in its ConfigMap, one that is well is promoted on a
# PASS, and nothing moves while there are no figures: no series, wrong credentials, Prometheus gone
# in mid-release. What the pods count and what Prometheus counts is held against each other. Constant
# limits on what the pods count are judged by too.
set -u
metrics_tree=$(cd "$(dirname "$0")/../.." && pwd -P)
[ "${1:-}" = inside ] ||
	exec bash "$metrics_tree/tests/bed/bed.sh" run --zones 3 --gateway --prometheus -- bash "$0" inside

# The judge's PASS ends the step, 30 s after it was reached at the earliest.
WORLD_STEPS='[{weight: 30, analysis: {duration: 100s, requireVerdict: Pass}}]'
WORLD_CANARY='{interval: 1s, policyRef: {name: business}}'
for metrics_lib in e2e/lib/e2e bed/lib/prometheus; do
	# shellcheck source=/dev/null
	. "$BED_TREE/tests/$metrics_lib.sh"
done

ctr='sum(rate(ranker_clicks_total{revision="$revision"}[$interval])) / sum(rate(ranker_impressions_total{revision="$revision"}[$interval]))'
none='sum(rate(ranker_purchases_total{revision="$revision"}[$interval]))'
counted='sum(rate(:tensorflow:serving:request_count{revision="$revision"}[$interval]))'

# put_policy REQUESTS_QUERY METRICS: what it judges by, as one line of YAML.
put_policy() {
	cat <<-EOT | kubectl apply -f - >/dev/null || give_up "the ScorePolicy was not accepted"
		apiVersion: serving.tidegate.io/v1alpha1
		kind: ScorePolicy
		metadata: {name: business, namespace: shop}
		spec:
		  judge: Kayenta
		  prometheus:
		    url: $BED_PROMETHEUS_URL
		    secretRef: {name: prometheus}
		    timeout: 2s
		    requestsQuery: '$1'
		  series: {interval: 1s, step: 1s, window: 60s}
		  $2
	EOT
}

# policy QUERY [REQUESTS_QUERY]: judged by it alone.
policy() {
	put_policy "${2:-$counted}" \
		"metrics: [{name: ctr, group: business, direction: Decrease, maxChange: '20%', critical: true, query: '$1'}]"
}

# The same figure as a team has it for Kayenta: a query of its own with Kayenta's variables, and one
# that is built from a name and a shared filter, here only to look at.
canary_config() {
	local of='revision=\"${scope}\"'
	cat <<-EOT
		{"name": "ranker", "description": "clicks", "configVersion": "1", "applications": ["ranker"],
		 "judge": {"name": "NetflixACAJudge-v1.0", "judgeConfigurations": {}},
		 "templates": {"by_scope": "$of"},
		 "metrics": [
		  {"name": "clicks per impression", "scopeName": "default", "groups": ["business"],
		   "query": {"type": "prometheus", "serviceType": "prometheus", "customInlineTemplate":
		    "PromQL:sum(rate(ranker_clicks_total{$of}[\${interval}])) / sum(rate(ranker_impressions_total{$of}[\${interval}]))"},
		   "analysisConfigurations": {"canary": {"direction": "decrease", "critical": true, "nanStrategy": "remove",
		    "effectSize": {"allowedDecrease": 0.8, "criticalDecrease": 0.8}}}},
		  {"name": "impressions", "scopeName": "default", "groups": ["volume"],
		   "query": {"type": "prometheus", "serviceType": "prometheus", "metricName": "ranker_impressions_total",
		    "labelBindings": [], "customFilterTemplate": "by_scope"},
		   "analysisConfigurations": {"canary": {"muted": true}}}],
		 "classifier": {"groupWeights": {"business": 100}, "scoreThresholds": {"pass": 95, "marginal": 75}}}
	EOT
}

policy_by_canary_config() {
	canary_config >"$BED_DIR/canary.json"
	kubectl create configmap canary-config -n shop --from-file=canary.json="$BED_DIR/canary.json" >/dev/null ||
		give_up "the ConfigMap was not made"
	put_policy "$counted" "kayenta: {configMapRef: {name: canary-config, key: canary.json}}"
}

# The controller may read this Secret because the namespace says so, not by its own role.
credentials() {
	kubectl create secret generic prometheus -n shop --dry-run=client -o json \
		--from-literal=username="$BED_PROMETHEUS_USER" --from-literal=password="$1" |
		kubectl label --local --dry-run=client -f - serving.tidegate.io/credentials=prometheus -o json |
		kubectl apply -f - >/dev/null || give_up "the Secret was not made"
}

allow_credentials() {
	kubectl create role prometheus -n shop --verb=get --resource=secrets --resource-name=prometheus >/dev/null &&
		kubectl create rolebinding prometheus -n shop --role=prometheus \
			--serviceaccount=tidegate-system:tidegate-controller >/dev/null
}

# condition TYPE [FIELD]
condition() {
	mdep ".status.conditions[?(@.type==\"$1\")].${2:-status}"
}

condition_is() {
	[ "$(condition "$1")" = "$2" ]
}

policy_is_ready() {
	[ "$(kubectl get scp business -n shop -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" = True ]
}

# group FIELD: of the score of the business figures.
group() {
	mdep ".status.score.groups[?(@.name==\"business\")].$1"
}

release() {
	world_mdep "$@" | kubectl apply -f - >/dev/null || give_up "version $1 was not accepted"
	began=$(now_ms)
}

holds() {
	mdep_is .status.rollout.phase Holding
}

verdict_is() {
	mdep_is .status.score.verdict "$1"
}

events_say() {
	kubectl get events.events.k8s.io -n shop -o 'jsonpath={range .items[*]}{.reason}: {.note}{"\n"}{end}' | grep -q "$1"
}

server_is_missed() {
	condition ScorePolicyInForce message | grep -q 'cannot be judged: connection refused'
}

# goes_on_holding SECONDS WHY
goes_on_holding() {
	sleep "$1"
	check "$2: still held after $1 s" holds
	check "... and nothing is decided" verdict_is NONE
}

start() {
	world_start_nodes || give_up "the nodes did not become Ready"
	world_install || give_up "manifests/install.yaml could not be applied"
	allow_credentials || give_up "the right to read the Secret was not given"
	credentials "$BED_PROMETHEUS_PASSWORD"
	policy "$ctr"
	# The machine also runs Prometheus here: losing the lease is another test's matter.
	world_start_operator operator 1 --lease-duration 15s --lease-renew-deadline 10s --lease-retry-period 2s
	release 1 CTR 0.1
	wait_until 60 "version 1 serves" mdep_serves 1 || give_up "version 1 does not serve"
	wait_until 20 "the policy is valid" policy_is_ready || fail "the ScorePolicy did not become Ready"
	world_start_load 200
}

good_version() {
	release 2 CTR 0.1
	wait_until 40 "the step is reached" holds || give_up "version 2 did not reach its step"
	wait_until 40 "a PASS" verdict_is PASS || fail "a version that is as good got no PASS: $(mdep .status.score)"
	equal "score of the group" "$(group score)" 100
	check "... with its figures" grep -Eq '^ctr 0\.[01][0-9]* vs 0\.[01][0-9]*, [0-9]+ points, Pass$' <<<"$(group message)"
	wait_until 30 "both counted" condition_is SignalsAgree True || fail "pods and Prometheus were not compared"
	wait_until 60 "version 2 serves" mdep_serves 2 || fail "a PASS did not end the step: $(mdep .status.rollout)"
	tell "version 2, as good, is stable after $(seconds_since "$began") s"
	check "it is told with the score" eventually 5 grep -q 'is stable; score 100: business 100' "$BED_DIR/log/operator.log"
}

bad_version() {
	policy_by_canary_config
	release 3 CTR 0.04
	wait_until 90 "it goes back" mdep_is .status.rollout.phase RolledBack || give_up "fewer clicks were not seen: $(mdep .status.score)"
	tell "version 3, with half of the clicks, is back after $(seconds_since "$began") s"
	check "the event names the figures" eventually 5 events_say 'RollbackStarted: judged worse.*clicks per impression 0\.0[34].* vs 0\.\(1\|09\).*Low, critical'
	mdep_serves_stable 2
}

mdep_serves_stable() {
	equal "stable is still" "$(mdep ".status.revisions[?(@.name==\"$(mdep .status.stableRevision)\")].modelVersion")" "$1"
}

without_figures() {
	policy "$none"
	release 4 CTR 0.1
	wait_until 40 "the step is reached" holds || give_up "version 4 did not reach its step"
	goes_on_holding 20 "no series"
	equal "no figures, no score" "$(group score)" ""
	tell "wrong credentials"
	credentials wrong
	policy "$ctr"
	wait_until 20 "it is said" condition_is ScorePolicyInForce False || fail "wrong credentials are not told"
	check "... and what to mend" grep -q 'refuses.*business.*secretRef.*401' <<<"$(condition ScorePolicyInForce message)"
	check "... in an event too" eventually 5 events_say 'ScorePolicyNotInForce:.*refuses'
	goes_on_holding 5 "wrong credentials"
	tell "Prometheus is gone, and the credentials are right"
	bed prometheus-stop
	credentials "$BED_PROMETHEUS_PASSWORD"
	wait_until 30 "it is said" server_is_missed || fail "that Prometheus is gone is not told: $(condition ScorePolicyInForce message)"
	goes_on_holding 35 "Prometheus gone"
	bed prometheus-start
	wait_until 30 "it is asked again" condition_is ScorePolicyInForce True || fail "Prometheus is back and not asked"
	wait_until 100 "version 4 serves" mdep_serves 4 || fail "the release did not go on: $(mdep .status.rollout) $(mdep .status.score)"
	tell "version 4 is stable"
}

# As quick, as well clicked, and other scores: no query tells, the histogram at the pods does.
moved_scores() {
	kubectl patch scp business -n shop --type=merge \
		-p '{"spec":{"judge":"Sequential","kayenta":null,"metrics":null,"drift":{"metric":"ranker_score"}}}' >/dev/null ||
		give_up "the ScorePolicy with drift was not accepted"
	release 3 CTR 0.1 SCORE_NOISE 4
	wait_until 90 "it goes back" mdep_is .status.rollout.phase RolledBack || give_up "moved scores were not seen: $(mdep .status.score)"
	tell "version 3, with other scores, is back after $(seconds_since "$began") s"
	check "status has both figures" grep -Eq 'ranker_score has moved: PSI [0-9.]+ \(limit 0\.2\), KS 0\.[0-9]+, p<1e-[0-9]+' <<<"$(mdep .status.rollout.message)"
	mdep_serves_stable 4
}

# Three looks beyond a limit that no version may pass, whatever the stable one does.
constant_limits() {
	kubectl patch scp business -n shop --type=merge \
		-p '{"spec":{"judge":"Thresholds","drift":null,"thresholds":{"interval":"3s","maxErrors":"0.1","failures":3}}}' >/dev/null ||
		give_up "the ScorePolicy with constant limits was not accepted"
	release 3 CTR 0.1 ERROR_RATE 0.3
	wait_until 90 "it goes back" mdep_is .status.rollout.phase RolledBack || give_up "errors beyond the limit were not seen: $(mdep .status.score)"
	tell "version 3, with errors beyond the limit, is back after $(seconds_since "$began") s"
	check "status has the limit" grep -Eq 'canary errors [23][0-9.]* %, allowed 10 %, beyond it in 3 of [0-9]+ looks' <<<"$(mdep .status.rollout.message)"
	mdep_serves_stable 4
}

# Twice as many requests as the pods count: one of the two is wrong, and nobody can say which.
contradiction() {
	policy "$ctr" "3 * $counted"
	release 1 CTR 0.1 LATENCY_MS 1
	wait_until 120 "it is said" condition_is SignalsAgree False || fail "a contradiction was not told"
	check "... with both counts" grep -q 'Prometheus counts [0-9]* requests of the .* revision, its pods [0-9]*' <<<"$(condition SignalsAgree message)"
}

start
good_version
bad_version
without_figures
moved_scores
constant_limits
contradiction
requests_lost_none 3
[ "$failed" -eq 0 ] || e2e_evidence
finish
