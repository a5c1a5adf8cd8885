# steps: of a release that waits for approval at each, and what clients see of them.

# order VERB VALUE: what stands behind '#' makes a repeated one a new one.
orders=0
order() {
	orders=$((orders + 1))
	mdep_order "$1" "$2#$orders"
}

# waits_at STEP: for approval at the step of this number, counted from 0.
waits_at() {
	mdep_is .status.rollout.phase AwaitingApproval && mdep_is .status.rollout.step "$1"
}

# gray N: so many requests of the audience; prints the versions that answered.
gray() {
	local i
	for ((i = 0; i < $1; i++)); do
		curl -s -o /dev/null -m 5 -D - -H "Host: $WORLD_HOST" -H 'x-gray: 1' -d @"$BED_DIR/request.json" \
			"$BED_GATEWAY_URL/v1/models/ranker:predict" | tr -d '\r' | sed -n 's/^x-model-version: //Ip'
	done | sort | uniq -c | sed 's/^ *//'
}

# release VERSION [ENV VALUE]...: as far as its audience.
release() {
	tell "version $1 is applied"
	world_mdep "$@" | kubectl apply -f - >/dev/null || give_up "version $1 was not accepted"
	wait_until 60 "version $1 waits at its audience" waits_at 0 || give_up "version $1 does not reach its audience"
}

# next_step STEP: the one that is waited at is over, and this one waits.
next_step() {
	order promote next
	wait_until 60 "step $1" waits_at "$1" || give_up "step $1 is not reached: $(mdep .status.rollout)"
}
