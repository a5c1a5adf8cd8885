#!/usr/bin/env bash
# Traffic drivers: a user's own HTTPRoute behind the real gateway (audiences by header and bucket,
# weights, an edit by hand), and beside it the drivers that this bed has no data plane for, against
# the real API server: GRPCRoute, VirtualService, Ingress annotations, TraefikService.
set -u
drivers_tree=$(cd "$(dirname "$0")/../.." && pwd -P)
[ "${1:-}" = inside ] || {
	bash "$drivers_tree/tests/bed/bed.sh" get istio-api traefik-crds || exit 1
	exec bash "$drivers_tree/tests/bed/bed.sh" run --zones 3 --gateway -- bash "$0" inside
}

# shellcheck source=/dev/null
. "$BED_TREE/tests/e2e/lib/e2e.sh"
# shellcheck source=/dev/null
. "$BED_TREE/tests/bed/lib/assets.sh"

k() {
	kubectl -n shop "$@"
}

# model NAME VERSION REPLICAS TRAFFIC STEPS
model() {
	cat <<-EOT
		apiVersion: serving.tidegate.io/v1alpha1
		kind: ModelDeployment
		metadata: {name: $1, namespace: shop}
		spec:
		  replicas: $3
		  model: {name: ranker, version: "$2"}
		  runtime: {preset: tensorflow-serving}
		  template:
		    spec:
		      volumes:
		      - name: models
		        configMap:
		          name: ranker-models
		          items: [{key: weights-$2, path: $2/weights.txt}]
		      containers:
		      - name: model
		        volumeMounts: [{name: models, mountPath: /models/ranker}]
		  strategy: {maxSurge: 3, drain: 3s, steps: $5}
		  traffic: {$4}
	EOT
}

AUDIENCES='[{audience: {headers: [{name: x-gray, exact: "1"}]}, approval: Required}, {audience: {bucket: {header: x-bucket, percent: 10}}, approval: Required}, {weight: 50}]'
HALF='[{weight: 20, approval: Required}]'
MIRROR='[{mirror: {percent: 30}, approval: Required}, {weight: 20, approval: Required}]'

models() {
	model ranker "$1" 3 'httpRoute: {name: ranker}' "$AUDIENCES"
	echo ---
	model grpc "$1" 1 'grpcRoute: {name: grpc, parentRefs: [{name: bed, namespace: default}], hostnames: [grpc.example]}' "$HALF"
	echo ---
	model vs "$1" 1 'istio: {virtualService: vs, httpRoute: main}' "$HALF"
	echo ---
	model ing "$1" 1 'ingress: {name: web}' "$HALF"
	echo ---
	model tfs "$1" 1 'traefik: {name: tfs}' "$MIRROR"
}

