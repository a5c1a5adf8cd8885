# operators: operators under test in a bed, what they log, answer and cost, and ModelDeployments for
# them. Sourced; wants BED_DIR, BED_TREE, $work (a folder) and $ns (the namespace of mdep_apply).
# shellcheck shell=bash
: "${BED_DIR:?run it inside a bed}" "${BED_TREE:?}" "${KUBECTL:=kubectl}" "${work:?}" "${ns:?}"
tidegate=${TIDEGATE:-$BED_TREE/build/tidegate}
passed=0 failed=0 at=
declare -A pids
mkdir -p "$work"

bed() {
	bash "$BED_TREE/tests/bed/bed.sh" "$@"
}

k() {
	"$KUBECTL" --request-timeout=10s "$@"
}

# check NAME COMMAND...: one test. A failure shows the log of the operator at hand.
check() {
	local name=$1
	shift
	if "$@" >"$work/out" 2>&1; then
		passed=$((passed + 1))
		printf 'ok   %s\n' "$name"
	else
		failed=$((failed + 1))
		printf 'FAIL %s (%s)\n' "$name" "$*"
		tail -n 4 "$work/out" | cut -c1-300 | sed 's/^/     | /'
		[ ! -f "$work/$at.log" ] || tail -n 12 "$work/$at.log" | cut -c1-300 | sed 's/^/     > /'
	fi
}

# within SECONDS COMMAND...
within() {
	local limit=$(($(date +%s%3N) + $1 * 1000))
	shift
	until "$@"; do
		[ "$(date +%s%3N)" -lt "$limit" ] || return 1
		sleep 0.2
	done
}

# --- operators -----------------------------------------------------------------------------

# operator NAME PORT KUBECONFIG [OPTION...]: each name has a lease of its own unless told otherwise.
operator() {
	local name=$1 port=$2 config=$3
	shift 3
	"$tidegate" controller --kubeconfig "$config" --lease-namespace default --lease-name "$name" \
		--metrics-address "" --health-address "127.0.0.1:$port" "$@" >"$work/$name.log" 2>&1 &
	pids[$name]=$!
	echo "$port" >"$work/$name.port"
}

alive() {
	kill -0 "${pids[$1]}"
}

readyz() {
	curl -s --max-time 2 "http://127.0.0.1:$(cat "$work/$1.port")/readyz"
}

ready() {
	curl -sf --max-time 2 -o /dev/null "http://127.0.0.1:$(cat "$work/$1.port")/readyz"
}

# leads NAME: it holds its lease.
leads() {
	grep -q 'elected leader' "$work/$1.log"
}

# not_ready NAME PATTERN: 503, and the answer says why.
not_ready() {
	! ready "$1" && readyz "$1" | grep -E -- "$2"
}

# says NAME COUNT PATTERN: so many lines of the log match.
says() {
	local n
	n=$(grep -cE -- "$3" "$work/$1.log")
	echo "$n lines match"
	[ "$n" -eq "$2" ]
}

cpu_ms() {
	bed metrics "${pids[$1]}" | sed 's/.*cpu_ms=//'
}

# idle SECONDS NAME...: over that time each uses less than 100 ms of CPU.
idle() {
	local seconds=$1 name used rc=0
	local -A before
	shift
	for name in "$@"; do
		before[$name]=$(cpu_ms "$name")
	done
	sleep "$seconds"
	for name in "$@"; do
		used=$(($(cpu_ms "$name") - ${before[$name]}))
		echo "$name: $used ms in $seconds s"
		[ "$used" -lt 100 ] || rc=1
	done
	return "$rc"
}

# ends NAME CODE SECONDS: by itself, or after the signal just sent.
ends() {
	local rc=0
	within "$3" eval "! kill -0 ${pids[$1]} 2>/dev/null" || return 1
	wait "${pids[$1]}" || rc=$?
	echo "exit $rc"
	[ "$rc" -eq "$2" ]
}

stop() {
	kill -TERM "${pids[$1]}" 2>/dev/null
	wait "${pids[$1]}" 2>/dev/null
}

finish() {
	local name
	for name in "${!pids[@]}"; do
		kill -KILL "${pids[$name]}" 2>/dev/null
	done
}
trap finish EXIT

# --- ModelDeployments ------------------------------------------------------------------------

# mdep_apply NAME [MEMBER OF spec.model]
mdep_apply() {
	k apply -f - <<-EOT
		apiVersion: serving.tidegate.io/v1alpha1
		kind: ModelDeployment
		metadata: {name: $1, namespace: $ns}
		spec:
		  replicas: 1
		  model: {name: m, version: "1"${2:+, $2}}
		  runtime: {preset: tensorflow-serving}
	EOT
}

placed() {
	k get replicaset -n "$ns" -l "serving.tidegate.io/name=$1" -o name | grep .
}

# works NAME: a ModelDeployment made now is reconciled: at the latest when a back-off of up to 60 s is over.
works() {
	mdep_apply "$1" && within 60 placed "$1"
}

# result: the closing line.
result() {
	printf '%d passed, %d failed, 0 skipped\n' "$passed" "$failed"
	[ "$failed" -eq 0 ]
}
