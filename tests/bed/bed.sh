#!/usr/bin/env bash
# bed.sh: a real control plane in namespaces of its own, for the demo, the
# tests, the benchmarks and people. docs/testbed.md tells how to use it.
set -eu

bed_tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
bed_self=$bed_tree/tests/bed/bed.sh
for bed_lib in say deps assets program netns kubeconfig controlplane gateway mesh ingress prometheus nodes image kubelets outside; do
	# shellcheck source=/dev/null
	. "$bed_tree/tests/bed/lib/$bed_lib.sh"
done

usage() {
	cat <<'EOT'
usage: bed.sh run [--zones N] [--kubelets] [--gateway] [--traefik-kinds] [--mesh] [--ingress-nginx] [--kube-scheduler] [--prometheus] [--kwok NODES] [--linger] [--keep] -- COMMAND...
           starts a control plane, runs COMMAND inside, ends with its exit code
             --zones N     network zones 1 to N (default 0)
             --kubelets    a real node in each zone, containerd and kubelet (root only)
             --gateway     Gateway API and Traefik, Gateway default/bed
             --traefik-kinds   with --gateway: Traefik's own kinds, IngressRoute and so on
             --mesh        Gateway API and Istio: istiod and an Envoy, Gateways default/bed and default/mesh
             --ingress-nginx   ingress-nginx, which reads canary annotations; IngressClass nginx
             --kube-scheduler  places the pods that ask for no other
             --prometheus  Prometheus, which scrapes the pods that Tidegate makes
             --kwok NODES  that many fake GPU nodes in zone-a, zone-b, zone-c
             --linger      stays up after COMMAND, reachable from outside, until `bed.sh stop`
             --keep        leaves the work folder with the logs (BED_KEEP_ON_FAIL=1: on failure)
       bed.sh stop DIR                 ends a lingering bed
       bed.sh kubelets-refuse          says why this machine cannot run --kubelets; fails when it can
       bed.sh get PROGRAM...           only gets the programs: see lib/assets.sh
       bed.sh deps [LIST...]           only installs packages: build, bed, develop
  inside a bed:
       bed.sh zone-exec N COMMAND...   in the network of zone N
       bed.sh zone-dark N | zone-light N
       bed.sh zone-refuses N | zone-accepts N   it resets what comes from outside, but for the API server's answers
       bed.sh zones-apart N M | zones-together   N and M do not reach each other; nobody is apart any more
       bed.sh node-exec N COMMAND...   in the network and file system of node N (--kubelets)
       bed.sh image-make ARCHIVE NAMES PATH=PROGRAM...   an OCI image of programs and their libraries
       bed.sh image-load ARCHIVE       for every node (--kubelets)
       bed.sh api-cut | api-restore    packets to the API server vanish; 127.0.0.1 stays open
       bed.sh PROGRAM-stop [SIGNAL] | PROGRAM-start    api, etcd, kcm, gateway, istiod, prometheus, kwok
       bed.sh user NAME [GROUP...]     kubeconfig with a client certificate; prints its path
       bed.sh account NAMESPACE NAME   kubeconfig with that service account's token
       bed.sh expose ADDRESS:PORT      reachable from outside (--linger); prints where
       bed.sh metrics PID              RSS in kB and CPU time in ms
EOT
}

usage_die() {
	printf 'bed: %s\n' "$1" >&2
	usage >&2
	exit 2
}

is_number() {
	case ${1:-} in
	'' | *[!0-9]*) return 1 ;;
	esac
}

# --- outside the namespaces --------------------------------------------------------------