# As Istio and Traefik define them.
foreign_crds() {
	awk 'BEGIN {RS = "---\n"} /\n    plural: virtualservices\n/' "$assets_cache"/istio-api/*.yaml
	cat "$assets_cache"/traefik-crds/traefik.io_traefikservices.yaml
}

users_objects() {
	cat <<-EOT
		apiVersion: gateway.networking.k8s.io/v1
		kind: HTTPRoute
		metadata: {name: ranker, annotations: {team: search}}
		spec:
		  parentRefs: [{name: bed, namespace: default}]
		  hostnames: [$WORLD_HOST]
		  rules:
		  - matches: [{path: {type: Exact, value: /old}}]
		    filters: [{type: RequestRedirect, requestRedirect: {statusCode: 302, path: {type: ReplaceFullPath, replaceFullPath: /new}}}]
		  - name: main
		    matches: [{path: {type: PathPrefix, value: /v1}}]
		    backendRefs: [{name: ranker, port: 80}]
		---
		apiVersion: networking.k8s.io/v1
		kind: Ingress
		metadata: {name: web, annotations: {nginx.ingress.kubernetes.io/proxy-body-size: 8m}}
		spec:
		  ingressClassName: nginx
		  rules:
		  - host: web.example
		    http:
		      paths:
		      - {path: /static, pathType: Prefix, backend: {service: {name: files, port: {number: 80}}}}
		      - {path: /, pathType: Prefix, backend: {service: {name: ing, port: {number: 80}}}}
	EOT
}

users_virtualservice() {
	cat <<-EOT
		apiVersion: networking.istio.io/v1
		kind: VirtualService
		metadata: {name: vs}
		spec:
		  hosts: [vs.example]
		  http:
		  - {name: other, route: [{destination: {host: vs}}], timeout: 3s}
		  - {name: main, retries: {attempts: 2}, route: [{destination: {host: vs}}]}
	EOT
}

# field KIND NAME JSONPATH
field() {
	k get "$1" "$2" -o "jsonpath={$3}"
}

field_is() {
	[ "$(field "$1" "$2" "$3")" = "$4" ]
}

# serves NAME VERSION
serves() {
	local stable
	stable=$(field mdep "$1" .status.stableRevision)
	[ -n "$stable" ] && field_is mdep "$1" .status.rollout.phase "" &&
		field_is mdep "$1" ".status.revisions[?(@.name==\"$stable\")].modelVersion" "$2"
}

# waits_at NAME STEP
waits_at() {
	field_is mdep "$1" .status.rollout.phase AwaitingApproval && field_is mdep "$1" .status.rollout.step "$2"
}

promote() {
	k annotate mdep "$1" --overwrite "serving.tidegate.io/promote=$2" >/dev/null
}

# --- requests --------------------------------------------------------------------------------

# versions_of [HEADER]: who answered 150 requests, e.g. "1" or "1 2".
versions_of() {
	local out=$BED_DIR/burst.jsonl options=()
	[ $# -eq 0 ] || options=(--header "$1")
	"$WORLD_BIN/load" --url "$BED_GATEWAY_URL/v1/models/ranker:predict" --host "$WORLD_HOST" --rate 100 \
		--duration 1500ms --out "$out" --timeout 5s --body "$BED_DIR/request.json" "${options[@]}" >/dev/null
	sed -n 's/.*"version":"\([^"]*\)".*/\1/p' "$out" | sort -u | paste -sd' '
}

# rule_names: of the user's HTTPRoute.
rule_names() {
	field httproute ranker '.spec.rules[*].name'
}

# What the user wrote, but for the backends of the rule that is Tidegate's.
users_part() {
	k get httproute ranker -o 'jsonpath={.spec.rules[0].filters[0].requestRedirect.statusCode} {.metadata.annotations.team}'
}

# --- the story -------------------------------------------------------------------------------

missing_crds() {
	local name
	for name in vs tfs; do
		wait_until 20 "$name says that its driver is unavailable" \
			field_is mdep "$name" '.status.conditions[?(@.type=="TrafficInForce")].reason' DriverUnavailable
		equal "$name: a missing CRD is said" "$(field mdep $name '.status.conditions[?(@.type=="TrafficInForce")].reason')" DriverUnavailable
	done
	wait_until 30 "others are served" serves ranker 1
	check "a missing CRD holds up nobody else" serves ranker 1
	# Too large for the annotation of `apply`.
	foreign_crds | kubectl create -f - >/dev/null
	kubectl wait --for=condition=Established --timeout=20s crd/virtualservices.networking.istio.io crd/traefikservices.traefik.io >/dev/null
	users_virtualservice | k apply -f - >/dev/null
	wait_until 60 "vs and tfs go on" serves tfs 1
	check "once the CRD is there, it goes on" serves tfs 1
}

audience_by_header() {
	wait_until 40 "the first audience" waits_at ranker 0 || give_up "the first audience is not reached"
	equal "a rule beside theirs" "$(rule_names)" "tidegate-audience main"
	equal "everybody else: version" "$(versions_of)" 1
	equal "x-gray: 1: version" "$(versions_of 'x-gray: 1')" 2
	equal "x-gray: 2: version" "$(versions_of 'x-gray: 2')" 1
}

