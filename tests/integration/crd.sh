#!/bin/sh
# The API as a user meets it: the CRD on a real API server, and what manifests/ grants.
#
#     KUBECONFIG=... [KUBECTL=kubectl] sh tests/integration/crd.sh
#     tests/bed/bed.sh run -- sh tests/integration/crd.sh
#
# Makes and deletes a namespace of its own; the CRD stays.
set -u
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
: "${KUBECTL:=kubectl}"
tidegate=$root/build/tidegate
ns=crd-test-$$
passed=0 failed=0 skipped=0
out=$(mktemp) || exit 1

k() {
	"$KUBECTL" --request-timeout=20s "$@"
}

cleanup() {
	k delete namespace "$ns" --ignore-not-found --wait=false >/dev/null 2>&1
	k delete zshift "$ns" --ignore-not-found --wait=false >/dev/null 2>&1
	rm -f "$out"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

pass() {
	passed=$((passed + 1))
	echo "ok   $1"
}

fail() {
	failed=$((failed + 1))
	echo "FAIL $1"
	sed 's/^/     | /' "$out"
}

# check NAME PATTERN COMMAND...: the command succeeds and its output matches.
check() {
	name=$1 pattern=$2
	shift 2
	if "$@" >"$out" 2>&1 && grep -Eq -- "$pattern" "$out"; then
		pass "$name"
	else
		echo "(wanted: $pattern)" >>"$out"
		fail "$name"
	fi
}

# A ModelDeployment around a spec that is given as flow YAML, one member a line.
manifest() {
	printf 'apiVersion: serving.tidegate.io/v1alpha1\nkind: ModelDeployment\nmetadata: {name: %s, namespace: %s}\nspec:\n' \
		"${NAME:-case}" "$ns"
	case $1 in *model:*) ;; *) echo '  model: {name: m, version: "1"}' ;; esac
	case $1 in *runtime:*) ;; *) echo '  runtime: {preset: tensorflow-serving}' ;; esac
	printf '%s\n' "$1" | sed 's/^/  /'
}

zoneshift() {
	printf 'apiVersion: serving.tidegate.io/v1alpha1\nkind: ZoneShift\nmetadata: {name: %s}\nspec: {%s}\n' "$ns" "$1"
}

# What a spec is made an object of.
make=manifest

# refused NAME PATTERN SPEC: the API server says no, in these words, and so does `tidegate validate`.
refused() {
	if "$make" "$3" | k create --dry-run=server -f - >"$out" 2>&1; then
		fail "$1 (was accepted)"
	elif ! grep -Eq -- "$2" "$out"; then
		echo "(wanted: $2)" >>"$out"
		fail "$1"
	elif "$make" "$3" | "$tidegate" validate -f - >"$out" 2>&1; then
		fail "$1 (tidegate validate accepts it)"
	else
		pass "$1"
	fi
}

accepted() {
	if "$make" "$2" | k create --dry-run=server -f - >"$out" 2>&1; then
		pass "$1"
	else
		fail "$1"
	fi
}

# value NAME WANT OBJECT JSONPATH
value() {
	got=$(k -n "$ns" get "$3" -o "jsonpath=$4" 2>"$out")
	if [ "$got" = "$2" ]; then
		pass "$1"
	else
		echo "got \"$got\", wanted \"$2\"" >>"$out"
		fail "$1"
	fi
}

# --- installation ----------------------------------------------------------------------------
check "plain apply" "configured|created|unchanged" k apply -f "$root/crds/"
check "apply again changes nothing" "unchanged" k apply -f "$root/crds/"
check "established" "condition met" k wait --for=condition=Established --timeout=20s \
	crd/modeldeployments.serving.tidegate.io
size=$(wc -c <"$root/crds/serving.tidegate.io_modeldeployments.yaml")
[ "$size" -lt 200000 ] && pass "CRD file has $size bytes" || fail "CRD file has $size bytes"
check "no problem with the schema" '^NamesAccepted Established$' k get crd modeldeployments.serving.tidegate.io \
	-o 'jsonpath={.status.conditions[*].type}'
