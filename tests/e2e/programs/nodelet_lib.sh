# Starts the node agent of zone 1 and asks about pods. Source it after lib.sh.
state=$BED_DIR/nodelet
agent_log=$BED_DIR/log/nodelet.log
programs=$BED_TREE/${BUILD:-build}/bed
cat >"$BED_DIR/images.json" <<J
{"modelserver": {"command": ["$programs/modelserver"],
                 "paths": {"/usr/bin/tensorflow_model_server": "$programs/modelserver"}},
 "sh": {"command": ["/bin/sh"]},
 "sleep": {"command": ["/bin/sleep", "1000"]}}
J

nodes_ready() {
	[ "$(kubectl get nodes hz-a-1 hz-a-2 2>/dev/null | grep -c ' Ready')" -eq 2 ]
}

# agent_start [FLAG...]: sets agent_pid and agent_ready_ms.
agent_start() {
	local before
	before=$(now_ms)
	bash "$BED_TREE/tests/bed/bed.sh" zone-exec 1 "$programs/nodelet" --kubeconfig "$KUBECONFIG" --zone hz-a --nodes 2 \
		--gpus 4 --product NVIDIA-A10 --pod-cidr 10.244.1.0/24 --image-map "$BED_DIR/images.json" \
		--state-dir "$state" --backoff-scale 0.1 "$@" 2>>"$agent_log" &
	agent_pid=$!
	eventually 10 nodes_ready || tail -n 20 "$agent_log"
	agent_ready_ms=$(($(now_ms) - before))
}

agent_stop() {
	kill -TERM "$agent_pid"
	wait "$agent_pid"
	agent_exit=$?
}

ctl() {
	"$programs/nodelet" ctl "$state" "$@"
}

# pods: a YAML list of pods on standard input; created as one.
pods() {
	{
		printf 'apiVersion: v1\nkind: List\nitems:\n'
		sed 's/^- metadata:/- apiVersion: v1\n  kind: Pod\n  metadata:/'
	} | kubectl create -f - >/dev/null
}

get() {
	kubectl get "$1" "$2" -o jsonpath="$3" 2>/dev/null
}

is_phase() {
	[ "$(get pod "$1" '{.status.phase}')" = "$2" ]
}

waiting() {
	get pod "$1" '{.status.containerStatuses[0].state.waiting.reason}'
}

# condition POD TYPE FIELD
condition() {
	get pod "$1" "{.status.conditions[?(@.type==\"$2\")].$3}"
}

wait_condition() {
	kubectl wait "--for=condition=$2" "pod/$1" "--timeout=$3s"
}

pod_dir() {
	echo "$state/pods/$(get pod "$1" '{.metadata.uid}')"
}

# environment POD: of the process that belongs to it.
environment() {
	local pid
	for pid in $(pgrep -P "$(cat "$state/nodelet.pid")"); do
		tr '\0' '\n' <"/proc/$pid/environ" | grep -qx "POD_NAME=$1" || continue
		tr '\0' '\n' <"/proc/$pid/environ"
		return
	done
}

processes() {
	pgrep -c -P "$(cat "$state/nodelet.pid")"
}
