#!/usr/bin/env bash
# kill -9 of the operator at random moments of releases and rollbacks: the same end, no weight that
# jumps back, no step lost, no duplicate, no request lost.
#   SEED=N      the same moments again
#   KILLS=N     how many (20)
set -u
crash_tree=$(cd "$(dirname "$0")/../.." && pwd -P)
SEED=${SEED:-$(($(date +%s%N) % 32768))}
KILLS=${KILLS:-20}
if [ "${1:-}" != inside ]; then
	export SEED KILLS
	exec bash "$crash_tree/tests/bed/bed.sh" run --zones 3 --gateway -- bash "$0" inside
fi

WORLD_STEPS='[{weight: 10, hold: 2s}, {weight: 25, hold: 2s}, {weight: 50, hold: 2s}, {weight: 100}]'
CRASH_HOLDS=3 CRASH_WEIGHTS=10,25,50 CRASH_PODS_MAX=9 CRASH_PODS_MIN=6
# shellcheck source=/dev/null
. "$BED_TREE/tests/e2e/lib/e2e.sh"
RANDOM=$SEED
kills=0 releases=0 serving=

# --- the operator, killed and started ----------------------------------------------------

# Every second one runs without election: it is at work at once, so that kills hit more moments;
# with election the lease of the killed one has to expire first.
operator_start() {
	local option=()
	[ $((RANDOM % 2)) -eq 0 ] || option=(--no-leader-election)
	[ ${#option[@]} -eq 0 ] || leads_from=now
	[ ${#option[@]} -gt 0 ] || leads_from=$(grep -c '"elected leader"' "$BED_DIR/log/operator.log" 2>/dev/null)
	world_start_operator operator 1 ${option[@]+"${option[@]}"}
}

operator_leads() {
	[ "$leads_from" = now ] || [ "$(grep -c '"elected leader"' "$BED_DIR/log/operator.log")" -gt "${leads_from:-0}" ]
}

# A moment: some time after it leads, or right after the n-th change from then on.
operator_kill_at_random() {
	local n tail_pid
	wait_until 10 "the operator leads" operator_leads || give_up "a started operator does not lead"
	exec 8< <(exec tail -n 0 -F "$RECORD" 2>/dev/null)
	tail_pid=$!
	if [ $((RANDOM % 2)) -eq 0 ]; then
		n=$((RANDOM % moment_max))
		sleep "$((n / 1000)).$(printf '%03d' $((n % 1000)))"
		crash_moment="$n ms after its start"
	else
		n=$((1 + RANDOM % (moment_max / 100)))
		crash_moment="at change $n after its start"
		crash_read_changes "$n"
	fi
	kill -KILL "$tail_pid"
	exec 8<&-
	! release_ended || return 1
	program_stop operator KILL
	kills=$((kills + 1))
	tell "    kill $kills, $crash_moment: $(status_now)"
	operator_start
}

crash_read_changes() {
	local line i
	for ((i = 0; i < $1; i++)); do
		IFS= read -r -t 3 -u 8 line || return 0
	done
}

# --- releases ----------------------------------------------------------------------------

release_ended() {
	local phase step weight verified hold stable target
	read -r phase step weight verified hold stable target < <(status_now)
	if [ "$expect" = promoted ]; then
		[ "$phase" = - ] && [ "$stable" != "$stable_before" ] && [ "$stable" != - ]
	else
		[ "$phase" = RolledBack ] && [ "$verified" = 0 ] && [ "$target" != "$target_before" ]
	fi
}

# release VERSION EXPECT KILLS [ENV VALUE]: with at most that many kills on the way.
release() {
	local version=$1 quota=$(($3 + kills)) began
	expect=$2
	read -r _ _ _ _ _ stable_before target_before < <(status_now)
	: "${stable_before:=-}" "${target_before:=-}"
	releases=$((releases + 1))
	[ "$quota" -le "$KILLS" ] || quota=$KILLS
	tell "version $version is applied, to be $expect"
	record_mark release "$releases" "$expect"
	world_mdep "$version" "${@:4}" | kubectl apply -f - >/dev/null || give_up "version $version was not accepted"
	began=$(now_ms)
	while ! release_ended; do
		[ $(($(now_ms) - began)) -lt 120000 ] || give_up "version $version is not $expect within 120 s"
		if [ "$kills" -lt "$quota" ]; then
			operator_kill_at_random || break
		else
			sleep 0.2
		fi
	done
	wait_until 20 "pods of one revision" mdep_pods_of_stable || give_up "pods of the other revision stayed"
	mdep_serves_after "$version" || give_up "version $version: wrong end: $(status_now)"
	[ "$expect" != promoted ] || serving=$version
	record_mark ended "$releases"
	tell "version $version is $expect after $(seconds_since "$began") s"
	pass "version $version ends $expect with $kills kills so far"
}

mdep_pods_of_stable() {
	[ "$(kubectl get pods -n shop -o name -l "serving.tidegate.io/revision!=$(mdep .status.stableRevision)" | wc -l)" -eq 0 ]
}

# The version that serves is the released one, or in a rollback another.
mdep_serves_after() {
	local stable version
	stable=$(mdep .status.stableRevision)
	version=$(mdep ".status.revisions[?(@.name==\"$stable\")].modelVersion")
	if [ "$expect" = promoted ]; then
		[ "$version" = "$1" ]
	else
		[ -n "$version" ] && [ "$version" != "$1" ]
	fi
}

# --- checks ------------------------------------------------------------------------------

crash_rules() {
	rule "the share never jumps back" replay_no_jump_back
	rule "the weights always add up to 10000" replay_sum_of_weights
	rule "no weight without a ready pod" replay_weight_without_pod
	rule "one ReplicaSet for a revision and zone" replay_one_replicaset
	rule "never more than $CRASH_PODS_MAX pods" replay_pods_at_most $CRASH_PODS_MAX
	rule "never fewer than $CRASH_PODS_MIN pods ready" replay_ready_at_least $CRASH_PODS_MIN
	rule "every step visited and held" replay_steps $CRASH_HOLDS $CRASH_WEIGHTS
	equal "each revision has a number of its own" \
		"$(kubectl get mdep ranker -n shop -o 'jsonpath={range .status.revisions[*]}{.number}{"\n"}{end}' | sort | uniq -d)" ""
}

# Rules that find nothing in a record that was tampered with would prove nothing.
crash_rules_bite() {
	local true_record=$RECORD
	RECORD=$BED_DIR/tampered
	tampered "a share that jumps back is found" replay_no_jump_back \
		'/mark ended 2/ {print $1, $2, back} {print} / route / {$1 = $2 = ""; if (!back) back = $0}'
	tampered "a wrong sum is found" replay_sum_of_weights '/ route / {sub(/[0-9]$/, "9")} {print}'
	tampered "a weight without a pod is found" replay_weight_without_pod '/ pod / {sub(/ True\|/, " False|")} {print}'
	tampered "a second ReplicaSet is found" replay_one_replicaset '{print} / rs / {sub(/\| /, "| 0"); print}'
	tampered "a lost step is found" "replay_steps $CRASH_HOLDS $CRASH_WEIGHTS" '!/ status Holding\| 1\|/ {print}'
	tampered "too many pods are found" "replay_pods_at_most $((CRASH_PODS_MIN - 1))" '{print}'
	tampered "too few ready pods are found" "replay_ready_at_least $((CRASH_PODS_MAX + 1))" '{print}'
	RECORD=$true_record
}

# tampered NAME RULE AWK
tampered() {
	awk "$3" "$true_record" >"$RECORD"
	# shellcheck disable=SC2086 # a command and its arguments
	if [ -n "$($2)" ]; then pass "$1"; else fail "$1"; fi
}

crash_story() {
	echo "SEED=$SEED"
	world_start_nodes || give_up "the nodes did not become Ready"
	world_install || give_up "manifests/install.yaml could not be applied"
	record_start
	operator_start
	# A first release is over in two seconds.
	moment_max=600
	release 1 promoted 3
	world_start_load 100
	moment_max=3000
	release 2 promoted 7
	release 3 rolled-back 5 ERROR_RATE 0.3
	release 1 promoted 7
	while [ "$kills" -lt "$KILLS" ]; do
		release $((3 - serving)) promoted "$KILLS"
	done
	equal "kills" "$kills" "$KILLS"
	requests_lost_none 3
	crash_rules
	crash_rules_bite
	[ "$failed" -eq 0 ] || e2e_evidence
}

crash_story
finish
