# replica: several operators at once, one a zone, whose exit codes are kept.

# As the manifests have it: another leads within 2.7 s.
REPLICA_LEASE=(--lease-duration 2s --lease-renew-deadline 1500ms --lease-retry-period 300ms)

# replica_start NAME ZONE: its exit code comes to run/NAME.exit, its process id is in run/NAME.real.
replica_start() {
	rm -f "$BED_DIR/run/$1.exit" "$BED_DIR/run/$1.real"
	cat >"$BED_DIR/bin/operator-of-test" <<-'EOT'
		#!/usr/bin/env bash
		"$REPLICA_TIDEGATE" "$@" &
		echo "$!" >"$BED_DIR/run/$REPLICA.real"
		wait "$!"
		echo "$?" >"$BED_DIR/run/$REPLICA.exit"
	EOT
	chmod +x "$BED_DIR/bin/operator-of-test"
	export REPLICA=$1 REPLICA_TIDEGATE=$WORLD_TIDEGATE
	WORLD_TIDEGATE=$BED_DIR/bin/operator-of-test world_start_operator "$1" "$2" "${REPLICA_LEASE[@]}"
	wait_until 5 "$1 runs" test -s "$BED_DIR/run/$1.real"
}

replica_signal() {
	kill -"$2" "$(cat "$BED_DIR/run/$1.real")"
}

# replica_exit NAME: its exit code, empty while it runs.
replica_exit() {
	cat "$BED_DIR/run/$1.exit" 2>/dev/null
}

replica_ended() {
	[ -s "$BED_DIR/run/$1.exit" ]
}

# leader_identity: who holds the lease.
leader_identity() {
	kubectl get lease -n tidegate-system tidegate-controller -o 'jsonpath={.spec.holderIdentity}'
}

# replica_of IDENTITY: the name of the replica that said it was elected with it.
replica_of() {
	grep -lF "\"msg\":\"elected leader\",\"identity\":\"$1\"" "$BED_DIR"/log/operator-*.log 2>/dev/null |
		sed 's|.*/||; s|\.log$||'
}

# leader: the replica that holds the lease and knows it.
leader() {
	local identity
	identity=$(leader_identity)
	[ -n "$identity" ] && replica_of "$identity"
}

# leader_is_not NAME: another leads.
leader_is_not() {
	local now
	now=$(leader)
	[ -n "$now" ] && [ "$now" != "$1" ]
}

# elected_ms NAME: when it last said that it leads.
elected_ms() {
	date -d "$(grep '"elected leader"' "$BED_DIR/log/$1.log" | tail -n 1 | sed 's/.*"ts":"\([^"]*\)".*/\1/')" +%s%3N
}

# replicas_lead: one in each of three zones, operator-1 and so on; who loses its Lease starts again. One of them leads.
replicas_lead() {
	local n
	for n in 1 2 3; do
		replica_start "operator-$n" "$n"
		world_keep "operator-$n" replica_start "operator-$n" "$n"
	done
	wait_until 20 "one leads" leader || give_up "nobody leads"
}

# replicas_serve: they lead, and version 1 of the model serves.
replicas_serve() {
	replicas_lead
	world_mdep 1 | kubectl apply -f - >/dev/null || give_up "version 1 was not accepted"
	wait_until 60 "version 1 serves" mdep_serves 1 || give_up "version 1 does not serve"
}

# replicas_voting N: the leader counts so many votes.
replicas_voting() {
	local name
	name=$(leader) && [ "$(world_operator_get "$name" "${name##*-}" metrics /metrics |
		sed -n 's/^tidegate_replicas_voting //p')" = "$1" ]
}

# votes_leases: one a replica that votes, or voted until a while ago.
votes_leases() {
	kubectl get leases -n tidegate-system -l serving.tidegate.io/replica-of=tidegate-controller -o name | wc -l
}
