#!/usr/bin/env bash
# The story of the demo, inside a bed: placement, gray release with approval, two bad versions
# rolled back by themselves, while requests flow and each is counted.
# Exit 9: the story failed and said so.
set -u
for story_lib in say program world; do
	# shellcheck source=/dev/null
	. "$BED_TREE/tests/bed/lib/$story_lib.sh"
done
story_began=$(now_ms)

tell() {
	printf '[%6.1f s] %s\n' "$(seconds_since "$story_began")" "$*"
}

fail() {
	printf '\n'
	story_evidence
	printf 'demo: FAIL %s\n' "$*"
	exit 9
}

story_evidence() {
	kubectl get mdep,rs,pods -n shop 2>/dev/null | sed 's/^/    /'
	printf '    status: %s\n' "$(mdep .status.rollout 2>/dev/null)"
	[ ! -f "$BED_DIR/log/operator.log" ] || tail -n 8 "$BED_DIR/log/operator.log" | cut -c1-300 | sed 's/^/    /'
}

# story_follow: prints every change of the release as it happens, in the background.
story_follow() {
	local line last=
	kubectl get mdep ranker -n shop -w --output-watch-events=false -o \
		'jsonpath={.status.summary.phase}|{.status.summary.step}|{.status.traffic.verifiedWeight}|{.status.traffic.observedPermille}|{.status.rollout.message}{"\n"}' 2>/dev/null |
		while IFS='|' read -r phase step weight seen message; do
			line="$phase step $step, weight in force ${weight:-0} %"
			[ "$line" != "$last" ] || continue
			last=$line
			# Nothing is said yet, or nothing is being released: no step, and no weight to tell.
			[ -n "$step" ] || {
				[ -z "$phase" ] || tell "    $phase"
				continue
			}
			[ -z "$seen" ] || line="$line (counted at the pods: $(awk -v p="$seen" 'BEGIN {printf "%.1f", p / 10}') %)"
			tell "    $line: $message"
		done
}

placement() {
	kubectl get pods -n shop -o 'jsonpath={range .items[*]}{.spec.nodeName}{"\n"}{end}' | sort | uniq -c |
		awk '{printf "%s%s: %s", (NR > 1 ? ", " : ""), $2, $1}'
}

# rolled_back VERSION: the release of VERSION has ended in a rollback and weight 0 is in force.
rolled_back() {
	mdep_is .status.rollout.phase RolledBack && mdep_is .status.traffic.verifiedWeight 0 &&
		mdep_is ".status.revisions[0].modelVersion" "$1"
}

# time_ms JSONPATH: an instant of the status in milliseconds.
time_ms() {
	local t
	t=$(mdep "$1")
	[ -z "$t" ] || date -d "$t" +%s%3N
}

# story_bad VERSION ENV VALUE WHAT: releases it, waits for the rollback, says how long it took
# from its first request to none.
story_bad() {
	local version=$1 first zero
	world_phase "v$version: $4"
	tell "version $version is applied: $4"
	world_mdep "$version" "$2" "$3" | kubectl apply -f - >/dev/null || fail "version $version was not accepted"
	wait_until 60 "version $version is rolled back" rolled_back "$version" ||
		fail "version $version ($4) was not rolled back"
	sleep 0.5
	first=$(grep "\"version\":\"$version\"" "$WORLD_RECORDS" | head -n 1 | sed 's/.*"t":\([0-9]*\).*/\1/')
	zero=$(grep "\"version\":\"$version\"" "$WORLD_RECORDS" | tail -n 1 | sed 's/.*"t":\([0-9]*\).*/\1/')
	[ -n "$first" ] || fail "version $version never got a request"
	rollback_seconds=$(awk -v a="$first" -v b="$zero" 'BEGIN {printf "%.1f", (b - a) / 1000}')
	tell "version $version rolled back by itself: $(mdep .status.score.message)"
	tell "    from its first request to its last: $rollback_seconds s"
	rollbacks="${rollbacks:-}$(printf '  %-44s %6s s\n' "rollback of version $version ($4)" "$rollback_seconds")"$'\n'
}

story_nodes() {
	[ -n "${BED_KUBELETS:-}" ] && echo "a kubelet and 8 GPUs" || echo "2 nodes of 4 GPUs"
}

