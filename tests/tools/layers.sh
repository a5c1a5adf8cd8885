#!/bin/sh
# Checks the layering of modules (run from the root of the repository):
#  - a file includes headers of its own module and of lower layers only;
#  - a pure module includes base, api and kube/object.h only, and calls no clock, no I/O, no
#    random source and no log.
# Prints each violation as file:line and exits 1; otherwise prints "layers: ok".
set -u
tools=$(dirname "$0")

# Lowest first; modules on one line may not include each other.
layers='base
net
kube
api
rollout judge failover schedule
signal traffic
reconcile
sim
serve
cli'
pure='rollout judge failover schedule'

files=$(find controller include/tidegate -name '*.[ch]' | sort)
if [ -z "$files" ]; then
	echo "layers: no sources under controller/ and include/tidegate/" >&2
	exit 1
fi

# Paths of sources have no blanks.
# shellcheck disable=SC2086
awk -f "$tools/code.awk" $files | awk -v layers="$layers" -v pure="$pure" '
BEGIN {
	n = split(layers, line, "\n")
	for (i = 1; i <= n; i++) {
		m = split(line[i], name, " ")
		for (j = 1; j <= m; j++)
			rank[name[j]] = i
	}
	rank["main"] = n + 1
	m = split(pure, name, " ")
	for (j = 1; j <= m; j++)
		is_pure[name[j]] = 1
	io = "^<(sys/|curl/|openssl/|time\\.h|unistd\\.h|fcntl\\.h|ev\\.h|poll\\.h|netdb\\.h)"
	call = "(^|[^A-Za-z0-9_])(clock_(mono_ms|wall_ms|cpu_ms|gettime)|time|gettimeofday|" \
	       "rand|random|drand48|getrandom|getenv|open|fopen|read|write|printf|fprintf|puts|" \
	       "file_read|file_write|log_(debug|info|warn|error|emit|set_fd|set_level))[ \t]*\\("
}
function violation(text) {
	print file ":" number ": " text
	bad = 1
}
# controller/<module>/x.c, include/tidegate/<module>/x.h, controller/main.c
function module_of(path,   part, k) {
	k = split(path, part, "/")
	if (part[1] == "controller")
		return k == 2 ? "main" : part[2]
	return part[3]
}
function check_include(header,   part) {
	if (header ~ /^<tidegate\// || header ~ /^"\.\.?\//) {
		violation("include " header ": write \"tidegate/<module>/<noun>.h\"")
		return
	}
	if (header ~ /^</ && module in is_pure && header ~ io) {
		violation("pure module " module " includes " header)
		return
	}
	if (header !~ /^"tidegate\//)
		return
	gsub(/"/, "", header)
	split(header, part, "/")
	if (part[2] == module)
		return
	if (!(part[2] in rank))
		violation("include of " header ": no such module")
	else if (rank[part[2]] >= rank[module])
		violation(module " includes " header ", which is not a lower layer")
	else if (module in is_pure && part[2] != "base" && part[2] != "api" &&
		 header != "tidegate/kube/object.h")
		violation("pure module " module " includes " header)
}
{
	# file:line:code
	match($0, /:[0-9]+:/)
	file = substr($0, 1, RSTART - 1)
	number = substr($0, RSTART + 1, RLENGTH - 2)
	code = substr($0, RSTART + RLENGTH)
	module = module_of(file)
	if (!(module in rank)) {
		if (number == 1)
			violation("module " module " has no layer: add it to tests/tools/layers.sh")
		next
	}
	if (code ~ /^[ \t]*#[ \t]*include/) {
		sub(/^[ \t]*#[ \t]*include[ \t]*/, "", code)
		match(code, /^("[^"]*"|<[^>]*>)/)
		check_include(substr(code, RSTART, RLENGTH))
	} else if (module in is_pure && code ~ call) {
		match(code, call)
		text = substr(code, RSTART, RLENGTH)
		gsub(/[^A-Za-z0-9_]/, "", text)
		violation("pure module " module " calls " text "()")
	}
}
END {
	if (!bad)
		print "layers: ok"
	exit bad
}'
