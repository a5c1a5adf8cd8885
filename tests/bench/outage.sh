# outage: what one outage of a zone did, from the record of the cluster (e2e/lib/record.sh) and from
# the requests. Sourced inside a bed.

# Two kinds of its own in the record:
#   RESOURCE_VERSION MS place NAME NODE CHANGE DELETED READY PHASE   of a pod
#   RESOURCE_VERSION MS zones STATE...   of the ModelDeployment
outage_record() {
	local o=.object m=.object.metadata
	: >"$RECORD"
	record_watch place "{$m.resourceVersion} {$m.name}| {$o.spec.nodeName}| {.type}| {$m.deletionTimestamp}| {$o.status.conditions[?(@.type==\"Ready\")].status}| {$o.status.phase}|" \
		pods
	record_watch zones "{$m.resourceVersion} {$o.status.zones[*].state}" mdep
}

# outage_capacity NAME ZONE MS: "CAPACITY LOAD": ms after MS until six pods whose names begin so are Ready
# outside of the zone; how long the slowest of the new ones took from its container's start on.
outage_capacity() {
	record_sorted | awk -v name="$1-" -v zone="$2-" -v from="$3" '
		$3 != "place" || index($4, name) != 1 { next }
		$9 == "Running" && !($4 in ran) { ran[$4] = $2 }
		{
			serves = $6 != "DELETED" && $7 == "-" && $8 == "True" && index($5, zone) != 1
			if (serves && !($4 in ready) && $2 >= from && $2 - ran[$4] > load) load = $2 - ran[$4]
			if (serves) ready[$4] = 1; else delete ready[$4]
		}
		$2 >= from && length(ready) >= 6 { print $2 - from, load + 0; found = 1; exit }
		END { if (!found) print "-", "-" }'
}

# outage_decided MS: ms after MS until status says that a zone is left.
outage_decided() {
	record_sorted | awk -v from="$1" '
		$3 == "zones" && $2 >= from && / Evacuat/ { print $2 - from; found = 1; exit }
		END { if (!found) print "-" }'
}

# outage_add WHO NAME ZONE LEADER DARK LIGHT: one line more in the results, in ms and requests:
#   WHO ZONE LEADER DECIDED TRAFFIC CAPACITY LOAD LOST LOST_ON_THE_WAY_BACK
outage_add() {
	local who=$1 name=$2 zone=$3 leads=$4 dark=$5 light=$6 last line
	last=$(world_last_lost "$dark" "$light")
	line="$who $zone $leads $(outage_decided "$dark") $((${last:-$dark} - dark)) $(outage_capacity "$name" "$zone" "$dark")"
	line="$line $(world_lost_between "$dark" "$light") $(world_lost_between $((light + 1000)) "$(now_ms)")"
	echo "$line" >>"$RESULTS"
	tell "$line"
}
