# gateway: Gateway API and Traefik, which serves it, in the backbone; the Gateway
# default/bed takes routes of every namespace. With --traefik-kinds it reads IngressRoutes and
# TraefikServices, too.

BED_GATEWAY_PORT=8000

gateway_start() {
	export BED_GATEWAY_URL=http://$BED_BACKBONE:$BED_GATEWAY_PORT
	say "starting the gateway"
	# Validation would first load the whole OpenAPI document, a second of CPU time.
	kubectl create --validate=false -f "$BED_DIR/bin/gateway-api/" >"$BED_DIR/log/gateway-api.log"
	program_wait kube-apiserver 60 "Gateway API was served" gateway_api_served
	[ -z "$BED_TRAEFIK_KINDS" ] || gateway_install_kinds
	gateway_start_traefik
	gateway_objects | kubectl create --validate=false -f - >>"$BED_DIR/log/gateway-api.log"
	program_wait traefik 60 "the Gateway was programmed" gateway_programmed
}

gateway_install_kinds() {
	kubectl create --validate=false -f "$BED_DIR/bin/traefik-crds/" >"$BED_DIR/log/traefik-crds.log"
	program_wait kube-apiserver 60 "Traefik's kinds were served" gateway_kinds_served
}

# Traefik waits for all of them.
gateway_kinds_served() {
	local crd name
	for crd in "$BED_DIR/bin/traefik-crds"/*.yaml; do
		name=${crd##*/traefik.io_}
		controlplane_get "/apis/traefik.io/v1alpha1/${name%.yaml}" || return 1
	done
}

gateway_api_served() {
	local kind
	for kind in gatewayclasses gateways httproutes grpcroutes backendtlspolicies; do
		controlplane_get "/apis/gateway.networking.k8s.io/v1/$kind" || return 1
	done
	controlplane_get /apis/gateway.networking.k8s.io/v1beta1/referencegrants
}

# Its default of two seconds between two configurations would hide how fast a
# weight reaches the pods.
#
# allowEmptyServices is what docs/traffic.md asks for, and what Traefik's own chart sets.
gateway_start_traefik() {
	local kinds=()
	[ -z "$BED_TRAEFIK_KINDS" ] || kinds=(--providers.kubernetescrd=true --providers.kubernetescrd.throttleduration=0s
		--providers.kubernetescrd.allowemptyservices=true)
	program_start traefik env KUBECONFIG="$BED_DIR/loopback.kubeconfig" traefik --global.checknewversion=false --global.sendanonymoususage=false \
		--entrypoints.web.address="$BED_BACKBONE:$BED_GATEWAY_PORT" --entrypoints.web.transport.respondingtimeouts.readtimeout=0 \
		--providers.kubernetesgateway=true --providers.kubernetesgateway.throttleduration=0s \
		--providers.providersthrottleduration=0s \
		--serverstransport.maxidleconnsperhost=256 --log.level=INFO "${kinds[@]}"
}

gateway_objects() {
	cat <<-EOT
		apiVersion: gateway.networking.k8s.io/v1
		kind: GatewayClass
		metadata: {name: traefik}
		spec: {controllerName: traefik.io/gateway-controller}
		---
		apiVersion: gateway.networking.k8s.io/v1
		kind: Gateway
		metadata: {name: bed, namespace: default}
		spec:
		  gatewayClassName: traefik
		  listeners:
		  - name: web
		    protocol: HTTP
		    port: $BED_GATEWAY_PORT
		    allowedRoutes: {namespaces: {from: All}}
	EOT
}

gateway_programmed() {
	controlplane_get /apis/gateway.networking.k8s.io/v1/namespaces/default/gateways/bed |
		tr -d ' \n' | grep -q '"reason":"Programmed","status":"True"\|"status":"True","type":"Programmed"'
}
