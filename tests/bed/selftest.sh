#!/usr/bin/env bash
# selftest.sh: what the bed promises, tried. Takes about a minute with warm caches.
# shellcheck disable=SC2016 # scripts for the shell inside are in single quotes
set -eu

tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
bed=$tree/tests/bed/bed.sh
passed=0 failed=0 skipped=0
work=$(mktemp -d)
trap 'find "$work" -type d -exec chmod u+w {} +; rm -rf "$work"' EXIT
chmod 755 "$work"

# check WHAT COMMAND...: in a subshell of its own, its output only when it fails.
check() {
	local what=$1 began=$SECONDS
	shift
	if (set -e; "$@") >"$work/output" 2>&1; then
		passed=$((passed + 1))
		echo "ok      $what ($((SECONDS - began)) s)"
	else
		failed=$((failed + 1))
		echo "not ok  $what ($((SECONDS - began)) s)"
		sed 's/^/        /' "$work/output" | tail -n 30
	fi
}

skip() {
	skipped=$((skipped + 1))
	echo "skip    $1: $2"
}

# A `false` anywhere must end a check, also inside `if`, where set -e is off.
must() {
	"$@" || {
		echo "failed: $*"
		exit 1
	}
}

must_not() {
	! "$@" || {
		echo "should have failed: $*"
		exit 1
	}
}

# --- what leaves nothing behind ----------------------------------------------------------

# bed_start LOG ARGUMENTS...: in the background, able to get SIGINT as from a
# terminal; returns when the command inside has written the folder to LOG. Sets
# bed_pid, bed_dir, bed_ns.
bed_start() {
	local log=$1 tick=0
	shift
	: >"$log"
	setsid env --default-signal=INT "$bed" run "$@" -- \
		bash -c 'echo "dir=$BED_DIR"; exec sleep 300' >"$log" 2>&1 &
	bed_pid=$!
	until grep -q ^dir= "$log"; do
		kill -0 "$bed_pid" || must false
		sleep 0.1
		tick=$((tick + 1))
		[ "$tick" -lt 600 ] || must false
	done
	bed_dir=$(sed -n 's/^dir=//p' "$log")
	bed_ns=$(readlink "/proc/$(bed_process "$bed_dir")/ns/net")
}

# Any process whose environment names that folder.
bed_process() {
	local environ
	for environ in /proc/[0-9]*/environ; do
		if tr '\0' '\n' 2>/dev/null <"$environ" | grep -qxF "BED_DIR=$1"; then
			environ=${environ%/environ}
			echo "${environ#/proc/}"
			return
		fi
	done
	return 1
}

nothing_left() {
	must_not bed_process "$bed_dir"
	must_not grep -qF "$bed_dir" /proc/self/mountinfo
	must [ -z "$(find /proc/[0-9]*/ns/net -maxdepth 0 -lname "$bed_ns" 2>/dev/null)" ]
}

# leaves_nothing_after SIGNAL CODE [group]: to all its processes, as a terminal does.
leaves_nothing_after() {
	local signal=$1 code=$2 group=${3:-} rc=0 began
	bed_start "$work/run.log" --zones 2
	began=$SECONDS
	kill -"$signal" -- "${group:+-}$bed_pid"
	wait "$bed_pid" || rc=$?
	# SIGKILL leaves the kernel a moment to end the rest, and nobody to remove the folder.
	[ "$signal" != KILL ] || sleep 0.5
	nothing_left
	must [ "$rc" -eq "$code" ]
	must [ $((SECONDS - began)) -le 3 ]
	[ "$signal" = KILL ] || must [ ! -e "$bed_dir" ]
	rm -rf "$bed_dir"
}

