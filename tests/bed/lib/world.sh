# world: what stands on a bed with three zones and a gateway: nodes, the
# operator, a ModelDeployment, requests. For the demo and the end-to-end tests,
# which run inside `bed.sh run --zones 3 --gateway --`.

WORLD_ZONES=(hz-a hz-b hz-c)
WORLD_HOST=ranker.shop.example
WORLD_BIN=${BED_BIN:-$BED_TREE/build/bed}
WORLD_TIDEGATE=${TIDEGATE:-$BED_TREE/build/tidegate}
WORLD_RECORDS=$BED_DIR/requests.jsonl
WORLD_PHASES=$BED_DIR/phases
[ -n "${WORLD_STEPS:-}" ] ||
	WORLD_STEPS='[{weight: 10, hold: 4s}, {weight: 25, hold: 3s}, {weight: 50, approval: Required}, {weight: 100}]'
[ -n "${WORLD_TRAFFIC:-}" ] ||
	WORLD_TRAFFIC="{httpRoute: {name: ranker, parentRefs: [{name: bed, namespace: default}], hostnames: [$WORLD_HOST]}}"
# WORLD_OBJECTS: the user's own that WORLD_TRAFFIC refers to.
[ -n "${WORLD_CANARY:-}" ] || WORLD_CANARY='{interval: 1s}'
[ -n "${WORLD_SLO:-}" ] || WORLD_SLO='{}'
[ -n "${WORLD_FAILOVER:-}" ] || WORLD_FAILOVER='{minCapacity: 60%, recoverAfter: 5s, ramp: 8s}'

bed() {
	bash "$BED_TREE/tests/bed/bed.sh" "$@"
}

now_ms() {
	date +%s%3N
}

# seconds_since MS: "3.2"
seconds_since() {
	awk -v a="$1" -v b="$(now_ms)" 'BEGIN {printf "%.1f", (b - a) / 1000}'
}

# wait_until SECONDS WHAT COMMAND...: polls; on time-out says WHAT and fails.
wait_until() {
	local limit=$1 what=$2 began
	shift 2
	began=$(now_ms)
	until "$@" >/dev/null 2>&1; do
		if [ "$(($(now_ms) - began))" -gt $((limit * 1000)) ]; then
			say "waited $limit s in vain: $what"
			return 1
		fi
		sleep 0.1
	done
}

# --- nodes -------------------------------------------------------------------------------

world_image_map() {
	cat <<-EOT
		{"tensorflow/serving": {"command": ["$WORLD_BIN/modelserver"],
		  "paths": {"/usr/bin/tensorflow_model_server": "$WORLD_BIN/modelserver"}}}
	EOT
}

# Each zone has its own agent, in the zone's network, with two nodes of four cards; or the real node
# that the bed gave it, with eight.
world_start_nodes() {
	local n zone
	if [ -n "${BED_KUBELETS:-}" ]; then
		world_equip_nodes
		return
	fi
	world_image_map >"$BED_DIR/images.json"
	for n in 1 2 3; do
		zone=${WORLD_ZONES[n - 1]}
		mkdir -p "$BED_DIR/nodelet-$zone"
		program_start "nodelet-$zone" nsenter -t "$(program_pid "zone-$n")" -n \
			"$WORLD_BIN/nodelet" --kubeconfig "$KUBECONFIG" --zone "$zone" --nodes "${WORLD_NODES:-2}" \
			--gpus 4 --product NVIDIA-A10 --pod-cidr "10.244.$n.0/24" \
			--image-map "$BED_DIR/images.json" --state-dir "$BED_DIR/nodelet-$zone"
	done
	wait_until 30 "six nodes are Ready" world_nodes_ready $((3 * ${WORLD_NODES:-2}))
}

# A kubelet keeps the resources that others have put into its node's status, and counts them when it
# admits a pod.
world_equip_nodes() {
	local n cards='{"nvidia.com/gpu":"8"}'
	bed image-make "$BED_DIR/model.tar" docker.io/tensorflow/serving:2.20.0-gpu \
		"/usr/bin/tensorflow_model_server=$WORLD_BIN/modelserver" && bed image-load "$BED_DIR/model.tar" || return 1
	for n in 1 2 3; do
		kubectl label node "node-$n" --overwrite "topology.kubernetes.io/zone=${WORLD_ZONES[n - 1]}" \
			nvidia.com/gpu.product=NVIDIA-A10 &&
			kubectl patch node "node-$n" --subresource=status --type=merge \
				-p "{\"status\":{\"capacity\":$cards,\"allocatable\":$cards}}" || return 1
	done >>"$BED_DIR/log/images.log"
}

world_nodes_ready() {
	[ "$(kubectl get nodes --no-headers 2>/dev/null | grep -cw Ready)" -eq "$1" ]
}

# --- operator ----------------------------------------------------------------------------

