#!/usr/bin/env bash
# What goes wrong around the operator: a kubeconfig that is broken, credentials that are not
# accepted, rights and CRDs that are missing, an API server that is away. Each fault must be said
# in a clear line, cost next to no CPU and be over, without a restart, when its cause is.
#
#     bash tests/bed/bed.sh run --gateway -- bash tests/integration/faults.sh
set -u
work=${BED_DIR:?run it inside a bed}/faults
ns=faults
# shellcheck source=/dev/null
. "${BED_TREE:?}/tests/integration/lib/operators.sh"

# --- kubeconfigs that cannot be used ---------------------------------------------------------

# refused NAME PATTERN [OPTION...]: exit 1 within 2 s and one line that says what and where.
refused() {
	local pattern=$1 rc=0
	shift
	timeout 2 "$tidegate" controller --metrics-address "" --health-address 127.0.0.1:0 "$@" >"$work/refused.log" 2>&1 || rc=$?
	cat "$work/refused.log"
	[ "$rc" -eq 1 ] && [ "$(wc -l <"$work/refused.log")" -eq 1 ] && grep -Eq -- "$pattern" "$work/refused.log"
}

broken_kubeconfigs() {
	at=refused
	sed 's/^clusters:/clusters: [/' "$KUBECONFIG" >"$work/yaml.kubeconfig"
	sed 's/certificate-authority-data: .*/certificate-authority-data: "%%%"/' "$KUBECONFIG" >"$work/base64.kubeconfig"
	sed 's/cluster: bed, user: bed/cluster: bed, user: gone/' "$KUBECONFIG" >"$work/user.kubeconfig"
	: >"$work/empty.kubeconfig"
	check "kubeconfig: broken YAML is named with its line" refused 'yaml\.kubeconfig.*line' --kubeconfig "$work/yaml.kubeconfig"
	check "kubeconfig: missing file" refused 'no\.kubeconfig' --kubeconfig "$work/no.kubeconfig"
	check "kubeconfig: empty file" refused 'empty\.kubeconfig: is empty' --kubeconfig "$work/empty.kubeconfig"
	check "kubeconfig: unknown context, and which there are" refused 'no context named .*nowhere.*there are: .*bed' \
		--kubeconfig "$KUBECONFIG" --context nowhere
	check "kubeconfig: unknown user" refused 'no user named .*gone' --kubeconfig "$work/user.kubeconfig"
	check "kubeconfig: bad base64 is named with its field" refused 'base64\.kubeconfig.*certificate-authority-data' \
		--kubeconfig "$work/base64.kubeconfig"
}

# --- credentials, rights, CRD ----------------------------------------------------------------

# A client certificate in files whose time is over.
expired_kubeconfig() {
	local pki=$BED_DIR/pki
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /O=system:masters/CN=late \
		-keyout "$work/late.key" -out "$work/late.csr" 2>/dev/null
	openssl x509 -req -in "$work/late.csr" -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -CAcreateserial \
		-days 2 -out "$work/late-good.crt" 2>/dev/null
	openssl x509 -req -in "$work/late.csr" -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -CAcreateserial \
		-days -1 -out "$work/late.crt" 2>/dev/null
	sed "s|^ *token:.*|    {client-certificate: $work/late.crt, client-key: $work/late.key}|" \
		"$KUBECONFIG" >"$work/late.kubeconfig"
}

unknown_ca_kubeconfig() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=another \
		-keyout "$work/other.key" -out "$work/other.crt" 2>/dev/null
	sed "s|certificate-authority-data: .*|certificate-authority: $work/other.crt|" \
		"$KUBECONFIG" >"$work/ca.kubeconfig"
}

start_refused() {
	expired_kubeconfig
	unknown_ca_kubeconfig
	operator nocrd 9101 "$KUBECONFIG" --namespace faults-nocrd
	operator late 9102 "$work/late.kubeconfig" --namespace faults-late
	operator ca 9103 "$work/ca.kubeconfig"
	operator rights 9104 "$(bed user nobody)" --namespace faults-rights
	sleep 3
}