run_options() {
	zones=0 kubelets='' gateway='' traefik_kinds='' mesh='' ingress='' scheduler='' prometheus='' kwok=0 linger='' keep='' command=()
	while [ $# -gt 0 ]; do
		case $1 in
		--zones | --kwok)
			is_number "${2:-}" || usage_die "$1 wants a number"
			[ "$1" = --kwok ] && kwok=$2 || zones=$2
			shift
			;;
		--kubelets) kubelets=1 ;;
		--gateway) gateway=1 ;;
		--traefik-kinds) traefik_kinds=1 ;;
		--mesh) mesh=1 ;;
		--ingress-nginx) ingress=1 ;;
		--kube-scheduler) scheduler=1 ;;
		--prometheus) prometheus=1 ;;
		--linger) linger=1 ;;
		--keep) keep=1 ;;
		--)
			shift
			command=("$@")
			break
			;;
		*) usage_die "unknown option $1" ;;
		esac
		shift
	done
	[ ${#command[@]} -gt 0 ] || usage_die "run wants -- COMMAND..."
	[ "$zones" -le 200 ] || usage_die "--zones: at most 200"
	[ -z "$traefik_kinds" ] || [ -n "$gateway" ] || usage_die "--traefik-kinds wants --gateway"
	[ "$gateway$mesh$ingress" = '' ] || [ "$gateway$mesh$ingress" = 1 ] || usage_die "one of --gateway, --mesh and --ingress-nginx"
	[ -z "$kubelets" ] || { [ "$zones" -ge 1 ] && [ "$zones" -le 26 ]; } || usage_die "--kubelets wants --zones, 1 to 26"
}

run() {
	local wanted=(etcd kube-apiserver kube-controller-manager kubectl) rc=0 why
	# Not the folder of the bed that this may have been started in.
	unset BED_DIR
	run_options "$@"
	deps_require bed
	netns_enter
	[ -z "$kubelets" ] || ! why=$(kubelets_refuse) || die "--kubelets: $why"
	[ -z "$kubelets" ] || wanted+=(kubelet node-runtime)
	[ -z "$gateway" ] || wanted+=(traefik gateway-api)
	[ -z "$traefik_kinds" ] || wanted+=(traefik-crds)
	[ -z "$mesh" ] || wanted+=(istiod envoy gateway-api istio-api)
	[ -z "$ingress" ] || wanted+=(ingress-nginx ingress-nginx-files nginx-packages)
	[ -z "$scheduler" ] || wanted+=(kube-scheduler)
	[ -z "$prometheus" ] || wanted+=(prometheus)
	[ "$kwok" -eq 0 ] || wanted+=(kwok kwok-stages)
	[ -z "$linger" ] || outside_find_relay
	trap 'run_end $?' EXIT
	assets_get "${wanted[@]}"
	BED_DIR=$(mktemp -d "${TMPDIR:-/tmp}/tidegate-bed.XXXXXX")
	mkdir "$BED_DIR/log" "$BED_DIR/run" "$BED_DIR/bin"
	assets_link "$BED_DIR/bin" "${wanted[@]}"
	BED_TOKEN=$(openssl rand -hex 16)
	export BED_DIR BED_TOKEN BED_ZONES=$zones BED_TREE=$bed_tree
	export BED_GATEWAY=$gateway BED_TRAEFIK_KINDS=$traefik_kinds BED_MESH=$mesh BED_INGRESS=$ingress BED_SCHEDULER=$scheduler BED_PROMETHEUS=$prometheus BED_KUBELETS=$kubelets BED_KWOK=$kwok BED_LINGER=$linger
	run_inside "${command[@]}" || rc=$?
	exit "$rc"
}

# The first process inside must not outlive this one, whatever ends it; a
# lingering bed is on its own from the start.
run_inside() {
	local rc=0 prefix=(setpriv --pdeathsig KILL)
	[ -z "$linger" ] || prefix=(setsid "${outside_prefix[@]}")
	[ -n "$linger" ] || netns+=(--kill-child)
	env --default-signal=INT,QUIT "${prefix[@]}" "${netns[@]}" bash "$bed_self" inside "$@" <&0 &
	run_unshare=$!
	if [ -n "$linger" ]; then
		run_wait_lingering || rc=$?
	else
		wait "$run_unshare" || rc=$?
	fi
	return "$rc"
}

# run_wait_lingering: until COMMAND has ended; the bed goes on.
run_wait_lingering() {
	while [ ! -s "$BED_DIR/run/exit" ]; do
		kill -0 "$run_unshare" 2>/dev/null || return 1
		sleep 0.1
	done
	return "$(cat "$BED_DIR/run/exit")"
}

run_end() {
	local rc=$1 inner=
	trap '' INT TERM HUP
	say_interrupt
	[ -n "${BED_DIR:-}" ] || return 0
	[ -z "${run_unshare:-}" ] || inner=$(pgrep -P "$run_unshare") || true
	if [ -n "$linger" ] && [ "$rc" -eq 0 ] && [ -n "$inner" ]; then
		run_let_go "$inner"
		return 0
	fi
	[ -z "$inner" ] || bed_kill "$inner"
	[ -z "$kubelets" ] || kubelets_release
	if [ -n "$keep" ] || { [ "$rc" -ne 0 ] && [ "${BED_KEEP_ON_FAIL:-0}" = 1 ]; }; then
		say "kept: $BED_DIR"
	else
		rm -rf "$BED_DIR"
	fi
}

# `unshare` has to go: it would hold our output open for as long as the bed is up.
run_let_go() {
	echo "$1" >"$BED_DIR/run/inner.pid"
	disown "$run_unshare"
	kill -KILL "$run_unshare"
	say "the bed stays up; end it with: '$bed_self' stop '$BED_DIR'"
}

# bed_kill PID: of the first process inside. It has two seconds to end COMMAND;
# its end is everyone's end.
bed_kill() {
	local tick=0
	kill -TERM "$1" 2>/dev/null || true
	while kill -0 "$1" 2>/dev/null; do
		sleep 0.05
		tick=$((tick + 1))
		[ "$tick" -lt 50 ] || kill -KILL "$1" 2>/dev/null || true
	done
}

stop() {
	local inner
	inner=$(cat "${1:-}/run/inner.pid" 2>/dev/null) ||
		die "${1:-(no folder)} is not the folder of a lingering bed"
	# The number may long belong to another process.
	! tr '\0' '\n' 2>/dev/null <"/proc/$inner/environ" | grep -qxF "BED_DIR=$1" || bed_kill "$inner"
	BED_DIR=$1 kubelets_release
	rm -rf "$1"
}

# --- inside, as first process of the namespaces ------------------------------------------

inside() {
	local rc=0
	trap inside_interrupt INT TERM
	inside_environment
	inside_start
	say "ready"
	inside_ready=1
	env --default-signal=INT,QUIT "$@" <&0 &
	inside_command=$!
	inside_wait || rc=$?
	echo "$rc" >"$BED_DIR/run/exit"
	[ -z "$BED_LINGER" ] || [ "$rc" -ne 0 ] || inside_linger
	exit "$rc"
}

inside_interrupt() {
	inside_interrupted=1
	# Before COMMAND there is nothing to wait for.
	[ -n "${inside_ready:-}" ] || exit 130
	[ -z "${inside_command:-}" ] || kill -TERM "$inside_command" 2>/dev/null || true
}

# Whoever reads our output must see its end although we stay.
inside_linger() {
	inside_command=
	exec </dev/null >>"$BED_DIR/log/bed.log" 2>&1
	until [ -n "${inside_interrupted:-}" ]; do
		sleep infinity &
		wait "$!" || true
	done
}

# A signal ends `wait` early: COMMAND still has its time to tidy up.
inside_wait() {
	local rc
	while :; do
		rc=0
		wait "$inside_command" || rc=$?
		kill -0 "$inside_command" 2>/dev/null || return "$rc"
	done
}

inside_environment() {
	export PATH=$BED_DIR/bin:$PATH
	export KUBECTL=$BED_DIR/bin/kubectl KUBECONFIG=$BED_DIR/admin.kubeconfig KUBECACHEDIR=$BED_DIR/kubectl-cache
	export BED_APISERVER_URL=https://$BED_BACKBONE:$BED_API_PORT BED_CA=$BED_DIR/pki/ca.crt
}

inside_start() {
	local n pids=()
	netns_backbone_up
	for n in $(seq 1 "$BED_ZONES"); do
		netns_zone_up "$n"
		pids+=("$(program_pid "zone-$n")")
	done
	export BED_ZONE_PIDS="${pids[*]}"
	say "starting the control plane"
	controlplane_start
	[ -z "$BED_LINGER" ] || outside_start
	[ -z "$BED_GATEWAY" ] || gateway_start
	[ -z "$BED_MESH" ] || mesh_start
	[ -z "$BED_INGRESS" ] || ingress_start
	[ -z "$BED_SCHEDULER" ] || controlplane_start_scheduler
	[ -z "$BED_PROMETHEUS" ] || prometheus_start
	[ "$BED_KWOK" -eq 0 ] || nodes_start "$BED_KWOK"
	controlplane_wait_account
	[ -z "$BED_KUBELETS" ] || kubelets_start
}

# --- verbs for use inside ----------------------------------------------------------------

# Verbs act from the backbone, whatever zone they are called in.
from_backbone() {
	[ -n "${BED_DIR:-}" ] || die "this verb works inside a bed: bed.sh run -- COMMAND"
	[ "$(readlink /proc/self/ns/net)" = "$(readlink /proc/1/ns/net)" ] ||
		exec nsenter -t 1 -n bash "$bed_self" "$@"
}

gateway_program() {
	[ -z "$BED_MESH" ] || echo envoy
	[ -z "$BED_INGRESS" ] || echo ingress-nginx
	[ -z "$BED_GATEWAY" ] || echo traefik
}

program_name() {
	case $1 in
	api) echo kube-apiserver ;;
	kcm) echo kube-controller-manager ;;
	gateway) gateway_program ;;
	etcd | istiod | kwok | prometheus | kubelet-[0-9]* | containerd-[0-9]*) echo "$1" ;;
	*) usage_die "unknown verb $1-stop or $1-start" ;;
	esac
}

