#!/bin/sh
# Tests layers.sh and banned.sh on small trees made here, links.sh, and the counting of the unit tests' runner.
# Ends with "N passed, N failed".
set -u
tools=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d) || exit 1
trap 'rm -rf "$tree"' EXIT
cd "$tree" || exit 1
pass=0 fail=0

# $1 script, $2 file, $3 its content, $4 line that must be printed ("" = it must be clean)
expect() {
	rm -rf controller include tests
	mkdir -p controller/base include/tidegate/base tests "$(dirname "$2")"
	echo 'int x;' >controller/base/ok.c
	printf '%b' "$3" >"$2"
	out=$(sh "$tools/$1.sh" 2>&1)
	rc=$?
	if { [ -z "$4" ] && [ $rc -eq 0 ] && [ "$out" = "$1: ok" ]; } ||
		{ [ -n "$4" ] && [ $rc -eq 1 ] && [ "$out" = "$4" ]; }; then
		pass=$((pass + 1))
	else
		fail=$((fail + 1))
		printf 'FAIL %s %s: %b\n  wanted: %s\n  got (exit %s): %s\n' "$1" "$2" "$3" "$4" "$rc" "$out"
	fi
}

expect layers controller/net/a.c '#include "tidegate/base/err.h"\n' ''
expect layers controller/net/a.c '#include "tidegate/net/http.h"\n' ''
expect layers controller/net/a.c '\n#include "tidegate/kube/client.h"\n' \
	'controller/net/a.c:2: net includes tidegate/kube/client.h, which is not a lower layer'
expect layers include/tidegate/base/a.h '#  include "tidegate/cli/x.h"\n' \
	'include/tidegate/base/a.h:1: base includes tidegate/cli/x.h, which is not a lower layer'
expect layers controller/rollout/a.c '#include "tidegate/judge/x.h"\n' \
	'controller/rollout/a.c:1: rollout includes tidegate/judge/x.h, which is not a lower layer'
expect layers controller/judge/a.c '#include "tidegate/kube/client.h"\n' \
	'controller/judge/a.c:1: pure module judge includes tidegate/kube/client.h'
expect layers controller/judge/a.c '#include "tidegate/kube/object.h"\n#include "tidegate/api/x.h"\n' ''
expect layers controller/schedule/a.c '#include <time.h>\n' \
	'controller/schedule/a.c:1: pure module schedule includes <time.h>'
expect layers controller/schedule/a.c 'int f(void)\n{\n\treturn clock_mono_ms();\n}\n' \
	'controller/schedule/a.c:3: pure module schedule calls clock_mono_ms()'
expect layers controller/rollout/a.c '\tlog_info("x");\n' \
	'controller/rollout/a.c:1: pure module rollout calls log_info()'
expect layers controller/rollout/a.c '/* time(NULL)\n rand() */ f("log_info(x)"); // time()\nmy_time(1); clock_parse(s);\n' ''
expect layers controller/net/a.c '\tlog_info("x");\n' ''
expect layers controller/traffic/a.c '#include "tidegate/signal/x.h"\n' \
	'controller/traffic/a.c:1: traffic includes tidegate/signal/x.h, which is not a lower layer'
expect layers controller/main.c '#include "tidegate/cli/x.h"\n' ''
expect layers controller/net/a.c '#include "../base/x.h"\n' \
	'controller/net/a.c:1: include "../base/x.h": write "tidegate/<module>/<noun>.h"'
expect layers controller/new/a.c 'int y;\n' \
	'controller/new/a.c:1: module new has no layer: add it to tests/tools/layers.sh'
expect layers controller/cli/a.c '#include "tidegate/nowhere/x.h"\n' \
	'controller/cli/a.c:1: include of tidegate/nowhere/x.h: no such module'

