# record: what a release does to the cluster, written down from the outside. One
# line a change, from four watches, into one file:
#
#   RESOURCE_VERSION MS route    NAME... WEIGHT...
#   RESOURCE_VERSION MS status   PHASE STEP WEIGHT VERIFIED HOLD_UNTIL STABLE TARGET
#   RESOURCE_VERSION MS rs       NAME UID REVISION ZONE GONE
#   RESOURCE_VERSION MS pod      NAME REVISION ZONE GONE LEAVING READY IN_SERVICE PHASE
#   RESOURCE_VERSION MS mark     WORD...
#
# An empty value is "-". All four kinds live in one etcd, so sorting by resource version gives the
# order in which the API server carried the writes out.

RECORD=$BED_DIR/record

# record_watch KIND JSONPATH RESOURCE...: in the background until the bed ends.
record_watch() {
	local kind=$1 path=$2
	shift 2
	(
		kubectl get "$@" -n shop -w --output-watch-events -o "jsonpath=$path{\"\\n\"}" 2>>"$BED_DIR/log/record.log" |
			while read -r version line; do
				printf '%s %s %s %s\n' "$version" "$((${EPOCHREALTIME/./} / 1000))" "$kind" "$line" >>"$RECORD"
			done
	) &
	disown
}

# record_start: the route and the ModelDeployment need not be there yet.
record_start() {
	local o=.object m=.object.metadata l='.object.metadata.labels.serving\.tidegate\.io'
	: >"$RECORD"
	record_watch route "{$m.resourceVersion} {$o.spec.rules[*].backendRefs[*].name} {$o.spec.rules[*].backendRefs[*].weight}" \
		httproutes.gateway.networking.k8s.io
	record_watch status "{$m.resourceVersion} {$o.status.rollout.phase}| {$o.status.rollout.step}| {$o.status.traffic.weight}| {$o.status.traffic.verifiedWeight}| {$o.status.rollout.holdUntilTime}| {$o.status.stableRevision}| {$o.status.targetRevision}|" \
		mdep
	record_watch rs "{$m.resourceVersion} {$m.name}| {$m.uid}| {$l/revision}| {$l/zone}| {.type}|" rs
	record_watch pod "{$m.resourceVersion} {$m.name}| {$l/revision}| {$l/zone}| {.type}| {$m.deletionTimestamp}| {$o.status.conditions[?(@.type==\"Ready\")].status}| {$l/in-service}| {$o.status.phase}|" \
		pods
}

# record_mark WORD...: a moment of the test's own, placed behind all that has been written so far.
record_mark() {
	local version
	version=$(kubectl get --raw '/api/v1/namespaces/shop/services?limit=1' |
		sed 's/"items".*//; s/.*"resourceVersion":"\([0-9]*\)".*/\1/')
	printf '%s %s mark %s\n' "$version" "$(now_ms)" "$*" >>"$RECORD"
}

# record_sorted: the record in the order of the writes, empty values as "-".
record_sorted() {
	sed -E 's/ \|/ -|/g; s/\|/ /g; s/  +/ /g' "$RECORD" | sort -s -k1,1n
}

# record_count: changes so far.
record_count() {
	wc -l <"$RECORD"
}
