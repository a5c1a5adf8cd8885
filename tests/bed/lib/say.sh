# say: what the person at the terminal reads. Everything goes to stderr, with
# the seconds since the script began, so that stdout stays the command's own.

say_began=${say_began:-$SECONDS}

say() {
	printf '[%4ds] %s\n' "$((SECONDS - say_began))" "$*" >&2
}

# die MESSAGE...: the last words of a script.
die() {
	printf 'bed: %s\n' "$*" >&2
	exit 1
}

# say_while WHAT LOG COMMAND...: runs COMMAND with its output in LOG and says
# every 15 s that it is still at it. COMMAND gets a process group of its own, so
# that an interrupted script can end it with all its children.
say_while() {
	local what=$1 log=$2 began=$SECONDS pid rc=0 tick=0
	shift 2
	say "$what ..."
	setsid "$@" </dev/null >"$log" 2>&1 &
	pid=$!
	say_running=$pid
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.2
		tick=$((tick + 1))
		[ $((tick % 75)) -ne 0 ] || say "$what ... still running, $((SECONDS - began)) s"
	done
	wait "$pid" || rc=$?
	say_running=
	[ "$rc" -eq 0 ] && say "$what: done in $((SECONDS - began)) s"
	return "$rc"
}

# say_interrupt: ends what say_while is running. For EXIT traps.
say_interrupt() {
	[ -n "${say_running:-}" ] && kill -TERM -- "-$say_running" 2>/dev/null || return 0
	wait "$say_running" || true
}

# say_log_tail FILE [LINES]: the end of a log, indented.
say_log_tail() {
	[ ! -s "$1" ] || tail -n "${2:-12}" "$1" | cut -c1-400 | sed 's/^/    /' >&2
}
