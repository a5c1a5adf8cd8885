#!/usr/bin/env bash
# A release of a model that is served by gRPC: the GRPCRoute that Tidegate writes, real calls by real clients over
# HTTP/2, through Envoy to real gRPC servers. Audience by metadata, copies, weights, promotion; no call is lost.
set -u
grpc_tree=$(cd "$(dirname "$0")/../.." && pwd -P)
[ "${1:-}" = inside ] || {
	bash "$grpc_tree/tests/bed/bed.sh" deps bed develop || exit 1
	exec bash "$grpc_tree/tests/bed/bed.sh" run --zones 3 --mesh -- bash "$0" inside
}

# shellcheck source=/dev/null
. "$BED_TREE/tests/mesh/lib/mesh.sh"
MESH_RATE=150
GRPC_PORT=50051
GRPC_PROGRAMS=$BED_TREE/tests/mesh/programs

world_image_map() {
	cat <<-EOT
		{"bed/grpc-model": {"command": ["/usr/bin/python3", "$GRPC_PROGRAMS/grpc_model.py", "$GRPC_PORT"]}}
	EOT
}

world_mdep() {
	cat <<-EOT
		apiVersion: serving.tidegate.io/v1alpha1
		kind: ModelDeployment
		metadata: {name: ranker, namespace: shop}
		spec:
		  replicas: 3
		  model: {name: ranker, version: "$1"}
		  runtime:
		    image: bed/grpc-model:1
		    port: $GRPC_PORT
		    probes: {readiness: {tcpSocket: {port: $GRPC_PORT}, periodSeconds: 1}}
		  zones: [{name: hz-a}, {name: hz-b}, {name: hz-c}]
		  strategy:
		    maxSurge: 3
		    drain: 2s
		    steps:
		    - {audience: {headers: [{name: x-gray, exact: "1"}]}, approval: Required}
		    - {mirror: {percent: 50}, approval: Required}
		    - {weight: 20, hold: 3s}
		    - {weight: 50, approval: Required}
		  traffic: {grpcRoute: {name: ranker, parentRefs: [{name: bed, namespace: default}], hostnames: [$WORLD_HOST]}}
	EOT
}

grpc_load() {
	/usr/bin/python3 "$GRPC_PROGRAMS/grpc_load.py" "${BED_GATEWAY_URL#http://}" "$WORLD_HOST" "$@"
}

# Three in a row are.
calls_answered() {
	grpc_load 10 "$BED_DIR/first.jsonl" 0.3 && [ "$(grep -c '"status":200' "$BED_DIR/first.jsonl")" -eq 3 ]
}

world_start_load() {
	wait_until 20 "the gateway answers" calls_answered || give_up "no call is answered: $(head -n 1 "$BED_DIR/first.jsonl")"
	program_start load /usr/bin/python3 "$GRPC_PROGRAMS/grpc_load.py" "${BED_GATEWAY_URL#http://}" "$WORLD_HOST" "$1" "$WORLD_RECORDS"
	wait_until 10 "calls are written down" test -s "$WORLD_RECORDS"
}

gray() {
	grpc_load 20 "$BED_DIR/gray.jsonl" $(($1 / 20)) x-gray=1
	sed -n 's/.*"version":"\([^"]*\)".*/\1/p' "$BED_DIR/gray.jsonl" | sort | uniq -c | sed 's/^ *//'
}

served_by() {
	local ip n=0
	for ip in $(kubectl get pods -n shop -l "serving.tidegate.io/revision=$1" -o 'jsonpath={.items[*].status.podIP}'); do
		n=$((n + $(/usr/bin/python3 "$GRPC_PROGRAMS/grpc_load.py" "$ip:$GRPC_PORT" count)))
	done
	echo "$n"
}

a_release_and_no_more
