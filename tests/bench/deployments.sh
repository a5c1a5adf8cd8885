#!/usr/bin/env bash
# deployments.sh: what the control plane alone needs where a version of all models changes at once,
# with nothing of Tidegate's: as many Deployments of three pods with a Service each, on the same
# fake nodes, until each has its first new Ready pod. Their pods name their node themselves, so no
# scheduler takes part either. What any release controller does comes on top of this.
#
#   COUNT=1000   Deployments
#   NODES=500    fake nodes
#   LIMIT=180    seconds that one phase may take
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export COUNT=${COUNT:-1000} NODES=${NODES:-500} LIMIT=${LIMIT:-180}

[ "${1-}" = inside ] || exec bash tests/bed/bed.sh run --kwok "$NODES" -- bash "${BASH_SOURCE[0]}" inside

# shellcheck source=/dev/null
. tests/bench/processes.sh
work=$BED_DIR/deployments
server=$("$KUBECTL" config view -o 'jsonpath={.clusters[0].cluster.server}')
login=(--silent --cacert "$BED_DIR/pki/ca.crt" --header "Authorization: Bearer $BED_TOKEN")
mkdir "$work"

# request METHOD TYPE PATH FILE: an entry of a file that curl takes requests from.
request() {
	printf 'next\nurl = "%s%s"\nrequest = %s\nheader = "Content-Type: %s"\nheader = "Authorization: Bearer %s"\n' "$server" "$3" "$1" "$2" "$BED_TOKEN"
	printf 'data = "@%s"\noutput = /dev/null\ncacert = "%s"\nsilent\nshow-error\nfail\n' "$4" "$BED_DIR/pki/ca.crt"
}

write_requests() {
	local i name namespace
	cat >"$work/change.json" <<-'EOF'
		{"spec":{"minReadySeconds":86400,"progressDeadlineSeconds":90000,"template":{"spec":{"containers":[{"name":"server","image":"registry.example/m:2"}]}}}}
	EOF
	for ((i = 0; i < COUNT; i++)); do
		name=m$(printf %05d "$i") namespace=ns-$((i % 20))
		cat >"$work/$name.service" <<-EOF
			{"apiVersion":"v1","kind":"Service","metadata":{"name":"$name"},"spec":{"selector":{"app":"$name"},"ports":[{"port":80,"targetPort":8080}]}}
		EOF
		cat >"$work/$name.deployment" <<-EOF
			{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"$name"},"spec":{"replicas":3,"strategy":{"rollingUpdate":{"maxSurge":1,"maxUnavailable":0}},
			"selector":{"matchLabels":{"app":"$name"}},"template":{"metadata":{"labels":{"app":"$name"}},"spec":{"nodeName":"fake-$(printf %04d $((i % NODES)))","terminationGracePeriodSeconds":1,
			"containers":[{"name":"server","image":"registry.example/m:1","ports":[{"containerPort":8080}],"resources":{"limits":{"nvidia.com/gpu":"1"}}}]}}}}
		EOF
		request POST application/json "/api/v1/namespaces/$namespace/services" "$work/$name.service"
		request POST application/json "/apis/apps/v1/namespaces/$namespace/deployments" "$work/$name.deployment"
		request PATCH application/strategic-merge-patch+json "/apis/apps/v1/namespaces/$namespace/deployments/$name" "$work/change.json" >>"$work/change"
	done >"$work/create"
	sed -i 1d "$work/create" "$work/change" # `next` stands between requests only
}

# wait_for READY UPDATED: until a watch has shown as many pods of every Deployment.
wait_for() {
	local name
	local -A seen=()
	while read -r name; do
		seen[$name]=1
		[ "${#seen[@]}" -lt "$COUNT" ] || return 0
	done < <(timeout "$LIMIT" curl "${login[@]}" --no-buffer "$server/apis/apps/v1/deployments?watch=1" |
		sed -un "/\"readyReplicas\":$1[,}]/{/\"updatedReplicas\":$2[,}]/s/.*\"name\":\"\(m[0-9]*\)\",\"namespace.*/\\1/p}")
	return 1
}

# phase NAME READY UPDATED: sends the requests of that name, 32 at a time.
phase() {
	local began watcher
	processes_snapshot "$work/before"
	began=$(date +%s%N)
	wait_for "$2" "$3" &
	watcher=$!
	curl --parallel --parallel-max 32 --config "$work/$1" 2>/dev/null || echo "$1: a request failed" >&2
	wait "$watcher" || {
		echo "$1: not all within $LIMIT s" >&2
		return 1
	}
	printf '%s: %d Deployments in %d ms; CPU s: ' "$1" "$COUNT" $((($(date +%s%N) - began) / 1000000))
	sleep 5 # what was put off is counted
	processes_snapshot "$work/after"
	processes_between "$work/before" "$work/after"
	echo
}

for ((i = 0; i < 20; i++)); do
	"$KUBECTL" create namespace "ns-$i" >/dev/null
done
write_requests
phase create 3 3
sleep 20
phase change 4 1
