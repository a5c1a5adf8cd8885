#!/usr/bin/env bash
# A Deployment behind a Service and an HTTPRoute of its user's is taken over under load, through the
# real gateway: the route moves when all pods of the ModelDeployment serve, the Deployment goes to 0
# after that, its manifest's own words (`tidegate import`) being what the pods are made of. Then it is scaled
# through the scale subresource, as an autoscaler does it, and in the end deleted: the route names the
# user's Service again, and the Deployment, scaled up, answers. No request is lost on the way there and back.
set -u
takeover_tree=$(cd "$(dirname "$0")/../.." && pwd -P)
[ "${1:-}" = inside ] ||
	exec bash "$takeover_tree/tests/bed/bed.sh" run --zones 3 --gateway -- bash "$0" inside

RATE=200
# shellcheck source=/dev/null
. "$BED_TREE/tests/e2e/lib/e2e.sh"

users_objects() {
	cat <<-EOT
		apiVersion: apps/v1
		kind: Deployment
		metadata: {name: ranker, namespace: shop}
		spec:
		  replicas: 6
		  selector: {matchLabels: {app: ranker}}
		  template:
		    metadata: {labels: {app: ranker}}
		    spec:
		      schedulerName: tidegate
		      terminationGracePeriodSeconds: 20
		      volumes:
		      - name: models
		        configMap:
		          name: ranker-models
		          items: [{key: weights-1, path: 1/weights.txt}]
		      containers:
		      - name: tfs
		        image: tensorflow/serving:2.20.0-gpu
		        command: [/usr/bin/tensorflow_model_server]
		        args: [--rest_api_port=8501, --model_name=ranker, --model_base_path=/models/ranker]
		        env:
		        - {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
		        - {name: LATENCY_MS, value: "2"}
		        ports: [{name: rest, containerPort: 8501}]
		        readinessProbe: {httpGet: {path: /v1/models/ranker/versions/1/metadata, port: 8501}, periodSeconds: 1}
		        lifecycle: {preStop: {sleep: {seconds: 5}}}
		        resources: {limits: {nvidia.com/gpu: "1"}}
		        volumeMounts: [{name: models, mountPath: /models/ranker}]
		---
		apiVersion: v1
		kind: Service
		metadata: {name: ranker, namespace: shop}
		spec:
		  selector: {app: ranker}
		  ports: [{name: http, port: 80, targetPort: rest}]
		---
		apiVersion: gateway.networking.k8s.io/v1
		kind: HTTPRoute
		metadata: {name: ranker, namespace: shop}
		spec:
		  parentRefs: [{name: bed, namespace: default}]
		  hostnames: [$WORLD_HOST]
		  rules:
		  - matches: [{path: {type: PathPrefix, value: /}}]
		    backendRefs: [{name: ranker, port: 80}]
	EOT
}

answered() {
	curl -sf -m 2 -H "Host: $WORLD_HOST" "$BED_GATEWAY_URL/v1/models/ranker"
}

backends() {
	kubectl get httproute ranker -n shop -o 'jsonpath={.spec.rules[*].backendRefs[*].name}'
}

condition() {
	mdep ".status.conditions[?(@.type==\"TakenOver\")].$1"
}

taken_over() {
	[ "$(condition status)" = True ]
}

# Members of spec that the import leaves to a person.
rest_of_spec() {
	cat <<-EOT
		  zones: [{name: hz-a}, {name: hz-b}, {name: hz-c}]
	EOT
}

setup() {
	world_start_nodes || give_up "no nodes"
	world_install || give_up "not installed"
	world_start_operator
	users_objects >"$BED_DIR/users.yaml"
	kubectl apply -f "$BED_DIR/users.yaml" >/dev/null || give_up "the user's objects were not accepted"
	wait_until 90 "the Deployment serves" kubectl wait deployment/ranker -n shop \
		--for=jsonpath='{.status.availableReplicas}'=6 --timeout=0 || give_up "the Deployment does not serve"
	wait_until 20 "an answer" answered || give_up "the gateway does not answer"
	world_start_load $RATE
	sleep 2
}

# Too few pods would carry what six carry now: the route stays.
refused_while_too_small() {
	"$WORLD_TIDEGATE" import -f "$BED_DIR/users.yaml" --http-route ranker --take-over --model-version 1 >"$BED_DIR/made.yaml" \
		2>"$BED_DIR/log/import.log" || give_up "not imported: $(cat "$BED_DIR/log/import.log")"
	{
		sed 's/^    scheduler: default-scheduler/    scheduler: tidegate/; s/^  replicas: 6/  replicas: 5/' "$BED_DIR/made.yaml"
		rest_of_spec
	} >"$BED_DIR/mdep.yaml"
	kubectl apply -f "$BED_DIR/mdep.yaml" >/dev/null || give_up "the ModelDeployment was not accepted"
	wait_until 30 "the refusal" eval '[ "$(condition reason)" = TooFewPods ]'
	equal "the route while it is refused" "$(backends)" ranker
}

taken_over_under_load() {
	kubectl scale mdep ranker -n shop --replicas=6 >/dev/null
	wait_until 90 "taken over" taken_over || give_up "not taken over: $(condition message)"
	equal "pods that the Deployment shall have" "$(kubectl get deployment ranker -n shop -o 'jsonpath={.spec.replicas}')" 0
	equal "cells that the route names" "$(backends | tr ' ' '\n' | grep -c '^ranker-')" 3
	wait_until 20 "Ready" mdep_ready
	sleep 2
	equal "requests lost in the take-over" "$(world_lost)" 0
}

# What an autoscaler does: it reads and writes the scale subresource.
scaled() {
	kubectl scale mdep ranker -n shop --replicas=9 >/dev/null
	wait_until 40 "nine pods" kubectl wait mdep/ranker -n shop --timeout=0 --for=jsonpath='{.status.readyReplicas}'=9
	equal "pods that the scale subresource tells" \
		"$(kubectl get --raw /apis/serving.tidegate.io/v1alpha1/namespaces/shop/modeldeployments/ranker/scale |
			sed 's/.*"status":{"replicas":\([0-9]*\).*/\1/')" 9
	kubectl scale mdep ranker -n shop --replicas=6 >/dev/null
	wait_until 60 "six pods" kubectl wait mdep/ranker -n shop --timeout=0 --for=jsonpath='{.status.replicas}'=6
	lost_none "requests lost while it was scaled"
}

