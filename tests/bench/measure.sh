#!/usr/bin/env bash
# measure.sh: the benchmark's course inside a bed; run.sh starts it.
set -eu

folder=$(dirname "${BASH_SOURCE[0]}")
for part in processes report; do
	# shellcheck source=/dev/null
	. "$folder/$part.sh"
done

# Argo Rollouts v1.10.0, client limit 200 requests a second, measured once on a machine of the
# same kind (2 cores shared with the control plane): docs/benchmarks.md.
rival="Argo Rollouts v1.10.0, 1,000 Rollouts of 3 replicas on 500 fake nodes, same kind of machine, an earlier run"

work=$BED_DIR/bench
mkdir "$work"
scale=$BUILD/bed/scale
began=$SECONDS

say() {
	printf '[%4ds] bench: %s\n' "$((SECONDS - began))" "$*" >&2
}

die() {
	trap - EXIT
	say "$*"
	[ ! -s "$BED_DIR/log/controller.log" ] || tail -n 5 "$BED_DIR/log/controller.log" | cut -c1-400 >&2
	echo "bench: FAIL $*"
	exit 1
}

# field FILE NAME [INNER]: a number in a summary of scale's, or in an object inside it.
field() {
	sed -n "s/.*\"$2\":${3:+{[^\}]*\"$3\":}\([0-9.]*\).*/\1/p" "$work/$1.json"
}

# rival FIGURE: only the full size may be compared.
rival() {
	[ "$COUNT" -eq 1000 ] && [ "$NODES" -eq 500 ] && echo "$1" || echo -
}

divide() {
	awk -v a="$1" -v b="$2" -v digits="${3:-1}" 'BEGIN {printf "%.*f\n", digits, a / b}'
}

# --- the controller ----------------------------------------------------------------------

controller_start() {
	local config
	config=$(bash tests/bed/bed.sh user tidegate system:masters)
	"$BUILD/tidegate" controller --kubeconfig "$config" --lease-namespace default \
		--metrics-address 127.0.0.1:0 --health-address 127.0.0.1:0 2>"$BED_DIR/log/controller.log" &
	controller_pid=$!
	trap 'kill "$controller_pid" 2>/dev/null || true' EXIT
	controller_wait_ready
}

controller_alive() {
	kill -0 "$controller_pid" 2>/dev/null || die "the controller has ended"
}

controller_wait_ready() {
	local tick=0 health
	until health=$(sed -n 's/.*"health":"\([^"]*\)".*/\1/p' "$BED_DIR/log/controller.log") &&
		[ -n "$health" ] && curl -sf -o /dev/null "http://$health/readyz" &&
		grep -q '"msg":"leading"' "$BED_DIR/log/controller.log"; do
		controller_alive
		tick=$((tick + 1))
		[ "$tick" -lt 600 ] || die "the controller is not ready after 30 s"
		sleep 0.05
	done
}

# controller_requests METHOD: those that the API server has answered.
controller_requests() {
	local metrics
	metrics=$(sed -n 's/.*"msg":"serving".*"metrics":"\([^"]*\)".*/\1/p' "$BED_DIR/log/controller.log")
	curl -sf "http://$metrics/metrics" |
		awk -v method="method=\"$1\"" '/^rest_client_requests_total/ && index($0, method) {n += $NF} END {print n + 0}'
}

# Events come two at a time, lest they are in the way; what a storm left of them is work.
controller_wait_idle() {
	local before after='' tick
	for tick in $(seq 24); do
		before=$after
		after=$(controller_requests POST)
		[ "$before" != "$after" ] || return 0
		sleep 5
	done
	die "the controller still writes new objects after $((tick * 5)) s"
}

# --- phases ------------------------------------------------------------------------------

# scale_run NAME VERB...: ends early when the controller does.
scale_run() {
	local name=$1 pid
	shift
	"$scale" "$@" --count "$COUNT" --namespaces "$NAMESPACES" --timeout "$LIMIT" >"$work/$name.json" &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.2
		kill -0 "$controller_pid" 2>/dev/null || kill "$pid" 2>/dev/null || true
	done
	wait "$pid"
}