# CRDs, namespace, RBAC as a user installs them; the operator itself runs as a
# process in zone 1, with the rights of its service account and no others.
world_install() {
	kubectl apply -f "$BED_TREE/manifests/install.yaml" >"$BED_DIR/log/install.log" 2>&1 || {
		cat "$BED_DIR/log/install.log" >&2
		return 1
	}
	kubectl wait --for=condition=Established --timeout=30s \
		crd/modeldeployments.serving.tidegate.io >>"$BED_DIR/log/install.log"
	kubectl create namespace shop >>"$BED_DIR/log/install.log"
	[ -z "${WORLD_OBJECTS:-}" ] || kubectl create -n shop -f - <<<"$WORLD_OBJECTS" >>"$BED_DIR/log/install.log"
	# Bias and three weights a version; a model server loads the file of its version.
	kubectl create configmap ranker-models -n shop --from-literal=weights-1='-1 0.5 0.25 0.1' \
		--from-literal=weights-2='-1 0.6 0.2 0.15' --from-literal=weights-3='-1 0.7 0.1 0.2' \
		--from-literal=weights-4='-1 0.4 0.3 0.1' >>"$BED_DIR/log/install.log"
	wait_until 30 "the service account" kubectl get serviceaccount -n tidegate-system tidegate-controller
	bed account tidegate-system tidegate-controller >/dev/null
}

# world_ended_leaderless NAME: it has ended because it lost its Lease, nobody stopped it.
world_ended_leaderless() {
	[ -e "$BED_DIR/run/$1.pid" ] && ! program_alive "$1" &&
		tail -n 1 "$BED_DIR/log/$1.log" | grep -q '"leadership lost'
}

# world_keep NAME COMMAND...: from now on COMMAND starts it again, as a kubelet would, when it has lost its
# Lease: its zone was dark, or the machine stood still for two seconds.
world_keep() {
	while sleep 0.5; do
		world_ended_leaderless "$1" && "${@:2}"
	done >/dev/null 2>&1 </dev/null &
	disown "$!"
}

