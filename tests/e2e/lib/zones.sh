# zones: outages of zones under load, and what they cost.

# Probes once a second, three failures in a row: 2.4 s to 3.4 s, and the route's way to the gateway.
FAILOVER_TRAFFIC_MS=6000
# A warm spare card, and a model that loads at once.
FAILOVER_CAPACITY_MS=15000
# Of the leader's zone: its successor takes over while its own probes still wait.
FAILOVER_LEADER_MS=10000
# A request that waits in the dark is over after its time-out.
SETTLE=$((${WORLD_TIMEOUT:-5} + 1))

# dark N LIMIT: zone N goes dark; times of traffic and capacity.
dark() {
	local began
	began=$(now_ms)
	bed zone-dark "$1"
	tell "${WORLD_ZONES[$1 - 1]} is dark"
	is_left "${WORLD_ZONES[$1 - 1]}" "$began" "$2"
}

# is_left ZONE MS LIMIT: the zone that has failed since then is; times of traffic and capacity.
is_left() {
	local zone=$1 began=$2 replaced last
	wait_until 30 "$zone is left" zone_is "$zone" Evacuated || give_up "$zone was not left: $(mdep .status.zones)"
	wait_until 40 "its pods are replaced" zone_replaced "$zone" 6 || give_up "the pods of $zone were not replaced"
	replaced=$(now_ms)
	sleep $SETTLE
	last=$(world_last_lost "$began" "$(now_ms)")
	between "$zone: ms until the last request that was lost" $((${last:-$began} - began)) 0 "$3"
	between "$zone: ms until six pods serve elsewhere" $((replaced - began)) 0 $((FAILOVER_CAPACITY_MS + $3 - FAILOVER_TRAFFIC_MS))
}

# light N: zone N answers again; it comes back without a lost request.
light() {
	local began
	began=$(now_ms)
	bed zone-light "$1"
	comes_back "${WORLD_ZONES[$1 - 1]}" "$began" 90
}

# comes_back ZONE MS SECONDS: the zone that is well since then does, within so many seconds.
comes_back() {
	wait_until "$3" "$1 is healthy again" zone_well "$1" || give_up "$1 did not come back: $(mdep .status.zones)"
	tell "$1 is back after $(seconds_since "$2") s"
	lost_since "$1: requests lost on its way back" $(($2 + 1000))
	wait_until 60 "the extra pods have left" world_pods 6 || give_up "pods did not settle"
}

# lost_since NAME MS: no request that was sent since then is lost.
lost_since() {
	sleep $SETTLE
	equal "$1" "$(world_lost_between "$2" "$(now_ms)")" 0
}

# pods_ready ZONE: how many of its pods are.
pods_ready() {
	kubectl get pods -n shop -l "serving.tidegate.io/zone=$1" \
		-o 'jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}' | grep -c True
}

other_than() {
	local n
	for n in 1 2 3; do
		[ "$n" = "$1" ] || echo "$n"
	done
}
