#!/bin/sh
# Checks that no C source uses a function that has a safer one beside it (run from the root of
# the repository). Prints each use as file:line and exits 1; otherwise prints "banned: ok".
set -u
tools=$(dirname "$0")

files=$(find controller include tests -name '*.[ch]' | sort)
if [ -z "$files" ]; then
	echo "banned: no sources under controller/, include/ and tests/" >&2
	exit 1
fi

# name;what to use instead;paths where the rule holds (default: all);paths that are free of it
rules='strcpy;str_copy()
strcat;struct buf
strncpy;str_copy()
strtok;strchr() or strcspn()
sprintf;snprintf() or struct buf
vsprintf;vsnprintf() or struct buf
gets;fgets()
gmtime;clock_format()
localtime;clock_format()
ctime;clock_format()
asctime;clock_format()
atoi;str_to_i64()
atol;str_to_i64()
atoll;str_to_i64()
atof;str_to_double()
strtol;str_to_i64();^(controller|include)/
strtoll;str_to_i64();^(controller|include)/
sscanf;a parser that says what is wrong
alloca;struct arena
system;posix_spawn() or fork() and execve()
popen;posix_spawn() or fork() and execve()
rand;a seed that comes in as an argument
srand;a seed that comes in as an argument
time;clock_mono_ms() or an argument;^(controller|include)/
setlocale;nothing: numbers are written in the C locale'

# shellcheck disable=SC2086
awk -f "$tools/code.awk" $files | awk -v rules="$rules" '
BEGIN {
	count = split(rules, rule, "\n")
	for (i = 1; i <= count; i++) {
		n = split(rule[i], field, ";")
		pattern[i] = "(^|[^A-Za-z0-9_])" field[1] "[ \t]*\\("
		instead[i] = field[2]
		only[i] = n > 2 ? field[3] : "."
		free[i] = n > 3 ? field[4] : "^$"
	}
}
{
	match($0, /:[0-9]+:/)
	place = substr($0, 1, RSTART + RLENGTH - 2)
	code = substr($0, RSTART + RLENGTH)
	if (code ~ /^[ \t]*#[ \t]*include/)
		next
	if (code !~ /\(/)
		next
	for (i = 1; i <= count; i++) {
		if (code !~ pattern[i] || place !~ only[i] || place ~ free[i])
			continue
		match(code, pattern[i])
		name = substr(code, RSTART, RLENGTH)
		gsub(/[^A-Za-z0-9_]/, "", name)
		print place ": " name "(): use " instead[i]
		bad = 1
	}
}
END {
	if (!bad)
		print "banned: ok"
	exit bad
}'