edited_by_hand() {
	k patch httproute ranker --type=json -p '[{"op":"remove","path":"/spec/rules/1"}]' >/dev/null
	wait_until 10 "the rule is back" field_is httproute ranker '.spec.rules[*].name' "tidegate-audience main"
	equal "an edit by hand is put back" "$(rule_names)" "tidegate-audience main"
	wait_until 10 "an event" k get events -o 'jsonpath={.items[?(@.reason=="RouteRestored")].note}'
	check "and said in an event" grep -q RouteRestored <(k get events)
}

# ports_of NAME: of its Services, each once.
ports_of() {
	k get services -l "serving.tidegate.io/name=$1" -o 'jsonpath={.items[*].spec.ports[*].port}' |
		tr ' ' '\n' | sort -u | paste -sd' '
}

# In mid-release; looked at when what comes in between is over.
other_port() {
	local name
	for name in ranker vs ing; do
		k patch mdep $name --type=merge -p '{"spec":{"traffic":{"servicePort":8080}}}' >/dev/null
	done
	wait_until 5 "both ports" eval '[ "$(ports_of ranker)" = "80 8080" ]'
	equal "another servicePort: Services answer by both" "$(ports_of ranker)" "80 8080"
}

ports_at_the_end() {
	local port
	port=$(field httproute ranker '.spec.rules[-1:].backendRefs[0].port')
	equal "another servicePort: the route names it" "$port" 8080
	equal "another servicePort: the old one is gone" "$(ports_of ranker)" 8080
	equal "VirtualService: the other port" "$(field virtualservice vs '.spec.http[1].route[*].destination.port.number')" "8080 8080"
	equal "Ingress: the canary names it" \
		"$(field ingress web-canary '.spec.rules[0].http.paths[0].backend.service.port.number')" 8080
	equal "Ingress: the old one stays while the user's names it" "$(ports_of ing)" "80 8080"
}

audience_by_bucket() {
	promote ranker next
	wait_until 40 "the second audience" waits_at ranker 1 || give_up "the second audience is not reached"
	equal "x-bucket: 3: version" "$(versions_of 'x-bucket: 3')" 2
	equal "x-bucket: 10: version" "$(versions_of 'x-bucket: 10')" 1
	equal "x-gray: 1, no longer: version" "$(versions_of 'x-gray: 1')" 1
	equal "everybody else: version" "$(versions_of)" 1
}

route_at_the_end() {
	# The same value twice would be one order.
	promote ranker "next#2"
	wait_until 120 "version 2 is promoted" serves ranker 2 || give_up "version 2 is not promoted"
	equal "no rule of an audience is left" "$(rule_names)" main
	equal "the user's rule and annotation" "$(users_part)" "302 search"
	equal "everybody: version" "$(versions_of)" 2
}

# traefik_names: its objects.
traefik_names() {
	k get traefikservices -o 'jsonpath={.items[*].metadata.name}'
}

mirrored() {
	wait_until 60 "tfs mirrors" waits_at tfs 0 || give_up "tfs does not mirror"
	equal "TraefikService: three for a mirror" "$(traefik_names)" "tfs tfs-answers tfs-copies"
	equal "TraefikService: copies" "$(field traefikservice tfs '.spec.mirroring.name') $(field traefikservice tfs '.spec.mirroring.mirrors[*].percent')" \
		"tfs-answers 30"
	equal "TraefikService: it splits no more" "$(field traefikservice tfs .spec.weighted)" ""
	equal "TraefikService: who answers" "$(field traefikservice tfs-answers '.spec.weighted.services[*].name')" \
		"tfs-$(field mdep tfs .status.stableRevision)"
	equal "TraefikService: who gets copies" "$(field traefikservice tfs-copies '.spec.weighted.services[*].name')" \
		"tfs-$(field mdep tfs .status.targetRevision)"
	k delete traefikservice tfs-copies >/dev/null
	wait_until 10 "it is back" field_is traefikservice tfs-copies '.spec.weighted.services[0].kind' Service
	check "TraefikService: one that was deleted is back" \
		field_is traefikservice tfs-copies '.spec.weighted.services[0].kind' Service
	promote tfs next
	wait_until 60 "tfs at 20 %" waits_at tfs 1 || give_up "tfs does not go on after its mirror"
	equal "TraefikService: one without a mirror" "$(traefik_names)" tfs
}

