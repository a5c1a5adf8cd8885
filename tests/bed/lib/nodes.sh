# nodes: fake GPU nodes of KWOK, for scale where no request is served.

# nodes_start COUNT: in zone-a, zone-b and zone-c by turns, eight GPUs each.
nodes_start() {
	local stage
	say "creating $1 fake nodes"
	for stage in "$BED_DIR"/bin/kwok-stages/*.yaml; do
		cat "$stage"
		echo ---
	done >"$BED_DIR/run/kwok.yaml"
	program_start kwok kwok --kubeconfig="$BED_DIR/loopback.kubeconfig" --config="$BED_DIR/run/kwok.yaml" \
		--manage-all-nodes=false --manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake \
		--node-lease-duration-seconds=40 --node-ip="$BED_BACKBONE" --cidr=100.64.0.0/10 --server-address=127.0.0.1:10247
	nodes_list "$1" | kubectl create --validate=false -f - >"$BED_DIR/log/nodes.log"
	program_wait kwok 120 "$1 nodes were Ready" nodes_ready "$1"
}

nodes_list() {
	awk -v count="$1" 'BEGIN {
		split("NVIDIA-A10 NVIDIA-L20 NVIDIA-H20", product)
		print "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":["
		for (i = 0; i < count; i++) {
			amount = "{\"cpu\":\"96\",\"memory\":\"768Gi\",\"pods\":\"110\",\"nvidia.com/gpu\":\"8\"}"
			printf "%s{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"fake-%04d\",", i ? "," : "", i
			printf "\"annotations\":{\"kwok.x-k8s.io/node\":\"fake\"},\"labels\":{\"kubernetes.io/hostname\":\"fake-%04d\",", i
			printf "\"topology.kubernetes.io/zone\":\"zone-%c\",\"nvidia.com/gpu.product\":\"%s\"}},", 97 + i % 3, product[1 + int(i / 3) % 3]
			printf "\"status\":{\"capacity\":%s,\"allocatable\":%s}}\n", amount, amount
		}
		print "]}"
	}'
}

nodes_ready() {
	[ "$(kubectl get nodes -o jsonpath='{range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}' |
		grep -c '^True$')" -ge "$1" ]
}