program_verb() {
	local name
	name=$(program_name "${1%-*}")
	if [ "${1##*-}" = stop ]; then
		program_stop "$name" "${2:-KILL}"
		return
	fi
	program_launch "$name"
	[ "$name" != kube-apiserver ] || controlplane_wait_apiserver
}

metrics() {
	local rss ticks
	[ -r "/proc/${1:-none}/stat" ] || die "there is no process ${1:-(no pid given)}"
	rss=$(awk '$1 == "VmRSS:" {print $2}' "/proc/$1/status")
	# The name in the second field may hold spaces: count from its closing bracket.
	ticks=$(awk '{sub(/.*\) /, ""); print $12 + $13}' "/proc/$1/stat")
	echo "rss_kb=${rss:-0} cpu_ms=$((ticks * 1000 / $(getconf CLK_TCK)))"
}

main() {
	local verb=${1:-}
	[ $# -eq 0 ] || shift
	case $verb in
	run | get | deps)
		trap say_interrupt EXIT
		trap 'exit 130' INT
		trap 'exit 143' TERM HUP
		;;
	esac
	case $verb in
	run) run "$@" ;;
	inside) inside "$@" ;;
	kubelets-node) kubelets_node "$@" ;;
	kubelets-refuse) kubelets_refuse ;;
	stop) stop "$@" ;;
	get) assets_get "$@" ;;
	deps) deps_require "${@:-bed}" ;;
	metrics) metrics "$@" ;;
	help | --help | -h) usage ;;
	zone-exec | zone-dark | zone-light | zone-refuses | zone-accepts | zones-apart | zones-together | node-exec | image-make | image-load | api-cut | api-restore | user | account | expose | *-stop | *-start)
		from_backbone "$verb" "$@"
		case $verb in
		zone-exec) netns_zone_exec "$@" ;;
		zone-dark) netns_zone_put "${1:-}" dark ;;
		zone-light) netns_zone_take "${1:-}" dark ;;
		zone-refuses) netns_zone_put "${1:-}" refusing ;;
		zone-accepts) netns_zone_take "${1:-}" refusing ;;
		zones-apart) netns_zones_apart "$@" ;;
		zones-together) netns_zones_together ;;
		node-exec) kubelets_exec "$@" ;;
		image-make) image_make "$@" ;;
		image-load) kubelets_load "$@" ;;
		api-cut) netns_api_cut ;;
		api-restore) netns_api_restore ;;
		user) kubeconfig_user "$@" ;;
		account) kubeconfig_serviceaccount "$@" ;;
		expose) outside_expose "$@" ;;
		*) program_verb "$verb" "$@" ;;
		esac
		;;
	*) usage_die "${verb:+unknown verb $verb}" ;;
	esac
}

main "$@"