story() {
	local n lost
	tell "control plane and gateway are up; 3 zones with $(story_nodes) each"
	world_start_nodes || fail "the nodes did not become Ready"
	world_install || fail "manifests/install.yaml could not be applied"
	world_start_operator
	tell "operator started with the rights of its own service account"

	world_mdep 1 | kubectl apply -f - >/dev/null || fail "the ModelDeployment was not accepted"
	tell "1. kubectl apply -f modeldeployment.yaml: 6 replicas in 3 zones"
	story_follow &
	wait_until 40 "a first pod is Ready" world_answers || fail "no pod answers through the gateway"
	world_start_load "${STORY_RATE:-200}"
	world_phase "version 1 starts"
	wait_until 60 "version 1 serves with all pods" mdep_ready || fail "version 1 did not become Ready"
	tell "6 pods placed by Tidegate: $(placement)"

	world_phase "version 2 released"
	tell "2. version 2 is applied: 10 %, 25 %, 50 % with approval, 100 %"
	world_mdep 2 | kubectl apply -f - >/dev/null || fail "version 2 was not accepted"
	wait_until 90 "version 2 waits for approval" mdep_is .status.rollout.phase AwaitingApproval ||
		fail "version 2 did not reach the approval step"
	tell "kubectl annotate mdep ranker serving.tidegate.io/promote=next"
	mdep_order promote next
	wait_until 90 "version 2 is promoted" mdep_serves 2 || fail "version 2 was not promoted"
	tell "version 2 serves everything"

	tell "3. a bad version, twice"
	story_bad 3 ERROR_RATE 0.3 "30 % errors"
	story_bad 4 LATENCY_MS 60 "60 ms slower"
	wait_until 60 "all pods are of version 2 again" mdep_pods_of_stable || fail "pods of the bad version stayed"
	story_zone 3
	world_phase "after"
	sleep 2
	world_stop_load
	lost=$(($(world_lost 3 4) - dark_lost))
	n=$(world_sent)
	story_table "$n" "$lost"
	[ "$lost" -eq 0 ] || fail "$lost of $n requests were lost"
}

# story_zone N: zone N goes dark and comes back.
story_zone() {
	local zone=${WORLD_ZONES[$1 - 1]} began seen replaced last back
	world_phase "zone $zone dark"
	tell "4. zone $zone goes dark: its packets vanish in both directions"
	began=$(now_ms)
	bed zone-dark "$1"
	wait_until 30 "traffic has left $zone" zone_is "$zone" Evacuated || fail "zone $zone was not left"
	seen=$(time_ms ".status.zones[?(@.name==\"$zone\")].evacuatedTime")
	tell "    $zone is evacuated: $(mdep ".status.traffic.weights[*].zone") carry the traffic"
	wait_until 40 "six pods serve elsewhere" zone_replaced "$zone" 6 || fail "the pods of $zone were not replaced"
	replaced=$(now_ms)
	sleep 6
	last=$(world_last_lost "$began" "$(now_ms)")
	dark_lost=$(world_lost_between "$began" "$(now_ms)")
	world_phase "zone $zone back"
	tell "    $zone answers again"
	back=$(now_ms)
	bed zone-light "$1"
	wait_until 60 "$zone has its whole part again" zone_well "$zone" || fail "zone $zone did not come back"
	tell "    $zone has its whole part again, $(seconds_since "$back") s later, in steps of 5, 25, 50 and 100 %"
	wait_until 60 "the extra pods have left" world_pods 6 || fail "the pods did not settle"
	outage=$(
		printf '  %-44s %6s s\n' "detection of the dark zone" "$(awk -v a="$began" -v b="$seen" 'BEGIN {printf "%.1f", (b - a) / 1000}')" \
			"traffic RTO (last request lost to it)" "$(awk -v a="$began" -v b="${last:-$began}" 'BEGIN {printf "%.1f", (b - a) / 1000}')" \
			"capacity RTO (six pods serve elsewhere)" "$(awk -v a="$began" -v b="$replaced" 'BEGIN {printf "%.1f", (b - a) / 1000}')"
		printf '  %-44s %6d\n' "requests lost in the dark seconds" "$dark_lost"
	)
}

world_answers() {
	[ "$(curl -s -o /dev/null -w '%{http_code}' -H "Host: $WORLD_HOST" -d '{"instances":[[1,2,3]]}' \
		"$BED_GATEWAY_URL/v1/models/ranker:predict")" = 200 ]
}

mdep_pods_of_stable() {
	local stable
	stable=$(mdep .status.stableRevision)
	[ "$(kubectl get pods -n shop -o name -l "serving.tidegate.io/revision!=$stable" | wc -l)" -eq 0 ]
}

story_table() {
	local m
	m=$(bed metrics "$(program_pid operator)")
	printf '\n'
	"$WORLD_BIN/load" report "$WORLD_RECORDS" --phases "$WORLD_PHASES"
	printf '\n%s%s\n' "$rollbacks" "$outage"
	printf '  %-44s %6d of %d\n' "requests lost outside of these" "$2" "$1"
	printf '  %-44s %6s MiB, %s CPU-s\n' "operator" \
		"$(sed 's/rss_kb=\([0-9]*\).*/\1/' <<<"$m" | awk '{printf "%.1f", $1 / 1024}')" \
		"$(sed 's/.*cpu_ms=\([0-9]*\).*/\1/' <<<"$m" | awk '{printf "%.2f", $1 / 1000}')"
	printf '\n'
}

story_keep() {
	local gateway
	gateway=$(bed expose "${BED_GATEWAY_URL#http://}")
	cat <<-EOT

		The cluster stays up. Try it:
		  export KUBECONFIG=$BED_OUTSIDE_KUBECONFIG
		  $KUBECTL get mdep -A
		  $KUBECTL describe mdep ranker -n shop
		  curl -H 'Host: $WORLD_HOST' -d '{"instances":[[1,2,3]]}' http://$gateway/v1/models/ranker:predict
	EOT
}

story
printf 'demo: PASS\n'
[ "${1:-}" != --keep ] || story_keep
exit 0