interrupted_while_starting() {
	local began=$SECONDS pid rc=0
	mkdir "$work/early"
	TMPDIR=$work/early env --default-signal=INT "$bed" run -- true &
	pid=$!
	sleep 1
	bed_dir=$(echo "$work"/early/*)
	must [ -d "$bed_dir" ]
	kill -INT "$pid"
	wait "$pid" || rc=$?
	must [ "$rc" -eq 130 ]
	must [ $((SECONDS - began)) -le 5 ]
	must_not bed_process "$bed_dir"
	must [ ! -e "$bed_dir" ]
}

lingers_and_stops() {
	local out
	out=$(timeout 60 "$bed" run --linger -- bash -c 'echo "$BED_OUTSIDE_KUBECONFIG"')
	bed_dir=$(dirname "$out")
	bed_ns=$(readlink "/proc/$(cat "$bed_dir/run/inner.pid")/ns/net")
	must "$bed_dir/bin/kubectl" --kubeconfig "$out" --cache-dir "$work/kube" get --raw /readyz
	"$bed" stop "$bed_dir"
	nothing_left
	must [ ! -e "$bed_dir" ]
}

# --- side by side ------------------------------------------------------------------------

# A bed that must only ever see its own namespace.
sees_only_itself='kubectl create namespace "$1" >/dev/null; sleep 2
	test "$(kubectl get namespaces -o name | grep -c /only-)" = 1'

side_by_side() {
	local spaced="$work/a folder/with spaces" one two
	mkdir -p "$spaced/tests" "$spaced/tmp"
	cp -R "$tree/tests/bed" "$tree/tests/tools" "$spaced/tests/"
	"$bed" run --zones 2 -- bash -euc "$sees_only_itself" - only-one &
	one=$!
	(cd / && TMPDIR=$spaced/tmp "$spaced/tests/bed/bed.sh" run --zones 2 -- bash -euc "$sees_only_itself" - only-two) &
	two=$!
	must wait "$one"
	must wait "$two"
	must [ -z "$(ls -A "$spaced/tmp")" ]
}

# As somebody else when this is root; the cache is linked where that user can
# read it, and cannot be written.
as_ordinary_user() {
	local drop=() cache=${XDG_CACHE_HOME:-$HOME/.cache}/tidegate home=$work/nobody
	mkdir -p "$home/cache" "$home/tree/tests" "$home/tmp"
	cp -RL "$tree/tests/bed" "$tree/tests/tools" "$home/tree/tests/"
	cp -al "$cache" "$home/cache/" 2>/dev/null || cp -a "$cache" "$home/cache/"
	chmod -R a+rX "$home"
	find "$home/cache" -type d -exec chmod a-w {} +
	chmod 1777 "$home/tmp"
	[ "$(id -u)" -ne 0 ] || drop=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	must [ -z "$(find "$home/cache" ! -perm -o=r ! -name '.*')" ]
	env -i PATH="$PATH" HOME="$home" XDG_CACHE_HOME="$home/cache" TMPDIR="$home/tmp" \
		"${drop[@]}" "$home/tree/tests/bed/bed.sh" run --zones 2 -- bash -euc '
			test "$(kubectl get namespaces -o name | wc -l)" = 4
			"$BED_TREE/tests/bed/bed.sh" zone-exec 1 true'
	must [ -z "$(ls -A "$home/tmp")" ]
}

# --- inside ------------------------------------------------------------------------------

# Sources of network truth for the checks inside: a server in each zone.
inside_prelude='set -eu
	bed=$BED_TREE/tests/bed/bed.sh
	pki=$BED_DIR/pki
	for n in 1 2; do
		"$bed" zone-exec $n openssl s_server -quiet -accept 10.244.$n.7:8443 -cert "$pki/apiserver.crt" -key "$pki/apiserver.key" &
	done
	sleep 0.5
	# reach ADDRESS PORT: 0 connected, 124 nobody answered, else refused at once
	reach() { timeout 0.7 bash -c ": </dev/tcp/$1/$2" 2>/dev/null; }
	code() { local rc=0; "$@" || rc=$?; echo $rc; }
	want() { test "$1" = "$2" || { echo "line $BASH_LINENO: got $1, want $2"; exit 1; }; }
'

zone_goes_dark() {
	"$bed" run --zones 2 -- bash -c "$inside_prelude"'
		want "$(code reach 10.244.1.7 8443)" 0
		want "$(code reach 10.244.2.7 8443)" 0
		want "$(code "$bed" zone-exec 1 timeout 1 bash -c ": </dev/tcp/10.244.2.7/8443")" 0
		"$bed" zone-dark 1
		want "$(code reach 10.244.1.7 8443)" 124
		want "$(code reach 10.244.2.7 8443)" 0
		want "$(code "$bed" zone-exec 1 timeout 0.7 bash -c ": </dev/tcp/10.200.0.1/6443")" 124
		want "$(code "$bed" zone-exec 2 timeout 0.7 bash -c ": </dev/tcp/10.244.1.7/8443")" 124
		want "$(code "$bed" zone-exec 2 timeout 0.7 bash -c ": </dev/tcp/10.200.0.1/6443")" 0
		"$bed" zone-light 1
		want "$(code reach 10.244.1.7 8443)" 0
		want "$(code "$bed" zone-dark 3)" 1'
}

zone_refuses() {
	"$bed" run --zones 2 -- bash -c "$inside_prelude"'
		"$bed" zone-refuses 1
		want "$(code reach 10.244.1.7 8443)" 1
		want "$(code reach 10.244.2.7 8443)" 0
		want "$(code "$bed" zone-exec 2 timeout 0.7 bash -c ": </dev/tcp/10.244.1.7/8443")" 1
		want "$(code "$bed" zone-exec 1 timeout 0.7 bash -c ": </dev/tcp/10.200.0.1/6443")" 0
		"$bed" zone-accepts 1
		want "$(code reach 10.244.1.7 8443)" 0'
}

zones_part() {
	"$bed" run --zones 3 -- bash -c "$(sed 's/1 2/1 2 3/' <<<"$inside_prelude")"'
		from() { code "$bed" zone-exec "$1" timeout 0.7 bash -c ": </dev/tcp/$2"; }
		"$bed" zones-apart 1 2
		want "$(from 1 10.244.2.7/8443)" 124
		want "$(from 2 10.244.1.7/8443)" 124
		want "$(from 3 10.244.1.7/8443)" 0
		want "$(from 1 10.244.3.7/8443)" 0
		want "$(from 1 10.200.0.1/6443)" 0
		want "$(code reach 10.244.2.7 8443)" 0
		"$bed" zones-together
		want "$(from 1 10.244.2.7/8443)" 0
		want "$(code "$bed" zones-apart 1 4)" 1'
}

zone_dark_stalls_open_connections() {
	"$bed" run --zones 1 -- bash -c 'set -eu
		bed=$BED_TREE/tests/bed/bed.sh
		"$bed" zone-exec 1 "$KUBECTL" get configmaps -n default --watch-only -o name >"$BED_DIR/seen" &
		sleep 1.5
		kubectl create configmap before >/dev/null
		sleep 0.5
		"$bed" zone-dark 1
		kubectl create configmap while >/dev/null
		sleep 1
		grep -q before "$BED_DIR/seen"
		! grep -q while "$BED_DIR/seen"'
}

api_goes_away_and_returns() {
	"$bed" run --zones 1 -- bash -c "$(sed 's/1 2/1/' <<<"$inside_prelude")"'
		"$bed" api-cut
		want "$(code reach 10.200.0.1 6443)" 124
		want "$(code "$bed" zone-exec 1 timeout 0.7 bash -c ": </dev/tcp/10.200.0.1/6443")" 124
		kubectl --kubeconfig "$BED_DIR/loopback.kubeconfig" get --raw /readyz >/dev/null
		"$bed" api-restore
		want "$(code reach 10.200.0.1 6443)" 0
		"$bed" api-stop
		want "$(code reach 10.200.0.1 6443)" 1
		"$bed" api-start
		kubectl get namespace default >/dev/null
		"$bed" etcd-stop
		! kubectl get namespace default --request-timeout=1s >/dev/null 2>&1
		"$bed" etcd-start
		for i in $(seq 50); do ! kubectl get namespace default --request-timeout=1s || exit 0; sleep 0.2; done
		exit 1'
}

users_have_their_rights() {
	"$bed" run -- bash -c 'set -eu
		bed=$BED_TREE/tests/bed/bed.sh
		alice=$("$bed" user alice devs) robot=$("$bed" account default default)
		kubectl create clusterrolebinding devs --clusterrole=view --group=devs >/dev/null
		kubectl --kubeconfig "$alice" get configmaps >/dev/null
		! kubectl --kubeconfig "$alice" create configmap x 2>/dev/null
		! kubectl --kubeconfig "$robot" get configmaps 2>/dev/null
		test "$(kubectl --kubeconfig "$robot" auth whoami -o "jsonpath={.status.userInfo.username}")" = system:serviceaccount:default:default
		"$bed" metrics $$ | grep -q "^rss_kb=[1-9][0-9]* cpu_ms=[0-9]*$"'
}

gateway_and_nodes() {
	"$bed" run --gateway --kwok 30 -- bash -c 'set -eu
		test "$(curl -s -o /dev/null -w "%{http_code}" "$BED_GATEWAY_URL")" = 404
		test "$(kubectl get nodes -l topology.kubernetes.io/zone=zone-b -o name | wc -l)" = 10
		test "$(kubectl get node fake-0000 -o "jsonpath={.status.allocatable.nvidia\.com/gpu}")" = 8
		kubectl run p --image=none --overrides="{\"spec\":{\"nodeName\":\"fake-0003\"}}" >/dev/null
		kubectl wait --for=condition=Ready pod/p --timeout=10s >/dev/null'
}

gives_the_commands_exit_code() {
	local rc=0
	"$bed" run -- bash -c 'exit 7' || rc=$?
	must [ "$rc" -eq 7 ]
	rc=0
	"$bed" run --zones || rc=$?
	must [ "$rc" -eq 2 ]
}

# The end of the log of the program that would not start, and the logs kept on request.
shows_why_it_did_not_start() {
	mkdir "$work/broken" "$work/kept"
	cat >"$work/broken/etcd" <<-'EOT'
		#!/bin/sh
		[ "$1" != --version ] || exec echo etcd Version: 3.6.8
		echo the disk is made of cheese
		exit 1
	EOT
	chmod +x "$work/broken/etcd"
	must_not env KUBEBUILDER_ASSETS="$work/broken" TMPDIR="$work/kept" BED_KEEP_ON_FAIL=1 "$bed" run -- true 2>"$work/said"
	cat "$work/said"
	must grep -q 'made of cheese' "$work/said"
	must grep -rq 'made of cheese' "$work"/kept/*/log
}

# --- assets and packages -----------------------------------------------------------------

with_assets() {
	bed_tree=$tree
	XDG_CACHE_HOME=$work/cache-$1
	unset KUBEBUILDER_ASSETS
	# shellcheck source=/dev/null
	for lib in say deps assets; do . "$tree/tests/bed/lib/$lib.sh"; done
	assets_build() { return 1; }
}

fake_program() {
	printf '#!/bin/sh\necho "%s"\n' "$2" >"$1"
	chmod +x "$1"
}

assets_versions() {
	with_assets versions
	mkdir -p "$work/versions/new" "$work/versions/old"
	fake_program "$work/versions/new/kube-apiserver" 'Kubernetes v1.34.1'
	fake_program "$work/versions/old/kube-apiserver" 'Kubernetes v1.32.9'
	fake_program "$work/versions/old/kubectl" 'use a newer one'
	PATH=$work/versions/old:$PATH must_not assets_find kube-apiserver
	PATH=$work/versions/old:$PATH must_not assets_find kubectl
	KUBEBUILDER_ASSETS=$work/versions/new PATH=$work/versions/old:$PATH must assets_find kube-apiserver
	must [ "${assets_path[kube-apiserver]}" = "$work/versions/new/kube-apiserver" ]
}

assets_download_checks() {
	with_assets download
	mkdir -p "$work/server"
	fake_program "$work/server/kwok-linux-$(assets_architecture)" 'kwok version v0.8.0'
	export BED_DOWNLOADS=file://$work/server
	# Not the pinned bytes: thrown away, nothing left in the cache.
	must_not env_assets_get kwok
	must [ -z "$(find "$assets_cache" ! -name .lock -type f)" ]
	assets_downloads() {
		echo "kwok any https://example.invalid/kwok-linux-$(assets_architecture) sha256:$(sha256sum <"$work/server/kwok-linux-$(assets_architecture)" | cut -d' ' -f1) -"
	}
	must env_assets_get kwok
	must [ "$("$assets_cache/kwok")" = 'kwok version v0.8.0' ]
	# Nobody there: the next asset does not wait for another time-out.
	unset BED_DOWNLOADS
	must_not assets_download kwok
	must [ "$assets_offline" = 1 ]
}

# assets_get with its `die` kept from ending the check, without what PATH offers.
env_assets_get() {
	(PATH=/usr/bin:/bin assets_get "$@")
}

assets_built_once() {
	with_assets once
	assets_offline=1
	assets_build() {
		echo built >>"$work/builds"
		sleep 1
		fake_program "$work/new-$BASHPID" made
		assets_keep "$1" "$work/new-$BASHPID"
	}
	env_assets_get kwok &
	local other=$!
	must env_assets_get kwok
	must wait "$other"
	must [ "$(wc -l <"$work/builds")" = 1 ]
	must [ "$(stat -c %a "$assets_cache/kwok")" = 755 ]
}

interrupted_while_building() {
	with_assets interrupted
	mkdir -p "$assets_cache"
	(
		trap say_interrupt EXIT
		trap 'exit 143' TERM
		say_while "building" "$work/build.log" bash -c 'echo $$ >"$1"; sleep 300 & wait' - "$work/build.pid"
	) &
	local pid=$! rc=0
	sleep 0.5
	kill -TERM "$pid" 2>/dev/null
	wait "$pid" || rc=$?
	must [ "$rc" -ne 0 ]
	sleep 0.2
	must_not pgrep -r R,S,D,T -g "$(cat "$work/build.pid")"
}

# What forbids user namespaces is one line with the way out.
namespaces_forbidden() {
	with_assets forbidden
	# shellcheck source=/dev/null
	. "$tree/tests/bed/lib/netns.sh"
	unshare() { return 1; }
	id() { echo 1000; }
	(netns_enter) 2>"$work/said" && must false
	must [ "$(wc -l <"$work/said")" = 1 ]
	must grep -q sudo "$work/said"
}

packages_complete_is_quick() {
	local began=${EPOCHREALTIME/./}
	"$bed" deps bed
	must [ $((${EPOCHREALTIME/./} - began)) -lt 300000 ]
}

packages_missing_one_line() {
	with_assets packages
	deps_list_bed='no-such-program no-such-package
		sh dash'
	must [ "$(deps_missing bed)" = no-such-package ]
	sudo() { return 1; }
	id() { echo 1000; }
	(deps_require bed) 2>"$work/said" && must false
	must grep -q 'apt-get install .* no-such-package$' "$work/said"
}

"$bed" get etcd kube-apiserver kube-controller-manager kubectl traefik kwok gateway-api traefik-crds istio-api kwok-stages
check "packages: nothing to do takes no time" packages_complete_is_quick
check "packages: an ordinary user gets the one line to run" packages_missing_one_line
check "programs: from KUBEBUILDER_ASSETS and PATH when recent enough" assets_versions
check "programs: a download is what was pinned or nothing" assets_download_checks
check "programs: two runs make them once" assets_built_once
check "programs: an interrupted build ends with its children" interrupted_while_building
check "namespaces forbidden: one line offers sudo" namespaces_forbidden
check "exit code is the command's" gives_the_commands_exit_code
check "a program that does not start shows its log" shows_why_it_did_not_start
check "two side by side, one from a path with spaces" side_by_side
check "as an ordinary user with a cache it cannot write" as_ordinary_user
check "zone dark: silent, both ways, the others go on" zone_goes_dark
check "zone refuses: reset at once, it reaches the API server" zone_refuses
check "two zones do not reach each other" zones_part
check "zone dark: open connections stall" zone_dark_stalls_open_connections
check "API server cut off, killed, etcd killed: each comes back" api_goes_away_and_returns
check "users and accounts have their own rights" users_have_their_rights
check "gateway serves, fake nodes run pods" gateway_and_nodes
check "Ctrl-C in a terminal leaves nothing behind" leaves_nothing_after INT 130 group
check "SIGINT leaves nothing behind" leaves_nothing_after INT 130
check "Ctrl-C while starting leaves nothing behind" interrupted_while_starting
check "SIGTERM leaves nothing behind" leaves_nothing_after TERM 143
check "SIGKILL leaves no process behind" leaves_nothing_after KILL 137
if [ -x "${BED_BIN:-$tree/build/bed}/relay" ]; then
	check "a lingering bed is reached from outside and stops" lingers_and_stops
else
	skip "a lingering bed" "the relay is not built (make bed)"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