k create namespace "$ns" >/dev/null || exit 1
# Discovery follows the CRD by a moment.
for _ in 1 2 3 4 5 6 7 8 9 10; do
	k get mdep -n "$ns" >/dev/null 2>&1 && break
	sleep 0.5
done

# --- the whole of it -------------------------------------------------------------------------
full='replicas: 6
model: {name: ranker, version: "20261111-1", uri: "s3://models/ranker/20261111-1/", digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", verify: {publicKey: {secretRef: {name: model-signing, key: pub.pem}}}}
runtime: {preset: tensorflow-serving, image: "registry/x:1", port: 8501, metricsPath: /metrics, args: [--a], env: [{name: A, value: b}, {name: C, valueFrom: {fieldRef: {fieldPath: metadata.name}}}], probes: {startup: {httpGet: {path: /, port: 1}}}, golden: {instances: [1.5]}, warmupRequests: 20}
template: {metadata: {labels: {a: b}}, spec: {terminationGracePeriodSeconds: 5}}
gpu: {count: 1, products: [NVIDIA-A10], minMemory: 20Gi, resource: nvidia.com/gpu}
placement: {policy: Pack, scheduler: tidegate, maxPerNode: 2}
zones: [{name: hz-a, weight: 1}, {name: hz-b, weight: 1}, {name: hz-c, role: Standby}]
strategy: {maxSurge: 25%, maxUnavailable: 0, progressDeadline: 30m, drain: 10s, steps: [{audience: {headers: [{name: x-gray, exact: "1"}]}}, {weight: 5, hold: 10m}, {weight: 25, hold: 30m}, {weight: 50, approval: Required}, {weight: 100}]}
canary: {policyRef: {name: ranking}, minScore: 80, onNoData: Hold, interval: 1500ms}
slo: {objectives: [{name: availability, target: "99.95"}, {name: latency, thresholdMs: 80, target: "99"}], onBreach: Rollback, bake: 1h}
failover: {mode: Automatic, minCapacity: 70%, failback: Gradual}
traffic: {httpRoute: {name: ranker, parentRefs: [{name: gw, namespace: infra, sectionName: http, port: 80}], hostnames: [a.example]}}'
accepted "design example with every field" "$full"
NAME=ranker
manifest "$full" | k apply -f - >"$out" 2>&1 || fail "create the design example"
NAME=small
manifest '' | k apply -f - >"$out" 2>&1 || fail "create the smallest object"
unset NAME
accepted "smallest object" ''
accepted "an Istio VirtualService" 'traffic: {istio: {virtualService: vs, httpRoute: main}}'
accepted "a VirtualService of ours" 'traffic: {istio: {virtualService: vs, hosts: [a.b], gateways: [infra/gw]}}'
accepted "an Ingress for ALB" 'traffic: {ingress: {name: web, dialect: alb}}'
accepted "a TraefikService" 'traffic: {traefik: {name: web}}'
accepted "every kind of audience, and a mirror" 'strategy: {steps: [{mirror: {}}, {audience: {headers: [{name: x, regex: "7|8"}], cookie: {name: u, value: a}}}, {audience: {bucket: {header: x-b, percent: 5}, lane: blue}}]}
traffic: {laneHeader: x-mse-tag, grpcRoute: {name: r, parentRefs: [{name: gw}]}}'
accepted "an audience on a route of the user's" 'strategy: {steps: [{audience: {headers: [{name: x, exact: "1"}]}}]}
traffic: {httpRoute: {name: r}}'
accepted "image from the template" 'runtime: {preset: custom, port: 8080}
template: {spec: {containers: [{name: model, image: "x:1"}]}}'

# --- defaults --------------------------------------------------------------------------------
value "default replicas" 1 mdep/small '{.spec.replicas}'
value "default strategy" "1 0 30m 10s" mdep/small \
	'{.spec.strategy.maxSurge} {.spec.strategy.maxUnavailable} {.spec.strategy.progressDeadline} {.spec.strategy.drain}'
value "default placement" "Pack tidegate" mdep/small '{.spec.placement.policy} {.spec.placement.scheduler}'
value "default zone role and weight" "Active 1" mdep/ranker '{.spec.zones[0].role} {.spec.zones[0].weight}'
value "default port" 80 mdep/small '{.spec.traffic.servicePort}'
value "nothing is Ready before it was looked at" \
	"Ready Unknown Pending Waiting for controller 1970-01-01T00:00:00Z" mdep/small \
	'{.status.conditions[0].type} {.status.conditions[0].status} {.status.conditions[0].reason} {.status.conditions[0].message} {.status.conditions[0].lastTransitionTime}'
value "a template keeps every field" "5" mdep/ranker '{.spec.template.spec.terminationGracePeriodSeconds}'

# --- without the controller -----------------------------------------------------------------
# rendered NAME SPEC: the API server takes every object that the ModelDeployment stands for.
rendered() {
	manifest "$2" | "$tidegate" render -f - >"$out.yaml" 2>"$out" &&
		k create --dry-run=server -f "$out.yaml" >"$out" 2>&1
	if [ "$?" = 0 ] && [ "$(wc -l <"$out")" = "$(grep -c '^---' "$out.yaml")" ]; then
		pass "$1"
	else
		cat "$out.yaml" >>"$out"
		fail "$1"
	fi
	rm -f "$out.yaml"
}
rendered "the smallest object, rendered" ''
rendered "every preset's pods, rendered" 'runtime: {preset: vllm}
gpu: {count: 2, products: [NVIDIA-A10], minMemory: 20Gi}
placement: {maxPerNode: 2}'
if k get crd httproutes.gateway.networking.k8s.io >"$out" 2>&1; then
	rendered "zones and a route, rendered" 'replicas: 6
zones: [{name: hz-a}, {name: hz-b, weight: 2}, {name: hz-c, role: Standby}]
traffic: {httpRoute: {name: ranker, parentRefs: [{name: gw}], hostnames: [a.example]}}'
fi

# --- refusals --------------------------------------------------------------------------------
refused "no model" 'spec.model: Required' 'model: null'
refused "no version" 'spec.model.version: Required' 'model: {name: m}'
refused "version with a slash" 'spec.model.version.*should match' 'model: {name: m, version: "a/b"}'
refused "no runtime" 'spec.runtime: Required' 'runtime: null'
refused "unknown field" 'unknown field "spec.replica"' 'replica: 2'
refused "unknown preset" 'spec.runtime.preset: Unsupported value' 'runtime: {preset: tfs}'
refused "custom without image" 'runtime.image is required' 'runtime: {preset: custom, port: 1}'
refused "v2 without port" 'runtime.port is required' 'runtime: {preset: v2, image: x}'
refused "negative replicas" 'greater than or equal to 0' 'replicas: -1'
refused "too many replicas" 'less than or equal to 10000' 'replicas: 10001'
refused "replicas as text" 'must be of type integer' 'replicas: "1"'
refused "steps that fall" 'weights must increase' 'strategy: {steps: [{weight: 50}, {weight: 25}]}'
refused "steps that stay" 'weights must increase' 'strategy: {steps: [{weight: 50}, {hold: 1m}, {weight: 50}]}'
refused "weight above 100" 'less than or equal to 100' 'strategy: {steps: [{weight: 101}]}'
refused "fraction of a percent" 'must be of type integer|Invalid value: "number"' 'strategy: {steps: [{weight: 0.5}]}'
refused "empty step" 'steps\[0\].*(anyOf|weight: Required)' 'strategy: {steps: [{}]}'
refused "hold without unit" 'steps\[0\].hold.*should match' 'strategy: {steps: [{weight: 1, hold: "10"}]}'
refused "approval of another kind" 'approval: Unsupported value' 'strategy: {steps: [{approval: Maybe}]}'
steps=$(i=0; while [ $i -lt 33 ]; do printf '{weight: %s}, ' $i; i=$((i + 1)); done)
refused "33 steps" 'must have at most 32 items' "strategy: {steps: [$steps]}"
steps=$(i=0; while [ $i -lt 32 ]; do printf '{weight: %s}, ' $i; i=$((i + 1)); done)
refused "32 steps that do not end at 100" 'with 32 steps the last weight must be 100' "strategy: {steps: [$steps]}"
accepted "numbers of the PodDisruptionBudget" 'disruptionBudget: {minAvailable: 80%}'
refused "two numbers of the PodDisruptionBudget" 'minAvailable and maxUnavailable exclude each other' \
	'disruptionBudget: {minAvailable: 1, maxUnavailable: 1}'
accepted "a Deployment is taken over" 'takeOver: {deployment: {name: old}}
traffic: {httpRoute: {name: r}}'
refused "a take-over without a route" 'takeOver needs a route of yours|spec.takeOver' 'takeOver: {deployment: {name: old}}'
refused "a take-over with a route of Tidegate's" 'takeOver needs a route of yours' 'takeOver: {deployment: {name: old}}
traffic: {httpRoute: {name: r, parentRefs: [{name: gw}]}}'
refused "audience without a driver" 'needs traffic.httpRoute, grpcRoute, istio or ingress' \
	'strategy: {steps: [{audience: {lane: blue}}]}'
refused "mirror with an Ingress" 'needs traffic.httpRoute, grpcRoute, istio or traefik' 'strategy: {steps: [{mirror: {}}]}
traffic: {ingress: {name: web}}'
refused "audience of nobody" 'audience.*at least 1 properties' 'strategy: {steps: [{audience: {}}]}
traffic: {httpRoute: {name: r}}'
refused "header of two kinds" 'headers\[0\].*oneOf' 'strategy: {steps: [{audience: {headers: [{name: x, exact: "1", regex: "1"}]}}]}
traffic: {httpRoute: {name: r}}'
refused "bucket of everybody" 'less than or equal to 99' 'strategy: {steps: [{audience: {bucket: {header: x, percent: 100}}}]}
traffic: {httpRoute: {name: r}}'
refused "audience without headers" 'headers.*(at least 1|Required)' 'strategy: {steps: [{audience: {headers: []}}]}'
refused "surge as a word" 'percentage from 0% to 100%' 'strategy: {maxSurge: many}'
refused "surge above 100 %" 'percentage from 0% to 100%' 'strategy: {maxSurge: 101%}'
refused "negative surge" 'whole number from 0' 'strategy: {maxSurge: -1}'
refused "negative unavailable" 'whole number from 0' 'strategy: {maxUnavailable: -1}'
refused "deadline in words" 'progressDeadline.*should match' 'strategy: {progressDeadline: soon}'
refused "zone twice" 'zones\[1\]: Duplicate value' 'zones: [{name: a}, {name: a}]'
refused "zone weight 0" 'greater than or equal to 1' 'zones: [{name: a, weight: 0}]'
refused "zone with capitals" 'zones\[0\].name.*should match' 'zones: [{name: A}]'
refused "only standby zones" 'at least one zone must have the role Active' 'zones: [{name: a, role: Standby}]'
refused "nine zones" 'must have at most 8 items' \
	'zones: [{name: a}, {name: b}, {name: c}, {name: d}, {name: e}, {name: f}, {name: g}, {name: h}, {name: i}]'
refused "65 cards" 'less than or equal to 64' 'gpu: {count: 65}'
refused "card memory as a word" 'minMemory.*should match' 'gpu: {minMemory: much}'
refused "resource without domain" 'gpu.resource.*should match' 'gpu: {resource: gpu}'
refused "score above 100" 'less than or equal to 100' 'canary: {minScore: 101}'
refused "interval below 1s" 'must be at least 1s' 'canary: {interval: 500ms}'
refused "latency objective without threshold" 'objective latency needs thresholdMs' 'slo: {objectives: [{name: latency, target: "99"}]}'
refused "objective above 100" 'target.*should match' 'slo: {objectives: [{name: availability, target: "100.5"}]}'
refused "two traffic drivers" 'at most one of httpRoute, grpcRoute, istio, ingress and traefik' \
	'traffic: {httpRoute: {name: r}, istio: {virtualService: v}}'
refused "hostnames on a route that is not ours" 'hostnames need parentRefs' 'traffic: {httpRoute: {name: r, hostnames: [a.b]}}'
refused "gateways on a VirtualService that is not ours" 'gateways need hosts' 'traffic: {istio: {virtualService: v, gateways: [g]}}'
refused "Ingress of an unknown controller" 'dialect: Unsupported value' 'traffic: {ingress: {name: web, dialect: f5}}'
refused "digest of another kind" 'digest.*should match' 'model: {name: m, version: "1", digest: "md5:0"}'
NAME=1st
refused "name that no Service can have" 'metadata.name.*should match' ''
NAME=a.b
refused "name with a dot" 'metadata.name.*should match' ''
NAME=n12345678901234567890123456789012345678901234567890123456789012345
refused "name of 66 characters" 'metadata.name: Too long' ''
unset NAME

# --- ZoneShift -------------------------------------------------------------------------------
make=zoneshift
accepted "ZoneShift by duration" 'zone: hz-a, duration: 1h30m, reason: rack, selector: {namespaces: [a], matchLabels: {b: c}}'
accepted "ZoneShift by time" "zone: hz-a, expiresAt: $(date -u -d '+1 hour' +%Y-%m-%dT%H:%M:%SZ)"
refused "ZoneShift without an end" 'one of expiresAt and duration' 'zone: hz-a'
refused "ZoneShift with two ends" 'one of expiresAt and duration' 'zone: hz-a, duration: 1h, expiresAt: "2026-01-01T00:00:00Z"'
refused "ZoneShift of a second" 'must be from 10s to 168h' 'zone: hz-a, duration: 1s'
refused "ZoneShift of eight days" 'must be from 10s to 168h' 'zone: hz-a, duration: 192h'
refused "ZoneShift without a zone" 'spec.zone: Required' 'duration: 1h'
refused "ZoneShift with a selector that nobody knows" 'unknown field "spec.selector.matchExpressions"|matchExpressions' \
	'zone: hz-a, duration: 1h, selector: {matchExpressions: []}'
make=manifest
zoneshift 'zone: hz-a, duration: 1h' | k create -f - >"$out" 2>&1 || fail "make a ZoneShift"
check "columns of a ZoneShift" 'NAME +ZONE +PHASE +MATCHED +EVACUATED +REFUSED +UNTIL +AGE' k get zshift "$ns"
check "nothing reads as done before it was looked at" '^Pending Unknown$' k get zshift "$ns" \
	-o 'jsonpath={.status.phase} {.status.conditions[0].status}'
answer=$(k patch zshift "$ns" --type=merge -p '{"spec":{"zone":"hz-b"}}' 2>&1)
check "its zone stays" 'the zone cannot be changed' echo "$answer"
k delete zshift "$ns" >/dev/null 2>&1

# --- how it reads ----------------------------------------------------------------------------
check "explain the kind" 'A model that is served' k explain mdep
check "explain steps" 'A last step of|implied' k explain mdep.spec.strategy.steps
check "explain a weight" 'Percent of the traffic' k explain mdep.spec.strategy.steps.weight
check "explain the status" 'Generation of the spec' k explain mdep.status
check "in category tidegate" 'small' k -n "$ns" get tidegate
check "columns" 'NAME +READY +PHASE +STEP +WEIGHT +SCORE +PODS +AGE' k -n "$ns" get mdep
check "wide columns" 'AGE +VERSION +STABLE +TARGET +MESSAGE' k -n "$ns" get mdep -o wide

# --- status and scale ------------------------------------------------------------------------
k -n "$ns" patch mdep small --subresource=status --type=merge -p '{"status":{"observedGeneration":1,
	"selector":"serving.tidegate.io/name=small,serving.tidegate.io/revision=r1","stableReplicas":5,"replicas":6,
	"summary":{"phase":"AwaitingApproval","step":"3/5","weight":"5%->25%","pods":"10/12"},"score":{"score":97},
	"conditions":[{"type":"Ready","status":"Unknown","reason":"X","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}' \
	>"$out" 2>&1 || fail "write status"
k -n "$ns" get mdep small >"$out" 2>&1
width=$(awk '{ if (length($0) > n) n = length($0) } END { print n }' "$out")
[ "$width" -le 80 ] && pass "a busy line has $width columns" || fail "a busy line has $width columns"
check "scale" 'scaled' k -n "$ns" scale mdep/small --replicas=3
value "scale reached the spec" 3 mdep/small '{.spec.replicas}'
check "scale speaks of stable pods" \
	'"replicas":5,"selector":"serving.tidegate.io/name=small,serving.tidegate.io/revision=r1"' \
	k get --raw "/apis/serving.tidegate.io/v1alpha1/namespaces/$ns/modeldeployments/small/scale"
value "writing the spec left the status" 97 mdep/small '{.status.score.score}'
if k -n "$ns" wait mdep/small --for=condition=Ready --timeout=1s >"$out" 2>&1; then
	fail "wait takes Unknown for Ready"
else
	pass "wait does not take Unknown for Ready"
fi

# --- what is installed -----------------------------------------------------------------------
if [ -f "$root/manifests/install.yaml" ]; then
	check "manifests are what the sources make" '^same$' \
		sh -c 'sh "$0" --check && echo same' "$root/manifests/generate.sh"
	check "install.yaml, server-side dry run" 'deployment.apps/tidegate-controller' \
		sh -c '"$0" create namespace tidegate-system >/dev/null 2>&1; "$0" apply --server-side --dry-run=server --force-conflicts -f "$1"' \
		"$KUBECTL" "$root/manifests/install.yaml"
	k apply --server-side --force-conflicts -f "$root/manifests/install.yaml" >"$out" 2>&1 || fail "install"
	account=system:serviceaccount:tidegate-system:tidegate-controller
	may() {
		check "may $*" '^yes' k auth can-i --as="$account" "$@"
	}
	may_not() {
		if k auth can-i --as="$account" "$@" >"$out" 2>&1; then
			fail "may $*, and must not"
		else
			pass "may not $*"
		fi
	}
	routes=httproutes.gateway.networking.k8s.io
	if ! k get crd "$routes" >/dev/null 2>&1; then
		skipped=$((skipped + 1))
		echo "skip rights on HTTPRoutes: the CRDs of Gateway API are not installed"
		routes=
	fi
	for verb in get list watch; do
		for resource in modeldeployments.serving.tidegate.io pods nodes services replicasets.apps \
			endpointslices.discovery.k8s.io poddisruptionbudgets.policy $routes; do
			may "$verb" "$resource" -A
		done
	done
	[ -n "$routes" ] && may create "$routes" -n "$ns" && may patch "$routes" -n "$ns" &&
		may_not delete "$routes" -n "$ns"
	may list ingresses.networking.k8s.io -A
	may delete ingresses.networking.k8s.io -n "$ns"
	may patch modeldeployments.serving.tidegate.io --subresource=status -n "$ns"
	may patch deployments.apps --subresource=scale -n "$ns"
	may_not patch deployments.apps -n "$ns"
	may create pods --subresource=binding -n "$ns"
	may patch pods --subresource=status -n "$ns"
	may patch pods -n "$ns"
	may create replicasets.apps -n "$ns"
	may update replicasets.apps -n "$ns"
	may delete services -n "$ns"
	may create events.events.k8s.io -n "$ns"
	may update leases.coordination.k8s.io -n tidegate-system
	may watch leases.coordination.k8s.io -n tidegate-system
	may delete leases.coordination.k8s.io -n tidegate-system
	may_not update leases.coordination.k8s.io -n "$ns"
	may watch zoneshifts.serving.tidegate.io -A
	may patch zoneshifts.serving.tidegate.io --subresource=status -A
	may_not create zoneshifts.serving.tidegate.io -A
	may_not get secrets -n "$ns"
	may_not create pods -n "$ns"
	may_not delete pods -n "$ns"
	may_not patch modeldeployments.serving.tidegate.io -n "$ns"
	may_not patch nodes -A
	may_not '*' '*' -A
else
	skipped=$((skipped + 1))
	echo "skip manifests/install.yaml is not there"
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
