#!/usr/bin/env bash
# Three operators in three zones during a release: the leader is killed, told to end, and frozen for
# longer than its lease. Another goes on each time, and the frozen one writes nothing any more.
set -u
leader_tree=$(cd "$(dirname "$0")/../.." && pwd -P)
[ "${1:-}" = inside ] ||
	exec bash "$leader_tree/tests/bed/bed.sh" run --zones 3 --gateway -- bash "$0" inside

WORLD_STEPS='[{weight: 10, hold: 5s}, {weight: 25, hold: 5s}, {weight: 50, hold: 5s}, {weight: 100}]'
# The others see the last renewal one retry period late at most, 0.3 s to 0.66 s; the lease is 2 s.
LEADER_KILLED_MS=3000
# A released lease is there for the first that looks.
LEADER_ENDED_MS=1300
for leader_lib in e2e replica; do
	# shellcheck source=/dev/null
	. "$BED_TREE/tests/e2e/lib/$leader_lib.sh"
done

# zone_of NAME
zone_of() {
	echo "${1##*-}"
}

standbys() {
	local n
	for n in 1 2 3; do
		[ "operator-$n" = "$leader" ] || echo "operator-$n"
	done
}

master_status() {
	world_operator_get "$1" "$(zone_of "$1")" metrics /metrics |
		sed -n 's/^leader_election_master_status{name="tidegate-controller"} //p'
}

# leader_next WHAT SINCE MS: another leads, at most MS after SINCE.
leader_next() {
	local old=$leader
	wait_until 10 "another leads" leader_is_not "$old" || give_up "$1: nobody took over"
	leader=$(leader)
	between "$1, ms until $leader leads after $old" "$(($(elected_ms "$leader") - $2))" 0 "$3"
}

on_step() {
	local phase step
	read -r phase step _ < <(status_now)
	[ "$phase" = "$1" ] && [ "$step" = "$2" ]
}

leader_alone() {
	local name
	wait_until 10 "one leads" leader || give_up "nobody leads"
	leader=$(leader)
	sleep 1
	equal "one leads" "$(cat "$BED_DIR"/log/operator-*.log | grep -c '"elected leader"')" 1
	equal "$leader says that it leads" "$(master_status "$leader")" 1
	for name in $(standbys); do
		equal "$name stands by" "$(master_status "$name")" 0
		equal "$name is ready" "$(world_operator_get "$name" "$(zone_of "$name")" health /readyz)" ok
	done
}

leader_killed() {
	local old=$leader began
	began=$(now_ms)
	replica_signal "$old" KILL
	leader_next "killed" "$began" $LEADER_KILLED_MS
	wait_until 5 "$old is gone" replica_ended "$old"
	replica_start "$old" "$(zone_of "$old")"
}

leader_ended() {
	local old=$leader began
	began=$(now_ms)
	replica_signal "$old" TERM
	leader_next "SIGTERM" "$began" $LEADER_ENDED_MS
	wait_until 5 "$old ends" replica_ended "$old"
	equal "SIGTERM is a good end" "$(replica_exit "$old")" 0
	replica_start "$old" "$(zone_of "$old")"
}

# writes_of_leaders: what only a leader writes. The Lease is not among it.
writes_of_leaders() {
	grep -c ' route \| status ' "$RECORD"
}

# While its successor is frozen for a moment as well, nobody else could have written.
leader_frozen() {
	local old=$leader began before lines
	began=$(now_ms)
	replica_signal "$old" STOP
	leader_next "frozen" "$began" $LEADER_KILLED_MS
	# The successor is at work, and the frozen one has much to catch up with.
	sleep 2
	replica_signal "$leader" STOP
	sleep 0.2
	before=$(writes_of_leaders)
	lines=$(wc -l <"$BED_DIR/log/$old.log")
	replica_signal "$old" CONT
	wait_until 1 "$old ends" replica_ended "$old"
	sleep 0.2
	equal "awake after its lease, it writes nothing" "$(writes_of_leaders)" "$before"
	replica_signal "$leader" CONT
	equal "and ends with exit code" "$(replica_exit "$old")" 1
	check "and says why" grep -q 'lease lost' <(tail -n "+$((lines + 1))" "$BED_DIR/log/$old.log")
	sleep 1
	equal "its successor still leads" "$(leader)" "$leader"
}

leader_story() {
	local n
	world_start_nodes || give_up "the nodes did not become Ready"
	world_install || give_up "manifests/install.yaml could not be applied"
	record_start
	for n in 1 2 3; do
		replica_start "operator-$n" "$n"
	done
	leader_alone
	record_mark release 1 promoted
	world_mdep 1 | kubectl apply -f - >/dev/null || give_up "version 1 was not accepted"
	wait_until 30 "version 1 serves" mdep_serves 1 || give_up "version 1 does not serve"
	record_mark ended 1
	world_start_load 50
	record_mark release 2 promoted
	world_mdep 2 | kubectl apply -f - >/dev/null || give_up "version 2 was not accepted"
	wait_until 30 "step 1" on_step Holding 0 || give_up "step 1 is not reached"
	tell "step 1 is held"
	leader_killed
	wait_until 30 "step 2" on_step Progressing 1 || give_up "step 2 does not begin"
	tell "step 2 begins"
	leader_ended
	wait_until 30 "step 3" on_step Progressing 2 || give_up "step 3 does not begin"
	tell "step 3 begins"
	leader_frozen
	wait_until 60 "version 2 serves" mdep_serves 2 || give_up "version 2 is not promoted"
	record_mark ended 2
	tell "version 2 serves"
	requests_lost_none
	rule "the share never jumps back" replay_no_jump_back
	rule "every step visited and held" replay_steps 3 10,25,50
	rule "never more than 9 pods" replay_pods_at_most 9
	rule "never fewer than 6 pods ready" replay_ready_at_least 6
	[ "$failed" -eq 0 ] || e2e_evidence
}

leader_story
finish
