# mesh: istiod and one Envoy, its ingress gateway, in the backbone: the data plane of Istio's
# VirtualServices and DestinationRules and, by the Gateway default/bed, of Gateway API. It stands
# where Traefik would (BED_GATEWAY_URL), so what is written for the one runs on the other.
#
# The Envoy is the project's own, without Istio's extensions; MESH_SETTINGS keeps istiod from
# sending it any. It asks istiod by plain text: both are in the same network namespace.

MESH_XDS_PORT=15010
MESH_ADMIN_PORT=15000
# What Service and both Gateways find the gateway by.
MESH_LABEL=bed-mesh

MESH_SETTINGS=(
	PILOT_ENABLE_ALPN_FILTER=false PILOT_ENABLE_METADATA_EXCHANGE=false
	XDS_AUTH=false ENABLE_CA_SERVER=false PILOT_CERT_PROVIDER=none
	INJECTION_WEBHOOK_CONFIG_NAME= VALIDATION_WEBHOOK_CONFIG_NAME=
	ENABLE_LEADER_ELECTION=false PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER=false
	POD_NAMESPACE=istio-system POD_NAME=istiod
)

mesh_start() {
	export BED_GATEWAY_URL=http://$BED_BACKBONE:$BED_GATEWAY_PORT
	say "starting the mesh"
	kubectl create --validate=false -f "$BED_DIR/bin/gateway-api/" -f "$BED_DIR/bin/istio-api/" >"$BED_DIR/log/mesh-crds.log"
	program_wait kube-apiserver 60 "Gateway API was served" gateway_api_served
	program_wait kube-apiserver 60 "Istio's kinds were served" mesh_kinds_served
	mesh_objects | kubectl create --validate=false -f - >>"$BED_DIR/log/mesh-crds.log"
	mesh_start_istiod
	program_wait istiod 60 "istiod was ready" curl -sf "http://127.0.0.1:15080/ready"
	mesh_bootstrap >"$BED_DIR/envoy.json"
	# Hot restart needs names in shared memory that all beds of a machine would share.
	program_start envoy envoy --config-path "$BED_DIR/envoy.json" --disable-hot-restart --concurrency 2 --log-level warning
	program_wait "istiod envoy" 60 "the gateway listened" mesh_listens
}

mesh_kinds_served() {
	controlplane_get /apis/networking.istio.io/v1/virtualservices && controlplane_get /apis/networking.istio.io/v1/destinationrules
}

# Changes are sent at once (its default waits for 100 ms without any). With mutual TLS, which only
# sidecars speak, Envoy would wait for certificates of an agent.
mesh_start_istiod() {
	echo 'enableAutoMtls: false' >"$BED_DIR/mesh.yaml"
	program_start istiod env "${MESH_SETTINGS[@]}" PILOT_DEBOUNCE_AFTER=10ms istiod discovery \
		--kubeconfig "$BED_DIR/loopback.kubeconfig" --meshConfig "$BED_DIR/mesh.yaml" --namespace istio-system \
		--httpAddr 127.0.0.1:15080 --httpsAddr '' --grpcAddr "127.0.0.1:$MESH_XDS_PORT" --secureGRPCAddr '' \
		--monitoringAddr 127.0.0.1:15014 --ctrlz_port 0 --kubernetesApiQPS 1000 --kubernetesApiBurst 2000
}

mesh_listens() {
	curl -sf "http://127.0.0.1:$MESH_ADMIN_PORT/listeners" | grep -q ":$BED_GATEWAY_PORT\$"
}

mesh_bootstrap() {
	cat <<-EOT
		{
		  "node": {
		    "id": "router~$BED_BACKBONE~$MESH_LABEL.default~default.svc.cluster.local",
		    "cluster": "$MESH_LABEL.default",
		    "metadata": {
		      "CLUSTER_ID": "Kubernetes", "ISTIO_VERSION": "1.31.0", "NAMESPACE": "default", "WORKLOAD_NAME": "$MESH_LABEL",
		      "INSTANCE_IPS": "$BED_BACKBONE", "LABELS": {"app": "$MESH_LABEL"}
		    }
		  },
		  "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": $MESH_ADMIN_PORT}}},
		  "dynamic_resources": {
		    "lds_config": {"ads": {}, "resource_api_version": "V3"},
		    "cds_config": {"ads": {}, "resource_api_version": "V3"},
		    "ads_config": {
		      "api_type": "DELTA_GRPC", "transport_api_version": "V3",
		      "grpc_services": [{"envoy_grpc": {"cluster_name": "xds"}}]
		    }
		  },
		  "static_resources": {
		    "clusters": [{
		      "name": "xds", "type": "STATIC", "connect_timeout": "1s",
		      "typed_extension_protocol_options": {
		        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
		          "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
		          "explicit_http_config": {"http2_protocol_options": {}}
		        }
		      },
		      "load_assignment": {"cluster_name": "xds", "endpoints": [{"lb_endpoints": [{"endpoint": {
		        "address": {"socket_address": {"address": "127.0.0.1", "port_value": $MESH_XDS_PORT}}}}]}]}
		    }]
		  }
		}
	EOT
}

# The Gateway of Gateway API names the Service by its address, so istiod makes none of its own.
mesh_objects() {
	cat <<-EOT
		apiVersion: v1
		kind: Namespace
		metadata: {name: istio-system}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: $MESH_LABEL, namespace: default}
		spec:
		  selector: {app: $MESH_LABEL}
		  ports: [{name: http, port: $BED_GATEWAY_PORT, targetPort: $BED_GATEWAY_PORT}]
		---
		apiVersion: gateway.networking.k8s.io/v1
		kind: GatewayClass
		metadata: {name: istio}
		spec: {controllerName: istio.io/gateway-controller}
		---
		apiVersion: gateway.networking.k8s.io/v1
		kind: Gateway
		metadata: {name: bed, namespace: default}
		spec:
		  gatewayClassName: istio
		  addresses: [{type: Hostname, value: $MESH_LABEL.default.svc.cluster.local}]
		  listeners:
		  - name: web
		    protocol: HTTP
		    port: $BED_GATEWAY_PORT
		    allowedRoutes: {namespaces: {from: All}}
		---
		apiVersion: networking.istio.io/v1
		kind: Gateway
		metadata: {name: mesh, namespace: default}
		spec:
		  selector: {app: $MESH_LABEL}
		  servers: [{port: {number: $BED_GATEWAY_PORT, name: http, protocol: HTTP}, hosts: ["*"]}]
	EOT
}
