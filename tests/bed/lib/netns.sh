# netns: the namespaces of a bed. The outer one is the backbone: control plane,
# gateway and load. Each zone is one more network namespace behind a veth pair,
# so that it can be cut off as a real zone is: packets vanish, nothing answers.
#
#   backbone  10.200.0.1/32 on lo, zN: 10.200.N.1/30, route 10.244.N.0/24
#   zone N    eth0: 10.200.N.2/30, every address of 10.244.N.0/24 is local

BED_BACKBONE=10.200.0.1

# netns_enter: sets the array `netns` to the prefix that runs a command as first
# process of new namespaces; whatever ends it, the kernel ends the others.
netns_enter() {
	local flags=(-n --pid --mount-proc --fork)
	netns=()
	if [ "$(id -u)" -eq 0 ] && unshare "${flags[@]}" true 2>/dev/null; then
		netns=(unshare "${flags[@]}")
	elif unshare -U --map-root-user "${flags[@]}" true 2>/dev/null; then
		netns=(unshare -U --map-root-user "${flags[@]}")
	elif [ "$(id -u)" -eq 0 ]; then
		die "this environment forbids new network, pid and mount namespaces even to root (a container needs --privileged)"
	else
		die "user namespaces are forbidden to ordinary users here: run it again with sudo -E"
	fi
}

# netns_backbone_up PORT: PORT is the API server's, for api-cut.
netns_backbone_up() {
	ip -batch - <<-EOT
		link set lo up
		addr add $BED_BACKBONE/32 dev lo
	EOT
	echo 1 >/proc/sys/net/ipv4/ip_forward
	nft -f - <<-EOT
		table inet bed {
			set dark { type ifname; }
			set refusing { type ifname; }
			set cut { type inet_service; }
			set apart { type ifname . ifname; }
			chain input {
				type filter hook input priority 0;
				iifname @dark drop
				ip daddr $BED_BACKBONE tcp dport @cut drop
			}
			chain output {
				type filter hook output priority 0;
				oifname @dark drop
				oifname @refusing tcp sport != $BED_API_PORT reject with tcp reset
				ip saddr $BED_BACKBONE tcp sport @cut drop
			}
			chain forward {
				type filter hook forward priority 0;
				iifname @dark drop
				oifname @dark drop
				iifname . oifname @apart drop
				oifname @refusing reject with tcp reset
			}
		}
	EOT
}

# netns_zone_up N: prints nothing; the holder's pid is in run/zone-N.pid.
netns_zone_up() {
	local n=$1 pid own
	own=$(readlink /proc/self/ns/net)
	program_start "zone-$n" unshare -n sleep infinity
	pid=$(program_pid "zone-$n")
	while [ "$(readlink "/proc/$pid/ns/net")" = "$own" ]; do
		program_alive "zone-$n" || program_failed "zone-$n" "ended"
		sleep 0.01
	done
	ip -batch - <<-EOT
		link add z$n type veth peer name eth0 netns $pid
		addr add 10.200.$n.1/30 dev z$n
		link set z$n up
		route add 10.244.$n.0/24 via 10.200.$n.2
	EOT
	nsenter -t "$pid" -n ip -batch - <<-EOT
		link set lo up
		addr add 10.200.$n.2/30 dev eth0
		link set eth0 up
		route add default via 10.200.$n.1
		route add local 10.244.$n.0/24 dev lo
	EOT
}

netns_zone_pid() {
	program_pid "zone-$1" || die "there is no zone $1 in this bed (1 to $BED_ZONES)"
}

netns_zone_exec() {
	local pid
	pid=$(netns_zone_pid "$1")
	shift
	exec nsenter -t "$pid" -n "$@"
}

# netns_zone_put N SET, netns_zone_take N SET: into the packet filter's set of dark or refusing zones, and out of it.
netns_zone_put() {
	netns_zone_pid "$1" >/dev/null
	nft add element inet bed "$2" "{ \"z$1\" }"
}

netns_zone_take() {
	netns_zone_pid "$1" >/dev/null
	nft get element inet bed "$2" "{ \"z$1\" }" >/dev/null 2>&1 || return 0
	nft delete element inet bed "$2" "{ \"z$1\" }"
}

# netns_zones_apart N M: the two do not reach each other; everything else reaches both.
netns_zones_apart() {
	netns_zone_pid "$1" >/dev/null
	netns_zone_pid "$2" >/dev/null
	nft add element inet bed apart "{ \"z$1\" . \"z$2\", \"z$2\" . \"z$1\" }"
}

netns_zones_together() {
	nft flush set inet bed apart
}

netns_api_cut() {
	nft add element inet bed cut "{ $BED_API_PORT }"
}

netns_api_restore() {
	nft flush set inet bed cut
}