faults_are_said() {
	at=nocrd
	check "no CRD: one line with the way out" says nocrd 1 'modeldeployments.*kubectl apply -f crds/'
	check "no CRD: /readyz says why" not_ready nocrd 'modeldeployments.*CRD'
	at=late
	check "expired certificate: one line a resource" says late 1 '"resource":"v1/pods".*client certificate'
	check "expired certificate: /readyz says why" not_ready late 'client certificate'
	at=ca
	check "unknown CA: one line a resource" says ca 1 '"resource":"v1/pods".*unknown authority.*CA bundle'
	check "unknown CA: /readyz says why" not_ready ca 'unknown authority'
	at=rights
	check "no rights: resource and verb in one line" says rights 1 '"resource":"v1/pods".*grant list and watch on pods'
	check "no rights: the lease is named too" says rights 1 'lease.*cannot get resource'
	check "no rights: /readyz says why" not_ready rights 'grant list and watch'
}

# faults_end: all at once, because each may be in the middle of its back-off. Each operator has a
# namespace of its own, so that it is known who did the work.
faults_end() {
	local name
	check "four faults: no busy loop" idle 5 nocrd late ca rights
	{
		cp "$work/late-good.crt" "$work/late.crt"
		k create clusterrolebinding nobody --clusterrole=cluster-admin --user=nobody
		k apply -f "$BED_TREE/manifests/install.yaml"
		k wait --for=condition=Established --timeout=30s crd/modeldeployments.serving.tidegate.io
		for name in faults faults-early faults-nocrd faults-late faults-rights; do
			k create namespace "$name"
		done
	} >"$work/install.log" 2>&1
	# Its first list is to be old by the time of the next fault.
	operator main 9111 "$KUBECONFIG" --namespace faults --lease-duration 90s --lease-renew-deadline 80s
	recovers nocrd "CRD applied"
	recovers late "certificate renewed"
	recovers rights "rights granted"
	at=ca
	check "unknown CA: stays up and asks on" alive ca
	cp "$BED_DIR/pki/ca.crt" "$work/other.crt"
	check "CA file replaced: ready at once, not at the next look in five minutes" within 20 ready ca
	kill -TERM "${pids[ca]}"
	check "unknown CA: SIGTERM ends it" ends ca 0 5
}

# recovers NAME WHAT: without a restart, by the process that met the fault.
recovers() {
	local ns=faults-$1
	at=$1
	check "$2: ready without a restart" within 60 ready "$1"
	check "$2: work is done" works "after-$1"
	stop "$1"
}

# --- API server ------------------------------------------------------------------------------

# One outage, seen by three: one at work, one that is told to end, one that starts meanwhile. The
# lease of the first outlives it.
api_away() {
	operator leaving 9112 "$KUBECONFIG" --namespace faults-leaving
	check "before the outage: ready" within 20 ready leaving
	bed api-stop
	operator early 9113 "$KUBECONFIG" --namespace faults-early
	sleep 2
	kill -TERM "${pids[leaving]}"
	at=leaving
	check "SIGTERM without an API server: exit 0 within 5 s" ends leaving 0 5
	at=early
	check "API server away at start: one line a resource" says early 1 '"resource":"v1/pods".*connection refused'
	check "API server away at start: /readyz says why" not_ready early 'connection refused'
	at=main
	check "API server away: no busy loop" idle 10 early main
	check "API server killed: the one at work stays up" alive main
	bed api-start
	recovers early "API server there"
	at=main
	check "API server back: work is done by the same process" works after-kill
	check "API server back: still leader" says main 0 'lease lost'
	stop main
}

