# e2e: what the end-to-end tests that run inside a bed have in common. Sources
# all they need.
for e2e_lib in tests/bed/lib/say tests/bed/lib/program tests/e2e/programs/lib tests/bed/lib/world \
	tests/e2e/lib/record tests/e2e/lib/replay; do
	# shellcheck source=/dev/null
	. "$BED_TREE/$e2e_lib.sh"
done
e2e_began=$(now_ms)

tell() {
	printf '[%6.1f s] %s\n' "$(seconds_since "$e2e_began")" "$*"
}

# give_up WHAT: the rest would only be noise.
give_up() {
	fail "$1"
	e2e_evidence
	finish
}

e2e_evidence() {
	local log
	kubectl get mdep,rs,pods -n shop | sed 's/^/    /'
	printf '    status: %s %s\n' "$(mdep .status.rollout)" "$(mdep .status.traffic)"
	for log in "$BED_DIR"/log/operator*.log; do
		tail -n 12 "$log" | cut -c1-300 | sed 's/^/    /'
	done
}

# rule NAME COMMAND...: passes when it finds nothing.
rule() {
	local name=$1 found
	shift
	found=$("$@" 2>&1)
	equal "$name" "$(head -n 5 <<<"$found")" ""
}

# status_now: phase step weight verified hold stable target, from the record.
status_now() {
	grep ' status ' "$RECORD" | tail -n 1 | sed -E 's/ \|/ -|/g; s/\|//g' | cut -d' ' -f4-
}

# lost_none NAME [VERSION...]: no request is lost until now; errors that a version named here answered are its own.
lost_none() {
	local name=$1 lost others
	shift
	lost=$(world_lost "$@")
	equal "$name" "$lost" 0
	[ "$lost" -ne 0 ] || return 0
	others=$(printf '%s\n' '"status":200[,}]' "${@/#/\"version\":\"}")
	grep -v "$others" "$WORLD_RECORDS" | head -n 5 | cut -c1-300 | sed 's/^/    /'
}

# requests_lost_none [VERSION...]: the same at the end of the load.
requests_lost_none() {
	sleep 1
	world_stop_load
	lost_none "requests lost of $(world_sent)" "$@"
}
