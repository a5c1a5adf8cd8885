#!/usr/bin/env bash
# An API server that sends garbage: the meddler stands between it and the operator and spoils watches
# and lists. Each fault must be said in a line, cost little, end without a restart, and leave an
# operator that still does its work.
#
#     bash tests/bed/bed.sh run --gateway -- bash tests/integration/garbage.sh
set -u
work=${BED_DIR:?run it inside a bed}/garbage
ns=garbage
# shellcheck source=/dev/null
. "${BED_TREE:?}/tests/integration/lib/operators.sh"
door=127.0.0.1:9443

# Its own certificate, from the bed's authority; the client's credentials are handed on.
meddler_start() {
	local pki=$BED_DIR/pki
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=meddler \
		-keyout "$work/meddler.key" -out "$work/meddler.csr" 2>/dev/null
	openssl x509 -req -in "$work/meddler.csr" -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -CAcreateserial -days 2 \
		-extfile <(echo subjectAltName=IP:127.0.0.1) -out "$work/meddler.crt" 2>/dev/null
	"$BED_TREE/build/bed/meddler" "$door" "$work/meddler.crt" "$work/meddler.key" "$BED_APISERVER_URL" "$pki/ca.crt" \
		>"$work/meddler.log" 2>&1 &
	pids[meddler]=$!
	sed "s|server: .*|server: https://$door|" "$KUBECONFIG" >"$work/kubeconfig"
	within 5 order none
}

# order FAULT[?lists=1]
order() {
	curl -sf --max-time 5 --cacert "$BED_DIR/pki/ca.crt" "https://$door/-/$1"
}

# asked: watches and lists so far.
asked() {
	order count | awk '{print $2 + $4}'
}

# kb FIELD: of the operator at hand, from /proc.
kb() {
	sed -n "s/^$1:[[:space:]]*\([0-9]*\) kB/\1/p" "/proc/${pids[$at]}/status"
}

# healthy: no resource is in trouble.
healthy() {
	curl -s --max-time 2 http://127.0.0.1:9132/metrics |
		awk '/^tidegate_reflector_trouble_seconds/ {n++; bad += $NF > 0} END {exit !(n && !bad)}'
}

# below NAME VALUE LIMIT
below() {
	echo "$1: $2, limit $3"
	[ "$2" -lt "$3" ]
}

# told PATTERN: what was logged about pods meanwhile: a line, at most one more for another kind of
# error, with a reason that people understand.
told() {
	grep -F '"resource":"v1/pods"' "$work/$at.log" | grep 'not available' | tee "$work/told"
	[ -s "$work/told" ] && [ "$(wc -l <"$work/told")" -le 2 ] && grep -Eq -- "$1" "$work/told"
}

# spoil NAME ORDER CPU_MS PATTERN: an operator of its own for each fault, whose back-off knows nothing
# of the others.
spoil() {
	local name=$1 fault=$2 cpu requests
	at=$name
	operator "$name" 9131 "$work/kubeconfig" --metrics-address 127.0.0.1:9132
	within 20 leads "$name" && within 20 ready "$name" && within 10 healthy
	cpu=$(cpu_ms "$name") requests=$(asked)
	order "$fault" >/dev/null
	sleep 5
	cpu=$(($(cpu_ms "$name") - cpu)) requests=$(($(asked) - requests))
	order none >/dev/null
	check "$name: said in one line a resource" told "$4"
	check "$name: no busy loop" below "CPU ms in 5 s" "$cpu" "$3"
	# Up to a dozen resources, each a few tries of up to three requests.
	check "$name: no request storm" below "requests in 5 s" "$requests" 150
	check "$name: over by itself, a new ModelDeployment is acted on" works "after-$name"
	check "$name: all resources are back" within 30 healthy
	check "$name: memory is bounded" below "peak kB" "$(kb VmHWM)" 131072
	check "$name: memory is given back" below "kB" "$(kb VmRSS)" 49152
	printf '     %s ms of CPU, %s requests, resident %s kB, at most %s kB\n' "$cpu" "$requests" "$(kb VmRSS)" "$(kb VmHWM)"
	kill -TERM "${pids[$name]}"
	check "$name: SIGTERM ends it" ends "$name" 0 5
}

# While nothing comes through there is nothing to be said; what was held back comes late.
stall() {
	at=stall
	operator stall 9131 "$work/kubeconfig" --metrics-address 127.0.0.1:9132
	within 20 leads stall && within 20 ready stall && within 10 healthy
	order stall >/dev/null
	mdep_apply stalled >/dev/null
	sleep 2
	check "stall: nothing is known yet" eval '! placed stalled'
	order none >/dev/null
	check "stall: over, the change is acted on" within 10 placed stalled
	check "stall: a stream that goes on is no fault" says stall 0 'not available'
	stop stall
}

{
	k apply -f "$BED_TREE/manifests/install.yaml"
	k wait --for=condition=Established --timeout=30s crd/modeldeployments.serving.tidegate.io
	k create namespace "$ns"
} >"$work/install.log" 2>&1
meddler_start >"$work/out" 2>&1
spoil binary binary 400 'unexpected byte 0x'
spoil half half 400 'ended inside an object'
spoil huge huge 3000 'longer than [0-9]+ bytes'
spoil wrong-json wrong-json 400 'unexpected|bracket|JSON'
spoil unknown-error unknown-error 400 'it rains'
spoil html html 400 "unexpected '<'.*or is a proxy in between"
spoil endless endless 1000 'nothing but white space'
stall
# The middle of a list may lie within a text, in which any bytes may stand until it ends.
spoil binary-lists 'binary?lists=1' 400 'unexpected byte 0x|list ended before it was complete'
spoil html-lists 'html?lists=1' 400 "unexpected '<'.*or is a proxy in between"
result
