# mesh: what the tests that run behind istiod and Envoy have in common. Sources all they need.

WORLD_HOST=ranker.shop.example
WORLD_TIMEOUT=2
for mesh_lib in e2e zones copies steps; do
	# shellcheck source=/dev/null
	. "$BED_TREE/tests/e2e/lib/$mesh_lib.sh"
done

start() {
	world_start_nodes || give_up "the nodes did not become Ready"
	world_install || give_up "manifests/install.yaml could not be applied"
	world_start_operator
	world_mdep 1 | kubectl apply -f - >/dev/null || give_up "version 1 was not accepted"
	wait_until 60 "version 1 serves" mdep_serves 1 || give_up "version 1 does not serve"
	world_start_load "${MESH_RATE:-300}"
}

# copied_and_promoted VERSION: from its audience on, through copies and weights, the operator being killed
# when the first weight is asked for.
copied_and_promoted() {
	next_step 1
	counts_copies "$(mdep .status.targetRevision)"
	equal "clients' answers by a version that gets copies" "$(answers_of "$1")" 0
	order promote next
	wait_until 40 "20 % are asked for" mdep_is .status.rollout.step 2 || give_up "no weight after the mirror"
	program_stop operator
	program_launch operator
	half_of "$1" 3
	order promote next
	wait_until 60 "version $1 serves" mdep_serves "$1" || give_up "version $1 is not promoted"
	tell "version $1 serves"
	lost_none "promotion: requests lost"
}

# sees_its_audience VERSION: at a step with the audience x-gray: 1.
sees_its_audience() {
	equal "the audience is answered by" "$(gray 40)" "40 $1"
	equal "clients' answers by version $1, but for its audience" "$(answers_of "$1")" 0
}

# half_of VERSION STEP: that step, of 50 %, is reached, and half of the answers are its own.
half_of() {
	local sent before
	wait_until 60 "50 % are in force" waits_at "$2" || give_up "50 % are not reached: $(mdep .status.rollout)"
	before=$(answers_of "$1") sent=$(world_sent)
	sleep 3
	sent=$(($(world_sent) - sent))
	between "answers of version $1, of $sent" $(($(answers_of "$1") - before)) $((sent * 40 / 100)) $((sent * 60 / 100))
}

# From its audience on, through copies and weights.
a_release_and_no_more() {
	start
	release 2
	sees_its_audience 2
	copied_and_promoted 2
	ended
}

ended() {
	world_stop_load
	[ "$failed" -eq 0 ] || mesh_evidence
	finish
}

mesh_evidence() {
	e2e_evidence
	kubectl get virtualservice,destinationrule,httproute,grpcroute -n shop -o yaml | grep -v managedFields | tail -n 80
	curl -s "http://127.0.0.1:15000/clusters" | grep -E 'shop.*(rq_total|rq_error|health_flags)' | head -n 40
	tail -n 20 "$BED_DIR/log/istiod.log" "$BED_DIR/log/envoy.log" | cut -c1-300
}