# The way back of docs/import.md: what the gateway still leads to stays until the route has moved.
given_back() {
	kubectl scale deployment ranker -n shop --replicas=6 >/dev/null
	wait_until 60 "the Deployment serves again" kubectl wait deployment/ranker -n shop \
		--for=jsonpath='{.status.availableReplicas}'=6 --timeout=0
	wait_until 10 "it is told" eval '[ "$(condition reason)" = DeploymentScaledUp ]'
	kubectl delete mdep ranker -n shop --cascade=orphan >/dev/null
	wait_until 20 "the route names the Service again" eval '[ "$(backends)" = ranker ]'
	sleep 10
	equal "pods of the ModelDeployment that stay meanwhile" \
		"$(kubectl get pods -n shop -l serving.tidegate.io/name=ranker --no-headers | grep -vc Terminating)" 6
	kubectl delete replicaset,service,poddisruptionbudget -n shop -l serving.tidegate.io/name=ranker >/dev/null
	wait_until 30 "only the Deployment's pods" eval '[ "$(kubectl get pods -n shop --no-headers | wc -l)" -eq 6 ]'
	equal "what else it leaves" "$(kubectl get replicaset,service,poddisruptionbudget -n shop --no-headers \
		-l app.kubernetes.io/managed-by=tidegate 2>/dev/null)" ""
	sleep 2
	requests_lost_none
}

setup
refused_while_too_small
taken_over_under_load
scaled
given_back
finish
