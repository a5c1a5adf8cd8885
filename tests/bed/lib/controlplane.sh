# controlplane: etcd, kube-apiserver and kube-controller-manager of one bed. The
# ports are fixed: they are in a network namespace of the bed's own.

BED_API_PORT=6443
# The way that api-cut leaves open: the control plane's own and the observer's.
BED_LOOPBACK_URL=https://127.0.0.1:$BED_API_PORT

controlplane_start() {
	pki_make
	printf '%s,admin,admin,"system:masters"\n' "$BED_TOKEN" >"$BED_DIR/pki/tokens.csv"
	kubeconfig_write_admin "$BED_DIR/admin.kubeconfig" "$BED_APISERVER_URL"
	kubeconfig_write_admin "$BED_DIR/loopback.kubeconfig" "$BED_LOOPBACK_URL"
	controlplane_start_etcd
	controlplane_start_apiserver
	controlplane_wait_apiserver
	controlplane_start_kcm
}

# Nothing of a bed outlives it: no fsync.
controlplane_start_etcd() {
	program_start etcd etcd --name=bed --data-dir="$BED_DIR/etcd" --unsafe-no-fsync --log-level=warn \
		--listen-client-urls=http://127.0.0.1:2379 --advertise-client-urls=http://127.0.0.1:2379 \
		--listen-peer-urls=http://127.0.0.1:2380 --initial-advertise-peer-urls=http://127.0.0.1:2380 \
		--initial-cluster=bed=http://127.0.0.1:2380
}

controlplane_start_apiserver() {
	local pki=$BED_DIR/pki
	program_start kube-apiserver kube-apiserver --etcd-servers=http://127.0.0.1:2379 \
		--bind-address=0.0.0.0 --advertise-address="$BED_BACKBONE" --secure-port="$BED_API_PORT" \
		--cert-dir="$pki" --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
		--client-ca-file="$pki/ca.crt" --token-auth-file="$pki/tokens.csv" --authorization-mode=RBAC \
		--service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$pki/sa.key" \
		--service-account-signing-key-file="$pki/sa.key" --service-cluster-ip-range=10.96.0.0/16 \
		--endpoint-reconciler-type=none --allow-privileged=true --profiling=false \
		--max-requests-inflight=4000 --max-mutating-requests-inflight=2000
}

controlplane_start_kcm() {
	local pki=$BED_DIR/pki config=$BED_DIR/loopback.kubeconfig
	program_start kube-controller-manager kube-controller-manager --kubeconfig="$config" \
		--authentication-kubeconfig="$config" --authorization-kubeconfig="$config" \
		--authentication-skip-lookup --leader-elect=false --bind-address=127.0.0.1 --cert-dir="$pki/kcm" \
		--service-account-private-key-file="$pki/sa.key" --root-ca-file="$pki/ca.crt" \
		--horizontal-pod-autoscaler-sync-period=2s \
		--allocate-node-cidrs=false --kube-api-qps=5000 --kube-api-burst=10000 --profiling=false
}

# Not among the programs of every bed: Tidegate places its own pods.
controlplane_start_scheduler() {
	local config=$BED_DIR/loopback.kubeconfig
	program_start kube-scheduler kube-scheduler --kubeconfig="$config" --authentication-kubeconfig="$config" \
		--authorization-kubeconfig="$config" --authentication-skip-lookup --leader-elect=false \
		--bind-address=127.0.0.1 --cert-dir="$BED_DIR/pki/scheduler" --profiling=false
}

# controlplane_get PATH: by loopback, as admin.
controlplane_get() {
	curl -sf --max-time 5 --cacert "$BED_DIR/pki/ca.crt" -H @- "$BED_LOOPBACK_URL$1" \
		<<<"Authorization: Bearer $BED_TOKEN"
}

controlplane_wait_apiserver() {
	program_wait "etcd kube-apiserver" 90 "/readyz answered" controlplane_get /readyz
}

# Without it no pod can be created.
controlplane_wait_account() {
	program_wait kube-controller-manager 60 "the first service account was there" \
		controlplane_get /api/v1/namespaces/default/serviceaccounts/default
}
