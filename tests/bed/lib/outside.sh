# outside: how a lingering bed is reached by people and browsers. Sockets opened
# before the namespaces are entered belong to the world outside; relays inside
# serve them (tests/bed/relay).

outside_sockets=8
outside_prefix=()

# outside_find_relay: sets outside_prefix, to be put before `unshare`.
outside_find_relay() {
	local relay=${BED_BIN:-$bed_tree/build/bed}/relay
	[ -x "$relay" ] || die "$relay is not built: run make bed, or say where it is with BED_BIN"
	export BED_RELAY=$relay
	outside_prefix=("$relay" listen "$outside_sockets")
}

# outside_start: the API server first.
outside_start() {
	local address
	# shellcheck disable=SC2086 # one word a socket
	printf '%s\n' $RELAY_SOCKETS >"$BED_DIR/run/outside.free"
	address=$(outside_expose "127.0.0.1:$BED_API_PORT")
	export BED_OUTSIDE_KUBECONFIG=$BED_DIR/outside.kubeconfig
	kubeconfig_write_admin "$BED_OUTSIDE_KUBECONFIG" "https://$address"
}

# outside_expose ADDRESS:PORT: prints where it is outside.
outside_expose() {
	local socket free=$BED_DIR/run/outside.free
	[ -f "$free" ] || die "nothing can be exposed from this bed: it was not started with --linger"
	socket=$(head -n 1 "$free")
	[ -n "$socket" ] || die "all $outside_sockets outside sockets are taken"
	sed -i 1d "$free"
	program_start "relay-${socket#*:}" "$BED_RELAY" serve "${socket%%:*}" "$1"
	echo "127.0.0.1:${socket#*:}"
}