# phase NAME VERB...: runs scale, keeps its summary in NAME.json, notes what everybody did
# until all has come to rest again.
phase() {
	local name=$1
	shift
	say "$*"
	processes_snapshot "$work/$name.cpu.before"
	api_snapshot "$work/$name.api.before"
	scale_run "$name" "$@" || {
		controller_alive
		cat "$work/$name.json" >&2
		die "$name: not done"
	}
	cat "$work/$name.json" >&2
	sleep 5
	controller_alive
	processes_snapshot "$work/$name.cpu.after"
	api_snapshot "$work/$name.api.after"
}

# phase_cpu NAME: CPU seconds of the controller in it.
phase_cpu() {
	awk '$1 == "controller" {if (NR == FNR) a = $2; else printf "%.2f\n", ($2 - a) / 1000}' \
		"$work/$1.cpu.before" "$work/$1.cpu.after"
}

measure_binary() {
	local size
	strip -o "$work/stripped" "$BUILD/tidegate"
	size=$(stat -c %s "$work/stripped")
	report_row "binary, stripped" MB "$(divide "$size" 1000000 2)" "$(rival 95)" 3
	needed=$(process_needed "$BUILD/tidegate")
}

measure_empty() {
	sleep 3
	report_row "memory, no ModelDeployment" MiB "$(process_memory "$controller_pid" VmRSS)" "$(rival 76)" -
}

measure_create() {
	phase create create --until ready
	report_row "$COUNT made: all Ready after" s "$(field create reachedSeconds)" "$(rival 91)" -
	report_row "... CPU time" s "$(phase_cpu create)" "$(rival 15)" -
	report_row "... memory" MiB "$(process_memory "$controller_pid" VmRSS)" "$(rival 147)" 24
	report_row "... memory, highest" MiB "$(process_memory "$controller_pid" VmHWM)" "$(rival 164)" -
}

measure_idle() {
	local before after
	controller_wait_idle
	say "idle for $IDLE s"
	before=$(process_cpu_ms "$controller_pid")
	sleep "$IDLE"
	after=$(process_cpu_ms "$controller_pid")
	idle_ms=$(awk -v a="$before" -v b="$after" 'BEGIN {print b - a}')
	report_row "... idle, of a core" % "$(divide "$idle_ms" "$((IDLE * 10))" 3)" "$(rival 0.05)" 0.1
}

measure_one() {
	phase one change-one --rounds "$ROUNDS" --version one
	report_row "one changed: new ReplicaSet after, median" ms "$(field one replicaSetMs median)" "$(rival 85)" 30
	report_row "... 99 % within" ms "$(field one replicaSetMs p99)" - 100
	report_row "... worst of $ROUNDS (rival: of 10)" ms "$(field one replicaSetMs max)" "$(rival 4100)" -
}

measure_all() {
	phase all change --version all --until step
	report_row "all changed: all at the first step after" s "$(field all reachedSeconds)" "$(rival 88)" 30
	report_row "... CPU time" s "$(phase_cpu all)" "$(rival 19)" 3
	controller_wait_idle
	report_row "... memory" MiB "$(process_memory "$controller_pid" VmRSS)" "$(rival 166)" 24
	report_row "... memory, highest" MiB "$(process_memory "$controller_pid" VmHWM)" - -
}

# What explains the figures: who had the machine's cores, and how often the API server was asked.
tell_phases() {
	local name changed
	printf '\n%-8s CPU seconds by program; writes to the API server for each ModelDeployment changed\n' phase
	for name in create one all; do
		[ "$name" = one ] && changed=$ROUNDS || changed=$COUNT
		printf '%-8s %s (the load itself %s)\n' "$name" \
			"$(processes_between "$work/$name.cpu.before" "$work/$name.cpu.after")" "$(field "$name" cpuSeconds)"
		printf '%-8s %s\n' "" "$(api_between "$work/$name.api.before" "$work/$name.api.after" "$changed")"
	done
	printf 'linked with: %s\n' "$needed"
	printf 'machine: %s cores, load %s\n' "$(nproc)" "$(cut -d' ' -f1-3 /proc/loadavg)"
}

kubectl create -f crds/ >"$work/crds.log"
kubectl wait --for=condition=Established --timeout=60s -f crds/ >>"$work/crds.log"
measure_binary
controller_start
measure_empty
measure_create
measure_idle
measure_one
measure_all
tell_phases
report_print "$rival"
report_verdict