expect banned controller/base/a.c '\tstrcpy(a, b);\n' 'controller/base/a.c:1: strcpy(): use str_copy()'
expect banned tests/a.c 'x\n\tsprintf (a, b);\n' 'tests/a.c:2: sprintf(): use snprintf() or struct buf'
expect banned controller/base/a.c '\tsnprintf(a); my_strcpy(b); gmtime_r(c); /* strcpy(d) */ "atoi(1)";\n' ''
expect banned tests/a.c '\tstrtol(s, NULL, 10); time(NULL);\n' ''
expect banned include/tidegate/base/a.h '\ttime(NULL);\n' \
	'include/tidegate/base/a.h:1: time(): use clock_mono_ms() or an argument'

# $1 a document beside ok.md, which has the headings "One `two` (3)", "Same" and "Same"; $2 what is found
link() {
	printf '# One `two` (3)\n## Same\n## Same\n```\n# no\n[no](no.md)\n```\n' >ok.md
	printf '%b' "$1" >doc.md
	out=$(sh "$tools/links.sh" doc.md 2>&1)
	if [ "$out" = "$2" ]; then
		pass=$((pass + 1))
	else
		fail=$((fail + 1))
		printf 'FAIL links %b: %s\n' "$1" "$out"
	fi
}

link '[a](ok.md) ![b](ok.md "t") [c](https://x.y/z) [d](ok.md#one-two-3) [e](ok.md#same-1)\n# F\n[g](#f)\n' 'links: 5 checked'
link 'a\n`[x](none)` [b](none.md)\n' 'doc.md:2: no file none.md'
link '[a](ok.md#no) <img src="none.png">\n[r]: gone.md\n' 'doc.md:1: no heading #no in ./ok.md
doc.md:1: no file none.png
doc.md:2: no file gone.md'

# $1 name of a program that the runner is given, $2 what it does
program() {
	printf '#!/bin/sh\n%b\n' "$2" >"bin/$1"
	chmod +x "bin/$1"
}

# $1 what, $2 exit code wanted, $3 last line wanted, $4 a line that must be there, rest: programs
runner() {
	what=$1 want_rc=$2 want=$3 line=$4
	shift 4
	out=$(sh "$tools/../unit/run.sh" "$@" 2>&1)
	rc=$?
	if [ $rc -eq "$want_rc" ] && [ "$(printf '%s\n' "$out" | tail -n 1)" = "$want" ] &&
		{ [ -z "$line" ] || printf '%s\n' "$out" | grep -qx "$line"; }; then
		pass=$((pass + 1))
	else
		fail=$((fail + 1))
		printf 'FAIL runner, %s: exit %s\n%s\n' "$what" "$rc" "$out"
	fi
}

mkdir bin "bin/a b"
program good "echo '[       OK ] a'; echo '[       OK ] b'"
program skips "echo '[       OK ] a'; echo '[  SKIPPED ] b'; echo '[  SKIPPED ] 1 test(s), listed below:'; echo '[  SKIPPED ] b'"
program bad "echo '[       OK ] a'; echo '[  FAILED  ] b'; echo '[  FAILED  ] 1 test(s), listed below:'; echo '[  FAILED  ] b'; exit 1"
program dies "echo '[       OK ] a'; kill -SEGV \$\$"
program 'a b/good' "echo '[       OK ] a'"
runner 'all good' 0 '3 passed, 0 failed, 1 skipped' '' bin/good bin/skips
runner 'one fails, its output is shown' 1 '3 passed, 1 failed, 0 skipped' 'FAIL bin/bad (exit 1)' bin/bad bin/good
runner 'one dies' 1 '3 passed, 1 failed, 0 skipped' 'FAIL bin/dies (exit 139)' bin/good bin/dies
runner 'one is missing' 1 '2 passed, 1 failed, 0 skipped' 'FAIL bin/none (exit 127)' bin/good bin/none
runner 'a path with a space' 0 '1 passed, 0 failed, 0 skipped' '' 'bin/a b/good'
runner 'nothing ran' 1 '0 passed, 0 failed, 0 skipped' ''

echo "$pass passed, $fail failed"
[ $fail -eq 0 ]
