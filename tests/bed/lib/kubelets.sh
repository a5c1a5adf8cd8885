# kubelets: one real node a zone, containerd and a kubelet, for what must not rest on nodelet
# alone. Root only. A node lives in the network of its zone and in a mount namespace of its own,
# where /run, /var/lib and /var/log are folders of the bed: programs keep their ordinary paths
# and the machine's own containerd or kubelet is never touched. What is outside of every namespace are
# the control groups: kubelets_release takes them away.

KUBELETS_PAUSE=tidegate.io/bed/pause:1

# kubelets_refuse: prints why this machine cannot have them; fails when it can.
kubelets_refuse() {
	if [ "$(id -u)" -ne 0 ]; then
		echo "kubelets need root"
	elif [ ! -d /sys/fs/cgroup ] || ! kubelets_cgroup_try; then
		echo "control groups cannot be made under /sys/fs/cgroup here (a container needs --privileged)"
	else
		return 1
	fi
}

# --- control groups ----------------------------------------------------------------------

# kubelets_cgroup [NODE]: below the root of each hierarchy.
kubelets_cgroup() {
	echo "/${BED_DIR##*/}${1:+/$1}"
}

# kubelets_hierarchies: where a group has to be made: one for all controllers, one each in version 1.
kubelets_hierarchies() {
	awk '$3 == "cgroup" || $3 == "cgroup2" {print $2}' /proc/self/mounts
}

kubelets_cgroup_try() {
	local dir='' name=tidegate-try.$$
	for dir in $(kubelets_hierarchies); do
		mkdir "$dir/$name" 2>/dev/null || return 1
		rmdir "$dir/$name"
	done
	[ -n "$dir" ]
}

# kubelets_cgroup_make NODE: the kubelet wants to find its root in every controller. In version 1
# a new cpuset is empty, and nothing could run in it.
kubelets_cgroup_make() {
	local dir group controller
	for dir in $(kubelets_hierarchies); do
		for group in "$(kubelets_cgroup)" "$(kubelets_cgroup "$1")"; do
			mkdir -p "$dir$group"
			if [ -e "$dir/cgroup.subtree_control" ]; then
				for controller in $(cat "$dir/cgroup.controllers"); do
					{ echo "+$controller" >"$dir${group%/*}/cgroup.subtree_control"; } 2>/dev/null || true
				done
			elif [ -e "$dir/cpuset.cpus" ]; then
				cat "$dir/cpuset.cpus" >"$dir$group/cpuset.cpus"
				cat "$dir/cpuset.mems" >"$dir$group/cpuset.mems"
			fi
		done
	done
}

# kubelets_release: after the last process of the bed. The kernel needs a moment to let go.
kubelets_release() {
	local dir group tick
	for dir in $(kubelets_hierarchies); do
		group=$dir$(kubelets_cgroup)
		for tick in $(seq 1 100); do
			[ -d "$group" ] || break
			find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.05
		done
		[ "$tick" -lt 100 ] || say "control groups are left in $group"
	done
}

# --- nodes -------------------------------------------------------------------------------

# kubelets_start: node-1 in zone 1 and so on, with zone-a, zone-b... as zone label.
kubelets_start() {
	local n
	say "starting $BED_ZONES nodes with containerd and kubelet"
	image_make "$BED_DIR/pause.tar" "$KUBELETS_PAUSE" /bin/sleep="$(type -P sleep)"
	for n in $(seq 1 "$BED_ZONES"); do
		kubelets_node_up "$n"
	done
	kubelets_load "$BED_DIR/pause.tar"
	for n in $(seq 1 "$BED_ZONES"); do
		kubelets_start_kubelet "$n"
	done
	for n in $(seq 1 "$BED_ZONES"); do
		program_wait "containerd-$n kubelet-$n" 60 "node-$n was Ready" kubelets_ready "$n"
	done
}

# kubelets_exec N COMMAND...: in the network and the file system of node N.
kubelets_exec() {
	local pid
	pid=$(program_pid "node-$1") || die "there is no node $1 in this bed"
	shift
	nsenter -t "$pid" -n -m env PATH="/run/programs/usr/bin:/run/programs/usr/sbin:$PATH" "$@"
}

# kubelets_load ARCHIVE: the images in it are there for every node.
kubelets_load() {
	local n
	for n in $(seq 1 "$BED_ZONES"); do
		kubelets_exec "$n" ctr -n k8s.io images import --snapshotter native - <"$1" >>"$BED_DIR/log/images.log" 2>&1 ||
			die "node-$n could not load $1: $(tail -n 1 "$BED_DIR/log/images.log")"
	done
}

