# stock: six pods of the same model server as a Deployment, spread over the zones, behind a Service and
# the same gateway. All timings are the defaults. Sourced inside a bed.

STOCK_HOST=stock.shop.example

# stock_apply LOAD_MS
stock_apply() {
	kubectl apply -f - >/dev/null <<-EOT
		apiVersion: apps/v1
		kind: Deployment
		metadata: {name: stock, namespace: shop}
		spec:
		  replicas: 6
		  selector: {matchLabels: {app: stock}}
		  template:
		    metadata: {labels: {app: stock}}
		    spec:
		      terminationGracePeriodSeconds: 20
		      topologySpreadConstraints:
		      - maxSkew: 1
		        topologyKey: topology.kubernetes.io/zone
		        whenUnsatisfiable: ScheduleAnyway
		        labelSelector: {matchLabels: {app: stock}}
		      volumes:
		      - name: models
		        configMap: {name: ranker-models, items: [{key: weights-1, path: 1/weights.txt}]}
		      containers:
		      - name: model
		        image: tensorflow/serving:2.20.0-gpu
		        command: [/usr/bin/tensorflow_model_server]
		        args: [--rest_api_port=8501, --model_name=ranker, --model_base_path=/models/ranker]
		        env: [$(world_env LATENCY_MS 2 LOAD_MS "$1"), {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]
		        ports: [{name: http, containerPort: 8501}]
		        readinessProbe:
		          httpGet: {path: /v1/models/ranker/versions/1/metadata, port: 8501}
		          periodSeconds: 1
		        resources: {limits: {nvidia.com/gpu: 1}}
		        volumeMounts: [{name: models, mountPath: /models/ranker}]
		---
		apiVersion: v1
		kind: Service
		metadata: {name: stock, namespace: shop}
		spec:
		  selector: {app: stock}
		  ports: [{name: http, port: 8501}]
		---
		apiVersion: gateway.networking.k8s.io/v1
		kind: HTTPRoute
		metadata: {name: stock, namespace: shop}
		spec:
		  parentRefs: [{name: bed, namespace: default}]
		  hostnames: [$STOCK_HOST]
		  rules: [{backendRefs: [{name: stock, port: 8501}]}]
	EOT
}

stock_delete() {
	kubectl delete deployment,service,httproute stock -n shop >/dev/null
}

# stock_settled: six pods, all Ready, and no other.
stock_settled() {
	world_pods 6 && [ "$(kubectl get deployment stock -n shop -o 'jsonpath={.status.readyReplicas}')" = 6 ]
}

# stock_replaced ZONE N: so many pods are Ready in other zones. A bash loop of a minute or ten asks seldom.
stock_replaced() {
	sleep 1
	[ "$(kubectl get pods -n shop -l app=stock \
		-o 'jsonpath={range .items[*]}{.spec.nodeName} {.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}' |
		grep -v "^$1-" | grep -c ' True$')" -ge "$2" ]
}