packets_vanish() {
	operator long 9120 "$KUBECONFIG" --namespace faults --lease-duration 90s --lease-renew-deadline 80s
	at=first
	operator first 9121 "$KUBECONFIG" --namespace faults-short --lease-name short --lease-duration 4s --lease-renew-deadline 3s --lease-retry-period 500ms
	within 20 leads first
	operator second 9122 "$KUBECONFIG" --namespace faults-short --lease-name short --lease-duration 4s --lease-renew-deadline 3s --lease-retry-period 500ms
	within 20 ready second
	within 20 leads long
	bed api-cut
	check "packets vanish: a leader whose lease runs out ends by itself" ends first 1 8
	check "packets vanish: it says why" says first 1 'lease lost.*not renewed within the renew deadline'
	at=long
	check "packets vanish: no busy loop" idle 10 long second
	check "packets vanish: long lease stays up" alive long
	bed api-restore
	at=second
	check "packets flow: the second replica takes over" within 40 leads second
	stop second
	at=long
	check "packets flow: work is done by the same process" works after-cut
}

# --- objects ---------------------------------------------------------------------------------

condition() {
	k get mdep "$1" -n "$ns" -o "jsonpath={.status.conditions[?(@.type==\"$2\")].status} {.status.conditions[?(@.type==\"$2\")].message}"
}

condition_is() {
	condition "$1" "$2" | grep -E -- "$3"
}

service_is_mine() {
	k get service taken -n "$ns" -o 'jsonpath={.spec.selector.app}' | grep -x mine
}

# A value changed, a member added, a list made longer.
edit_template() {
	k patch "$(k get replicaset -n "$ns" -l serving.tidegate.io/name=taken -o name)" -n "$ns" --type=json -p '[
		{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "example.com/mine:1"},
		{"op": "add", "path": "/spec/template/spec/hostNetwork", "value": true},
		{"op": "add", "path": "/spec/template/spec/containers/0/env/-", "value": {"name": "MINE", "value": "1"}}]'
}

template_is_back() {
	k get replicaset -n "$ns" -l serving.tidegate.io/name=taken -o 'jsonpath={.items[0].spec.template}' | cmp - "$work/template"
}

objects() {
	at=long
	mdep_apply refused "digest: sha256:$(printf '0%.0s' {1..64})" >"$work/out" 2>&1
	check "refused spec: Stalled names the field" within 10 condition_is refused Stalled '^True .*spec\.model\.digest'
	check "refused spec: no pods" eval '! placed refused'
	check "refused spec: mended, it goes on" works refused
	check "refused spec: mended, it is no longer Stalled" within 10 eval '! condition_is refused Stalled "^True"'
	k create service clusterip taken -n "$ns" --tcp=80 >/dev/null
	k patch service taken -n "$ns" -p '{"spec":{"selector":{"app":"mine"}}}' >/dev/null
	mdep_apply taken >/dev/null
	check "a Service of another: an event says so" within 15 eval \
		'k get events -n "$ns" -o "jsonpath={range .items[*]}{.reason} {.message}{\"\n\"}{end}" | grep "^NameTaken .*Service taken"'
	check "a Service of another: is left alone" service_is_mine
	check "a Service of another: no busy loop" idle 5 long
	k get replicaset -n "$ns" -l serving.tidegate.io/name=taken -o 'jsonpath={.items[0].spec.template}' >"$work/template"
	edit_template >"$work/out" 2>&1
	check "a pod template edited by hand: an event says so" within 15 eval \
		'k get events -n "$ns" -o "jsonpath={range .items[*]}{.reason} {.message}{\"\n\"}{end}" | grep "^ReplicaSetEdited .*pod template"'
	check "a pod template edited by hand: it is what it was, with what the server had filled in" within 10 template_is_back
	check "a pod template edited by hand: put back once" idle 3 long
	kill -TERM "${pids[long]}"
	check "SIGTERM: exit 0" ends long 0 5
}

broken_kubeconfigs
start_refused
faults_are_said
faults_end
api_away
packets_vanish
objects
result