# world_start_operator [NAME] [ZONE] [OPTION...]
world_start_operator() {
	local name=${1:-operator} zone=${2:-1}
	shift $(($# < 2 ? $# : 2))
	program_start "$name" nsenter -t "$(program_pid "zone-$zone")" -n "$WORLD_TIDEGATE" controller \
		--kubeconfig "$BED_DIR/tidegate-system-tidegate-controller.kubeconfig" \
		--lease-namespace tidegate-system --metrics-address 127.0.0.1:0 --health-address 127.0.0.1:0 \
		--zone "${WORLD_ZONES[zone - 1]}" \
		--lease-duration 3s --lease-renew-deadline 2s --lease-retry-period 500ms "$@"
	[ "$name" = operator ] && [ -z "${WORLD_KEEPER:-}" ] || return 0
	WORLD_KEEPER=yes
	world_keep operator program_launch operator
}

# world_operator_get NAME ZONE metrics|health PATH: from its own server.
world_operator_get() {
	local address
	address=$(grep -h '"msg":"serving"' "$BED_DIR/log/$1.log" | tail -n 1 | sed "s/.*\"$3\":\"\([^\"]*\)\".*/\1/")
	bed zone-exec "$2" curl -s --max-time 2 "http://$address$4"
}

# --- the ModelDeployment -----------------------------------------------------------------

# world_env [NAME VALUE]...: as the list `env` of a container.
world_env() {
	local between=''
	[ $# -gt 0 ] || set -- LATENCY_MS 2
	while [ $# -gt 0 ]; do
		printf '%s{name: %s, value: "%s"}' "$between" "$1" "$2"
		between=', '
		shift 2
	done
}

# world_mdep VERSION [ENV_NAME ENV_VALUE]...: the manifest; strategy by WORLD_STEPS, judge by
# WORLD_CANARY, objectives by WORLD_SLO, failover by WORLD_FAILOVER, driver by WORLD_TRAFFIC.
world_mdep() {
	local version=$1
	shift
	cat <<-EOT
		apiVersion: serving.tidegate.io/v1alpha1
		kind: ModelDeployment
		metadata: {name: ranker, namespace: shop}
		spec:
		  replicas: 6
		  model: {name: ranker, version: "$version"}
		  runtime:
		    preset: tensorflow-serving
		    env: [$(world_env "$@")]
		  template:
		    spec:
		      volumes:
		      - name: models
		        configMap:
		          name: ranker-models
		          items: [{key: weights-$version, path: $version/weights.txt}]
		      containers:
		      - name: model
		        volumeMounts: [{name: models, mountPath: /models/ranker}]
		  gpu: {count: 1, products: [NVIDIA-A10]}
		  zones: [{name: hz-a}, {name: hz-b}, {name: hz-c}]
		  strategy:
		    maxSurge: 3
		    maxUnavailable: 0
		    drain: 5s
		    steps: $WORLD_STEPS
		  canary: $WORLD_CANARY
		  slo: $WORLD_SLO
		  failover: $WORLD_FAILOVER
		  traffic: $WORLD_TRAFFIC
	EOT
}

# mdep PATH: one field of its status, e.g. mdep .status.rollout.phase
mdep() {
	kubectl get mdep ranker -n shop -o "jsonpath={$1}"
}

# mdep_order VERB VALUE
mdep_order() {
	kubectl annotate mdep ranker -n shop --overwrite "serving.tidegate.io/$1=$2" >/dev/null
}

mdep_is() {
	[ "$(mdep "$1")" = "$2" ]
}

# mdep_serves VERSION: it is the stable one and nothing is being released.
mdep_serves() {
	local stable
	stable=$(mdep .status.stableRevision)
	[ -n "$stable" ] && mdep_is .status.rollout.phase "" &&
		mdep_is ".status.revisions[?(@.name==\"$stable\")].modelVersion" "$1"
}

mdep_ready() {
	kubectl wait mdep/ranker -n shop --for=condition=Ready --timeout=0 && mdep_is .status.rollout.phase ""
}

# --- zones -------------------------------------------------------------------------------

# zone_state ZONE: as in status; empty when it is simply healthy.
zone_state() {
	mdep ".status.zones[?(@.name==\"$1\")].state"
}

zone_is() {
	[ "$(zone_state "$1")" = "$2" ]
}

# zone_well ZONE: healthy, whether or not its past is still remembered.
zone_well() {
	case "$(zone_state "$1")" in
	"" | Healthy) true ;;
	*) false ;;
	esac
}

# zone_replaced ZONE N: so many pods serve in the other zones.
zone_replaced() {
	[ "$(kubectl get pods -n shop -l "serving.tidegate.io/zone!=$1" \
		-o 'jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}' |
		grep -c True)" -ge "$2" ]
}

# world_pods N: so many pods are there, and all of them run.
world_pods() {
	[ "$(kubectl get pods -n shop --no-headers | wc -l)" -eq "$1" ] &&
		[ "$(kubectl get pods -n shop --no-headers | grep -c ' Running ')" -eq "$1" ]
}

# world_faults ZONE hanging|errors: of the model servers there, it begins, or ends (FAULTS_BY_SIGNAL).
world_faults() {
	local signal=USR2
	[ "$2" = errors ] || signal=USR1
	pkill -$signal -P "$(program_pid "nodelet-$1")" modelserver
}

# --- requests ----------------------------------------------------------------------------

# world_answers: twenty requests in a row are answered. A gateway may say that it has a route a moment before
# it goes by it; whoever sends the very first request meets that, and no one else.
world_answers() {
	local n
	for n in {1..20}; do
		[ "$(curl -s --max-time 2 -o /dev/null -w '%{http_code}' -H "Host: $WORLD_HOST" -d @"$BED_DIR/request.json" \
			"$BED_GATEWAY_URL/v1/models/ranker:predict")" = 200 ] || return 1
	done
}

# world_start_load RATE: from now on until world_stop_load; every request is written down, after
# WORLD_TIMEOUT seconds (5) as lost.
world_start_load() {
	: >"$WORLD_PHASES"
	echo '{"instances": [[1, 2, 3]]}' >"$BED_DIR/request.json"
	wait_until 10 "the gateway answers" world_answers
	program_start load "$WORLD_BIN/load" --url "$BED_GATEWAY_URL/v1/models/ranker:predict" \
		--host "$WORLD_HOST" --rate "$1" --until-signal --max-connections 4000 --out "$WORLD_RECORDS" --timeout "${WORLD_TIMEOUT:-5}s" --body "$BED_DIR/request.json"
}

world_stop_load() {
	program_stop load TERM
}

world_phase() {
	echo "$(now_ms) $*" >>"$WORLD_PHASES"
}

# world_lost [VERSION...]: requests that failed, those aside that a version named here answered.
world_lost() {
	local version own='^$'
	for version in "$@"; do
		own="$own"'\|"version":"'"$version"'"'
	done
	grep -v '"status":200[,}]' "$WORLD_RECORDS" | grep -vc "$own" || true
}

# answers_of VERSION: so many of the requests until now.
answers_of() {
	grep -c "\"version\":\"$1\"" "$WORLD_RECORDS"
}

# world_lost_between MS MS: failed requests that were sent within this time.
world_lost_between() {
	grep -v '"status":200[,}]' "$WORLD_RECORDS" |
		sed 's/.*"t":\([0-9]*\).*/\1/' | awk -v a="$1" -v b="$2" '$1 >= a && $1 <= b' | wc -l
}

# world_last_lost MS MS: when the last failed request of this time was sent.
world_last_lost() {
	grep -v '"status":200[,}]' "$WORLD_RECORDS" |
		sed 's/.*"t":\([0-9]*\).*/\1/' | awk -v a="$1" -v b="$2" '$1 >= a && $1 <= b' | sort -n | tail -n 1
}

world_sent() {
	wc -l <"$WORLD_RECORDS"
}
