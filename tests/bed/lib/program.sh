# program: a background process of the bed. Its command line is kept in
# $BED_DIR/run, so that it can be stopped and started again as it was; its
# output goes to $BED_DIR/log.

program_start() {
	local name=$1
	shift
	printf '%s\0' "$@" >"$BED_DIR/run/$name.argv"
	program_launch "$name"
}

program_launch() {
	local name=$1 argv=()
	[ -s "$BED_DIR/run/$name.argv" ] || die "$name was never started in this bed"
	program_alive "$name" && die "$name is already running"
	mapfile -d '' argv <"$BED_DIR/run/$name.argv"
	"${argv[@]}" </dev/null >>"$BED_DIR/log/$name.log" 2>&1 &
	echo "$!" >"$BED_DIR/run/$name.pid"
	# No "Killed" from the shell when a test kills it.
	disown "$!"
}

program_pid() {
	cat "$BED_DIR/run/$1.pid" 2>/dev/null
}

program_alive() {
	local pid
	pid=$(program_pid "$1") && kill -0 "$pid" 2>/dev/null
}

# program_stop NAME [SIGNAL]: returns when the process is gone.
program_stop() {
	local name=$1 pid tick=0
	pid=$(program_pid "$name") || die "$name is not running"
	kill -"${2:-KILL}" "$pid" 2>/dev/null || true
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.02
		tick=$((tick + 1))
		[ "$tick" -ne 500 ] || kill -KILL "$pid"
	done
	rm -f "$BED_DIR/run/$name.pid"
}

# program_wait NAMES SECONDS WHAT CHECK...: until CHECK succeeds; with the end of
# the log when one of NAMES dies, or of the last one's when the time is over.
program_wait() {
	local names=$1 limit=$2 what=$3 name began=$SECONDS
	shift 3
	until "$@" >/dev/null 2>&1; do
		for name in $names; do
			program_alive "$name" || program_failed "$name" "ended before $what"
		done
		[ $((SECONDS - began)) -le "$limit" ] || program_failed "$name" "got $limit s, too few before $what"
		sleep 0.05
	done
}

program_failed() {
	printf 'bed: %s %s; the end of its log:\n' "$1" "$2" >&2
	say_log_tail "$BED_DIR/log/$1.log"
	exit 1
}