# canary_weight: of the second Ingress.
canary_weight() {
	field ingress web-canary '.metadata.annotations.nginx\.ingress\.kubernetes\.io/canary-weight'
}

others_at_20() {
	local name
	for name in grpc vs ing tfs; do
		wait_until 60 "$name at 20 %" field_is mdep $name .status.rollout.phase AwaitingApproval
		equal "$name: weight in force" "$(field mdep $name .status.traffic.verifiedWeight)" 20
	done
	equal "GRPCRoute: shares" "$(field grpcroute grpc '.spec.rules[0].backendRefs[*].weight')" "8000 2000"
	equal "VirtualService: shares" "$(field virtualservice vs '.spec.http[1].route[*].weight')" "8000 2000"
	equal "VirtualService: the other route and its members" \
		"$(field virtualservice vs '.spec.http[0]'; field virtualservice vs '.spec.http[1].retries')" \
		'{"name":"other","route":[{"destination":{"host":"vs"}}],"timeout":"3s"}{"attempts":2}'
	equal "TraefikService: shares" "$(field traefikservice tfs '.spec.weighted.services[*].weight')" "8000 2000"
	equal "Ingress: canary annotations" "$(canary_weight)" 20
	equal "Ingress: only the path to us" "$(field ingress web-canary '.spec.rules[*].http.paths[*].path')" /
	equal "Ingress: the canary's Service" "$(field ingress web-canary '.spec.rules[0].http.paths[0].backend.service.name')" \
		"ing-$(field mdep ing .status.targetRevision)"
	equal "Ingress: the front selects" "$(field service ing '.spec.selector.serving\.tidegate\.io/revision')" \
		"$(field mdep ing .status.stableRevision)"
}

others_at_the_end() {
	local name
	for name in grpc vs ing tfs; do
		promote $name "next#2"
	done
	for name in grpc vs ing tfs; do
		wait_until 90 "$name is promoted" serves $name 2
		check "$name is promoted" serves $name 2
	done
	wait_until 10 "the canary Ingress goes" eval '! k get ingress web-canary'
	equal "Ingress: the canary's is gone" "$(k get ingress -o name)" ingress.networking.k8s.io/web
	equal "Ingress: the front selects the new revision" \
		"$(field service ing '.spec.selector.serving\.tidegate\.io/revision')" "$(field mdep ing .status.stableRevision)"
	equal "Ingress: the user's is as it was" "$(field ingress web .metadata.generation)" 1
	equal "Ingress: nobody else's field manager" \
		"$(field ingress web '.metadata.managedFields[*].manager')" kubectl-client-side-apply
}

story() {
	world_start_nodes || give_up "the nodes did not become Ready"
	world_install || give_up "manifests/install.yaml could not be applied"
	world_start_operator
	users_objects | k apply -f - >/dev/null || give_up "the routes were not accepted"
	models 1 | kubectl apply -f - >/dev/null || give_up "the ModelDeployments were not accepted"
	missing_crds
	for name in grpc vs ing; do
		wait_until 40 "$name serves" serves $name 1
	done
	world_start_load 50
	models 2 | kubectl apply -f - >/dev/null
	audience_by_header
	other_port
	edited_by_hand
	audience_by_bucket
	route_at_the_end
	requests_lost_none
	mirrored
	others_at_20
	ports_at_the_end
	others_at_the_end
	[ "$failed" -eq 0 ] || {
		e2e_evidence
		k get httproute,grpcroute,ingress,virtualservice,traefikservice -o yaml | cut -c1-200
	}
}

story
finish
