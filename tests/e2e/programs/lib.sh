# Checks that count themselves. Source it; end with `finish`.
passed=0 failed=0

pass() {
	passed=$((passed + 1))
	echo "ok    $1"
}

fail() {
	failed=$((failed + 1))
	echo "FAIL  $1"
}

# check NAME COMMAND...: passes when COMMAND succeeds.
check() {
	local name=$1
	shift
	if "$@" >/dev/null 2>&1; then
		pass "$name"
	else
		fail "$name: $*"
	fi
}

# equal NAME GOT WANTED
equal() {
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		fail "$1: got \"$2\", want \"$3\""
	fi
}

# between NAME VALUE LOW HIGH: whole numbers.
between() {
	if within "$2" "$3" "$4" 2>/dev/null; then
		pass "$1: $2"
	else
		fail "$1: got \"$2\", want $3 to $4"
	fi
}

within() {
	[ "$1" -ge "$2" ] && [ "$1" -le "$3" ]
}

# eventually SECONDS COMMAND...: until it succeeds.
eventually() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.1
	done
}

now_ms() {
	echo $(($(date +%s%N) / 1000000))
}

# kill_quietly PID...: children of ours, without a word from the shell.
kill_quietly() {
	{
		kill -9 "$@"
		wait "$@"
	} 2>/dev/null
}

finish() {
	echo "$passed passed, $failed failed, 0 skipped"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
	exit
}