kubelets_ready() {
	[ "$(kubectl get node "node-$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" = True ]
}

kubelets_node_up() {
	local n=$1 node=$BED_DIR/node-$1
	mkdir -p "$node"/run/programs "$node"/lib/{kubelet,containerd,cni} "$node"/log "$node"/cni
	kubelets_cgroup_make "node-$n"
	cp "$KUBECONFIG" "$node/run/kubeconfig"
	: >"$node/run/kubelet"
	echo "nameserver 10.96.0.10" >"$node/run/resolv.conf"
	kubelets_network "$n" >"$node/cni/10-bed.conflist"
	kubelets_containerd_config >"$node/run/containerd.toml"
	kubelets_kubelet_config "$n" >"$node/run/kubelet.yaml"
	# From here on a pod's address is where the network plugin puts it.
	nsenter -t "$(program_pid "zone-$n")" -n sh -c "
		ip route del local 10.244.$n.0/24 dev lo
		echo 1 >/proc/sys/net/ipv4/ip_forward"
	program_start "node-$n" nsenter -t "$(program_pid "zone-$n")" -n unshare -m \
		bash "$bed_self" kubelets-node "$node" "$(readlink -f "$BED_DIR/bin/node-runtime")" "$(readlink -f "$BED_DIR/bin/kubelet")"
	program_wait "node-$n" 10 "its file system was there" test -e "$node/run/mounted"
	program_start "containerd-$n" nsenter -t "$(program_pid "node-$n")" -n -m \
		env PATH="/run/programs/usr/bin:/run/programs/usr/sbin:$PATH" containerd --config /run/containerd.toml
	program_wait "containerd-$n" 20 "it answered" kubelets_exec "$n" ctr version
}

# kubelets_node FOLDER PROGRAMS KUBELET: what the holder of a node's mount namespace does. The kubelet
# sets three sysctls that are not in any namespace: it finds them as it wants them, and the
# machine keeps its own.
kubelets_node() {
	local node=$1 pair
	mount --bind "$2" "$node/run/programs"
	mount --bind "$3" "$node/run/kubelet"
	mkdir -p "$node/run/cni"
	cp "$node"/cni/* "$node/run/cni/"
	for pair in vm/overcommit_memory=1 kernel/panic=10 kernel/panic_on_oops=1; do
		echo "${pair#*=}" >"$node/run/sysctl.${pair##*/}"
		mount --bind "$node/run/sysctl.${pair##*/}" "/proc/sys/${pair%=*}"
	done
	mount --bind "$node/lib" /var/lib
	mount --bind "$node/log" /var/log
	: >"$node/run/mounted"
	mount --rbind "$node/run" /run
	exec sleep infinity
}

kubelets_start_kubelet() {
	local letter
	letter=$(printf "\\$(printf %o $((96 + $1)))")
	program_start "kubelet-$1" nsenter -t "$(program_pid "node-$1")" -n -m \
		env PATH="/run/programs/usr/bin:/run/programs/usr/sbin:$PATH" /run/kubelet \
		--config=/run/kubelet.yaml --kubeconfig=/run/kubeconfig --hostname-override="node-$1" \
		--node-ip="10.200.$1.2" --node-labels="topology.kubernetes.io/zone=zone-$letter" --cert-dir=/run/pki
}

# A pod gets a link to its node and an address of the zone; the backbone routes these to the zone.
kubelets_network() {
	cat <<-EOT
		{"cniVersion": "0.4.0", "name": "bed", "plugins": [{"type": "ptp", "ipMasq": false, "ipam": {
		  "type": "host-local", "ranges": [[{"subnet": "10.244.$1.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
	EOT
}

# The native snapshotter copies, and so works whatever file system the bed is on. A process without
# CAP_SYS_RESOURCE, as root in many a virtual machine, cannot lower its OOM score.
kubelets_containerd_config() {
	cat <<-EOT
		version = 2
		[plugins."io.containerd.grpc.v1.cri"]
		  sandbox_image = "$KUBELETS_PAUSE"
		  disable_apparmor = true
		  restrict_oom_score_adj = true
		  netns_mounts_under_state_dir = true
		  [plugins."io.containerd.grpc.v1.cri".containerd]
		    snapshotter = "native"
		    default_runtime_name = "runc"
		    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
		      runtime_type = "io.containerd.runc.v2"
		      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
		        SystemdCgroup = false
		  [plugins."io.containerd.grpc.v1.cri".cni]
		    bin_dir = "/run/programs/usr/lib/cni"
		    conf_dir = "/run/cni"
	EOT
}

# Timings are the kubelet's own. Disk and memory pressure would be the machine's, not the bed's.
kubelets_kubelet_config() {
	cat <<-EOT
		apiVersion: kubelet.config.k8s.io/v1beta1
		kind: KubeletConfiguration
		containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
		authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
		authorization: {mode: AlwaysAllow}
		cgroupDriver: cgroupfs
		cgroupRoot: $(kubelets_cgroup "node-$1")
		failCgroupV1: false
		failSwapOn: false
		cgroupsPerQOS: true
		enforceNodeAllocatable: []
		localStorageCapacityIsolation: false
		makeIPTablesUtilChains: false
		oomScoreAdj: 0
		registerNode: true
		clusterDNS: [10.96.0.10]
		resolvConf: /run/resolv.conf
		imageGCHighThresholdPercent: 100
		evictionHard: {nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%"}
		volumePluginDir: /var/lib/kubelet/plugins-exec
	EOT
}
