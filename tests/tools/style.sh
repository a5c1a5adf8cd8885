#!/bin/sh
# Formatting and static analysis with the tools' pinned major version: another one formats otherwise.
# Ends with "N passed, N failed, N skipped".
cd "$(dirname "$0")/../.." || exit 1
want=14
pass=0 fail=0 skip=0

# major PROGRAM: its major version, empty when it is not installed.
major() {
	"$1" --version 2>/dev/null | sed -n 's/.*version \([0-9]*\).*/\1/p' | head -n 1
}

# check PROGRAM TARGET
check() {
	have=$(major "$1")
	if [ "$have" != "$want" ]; then
		echo "SKIP $2: needs $1 $want, here is ${have:-none}"
		skip=$((skip + 1))
	elif make -s -k -j"$(nproc)" "$2"; then
		pass=$((pass + 1))
	else
		echo "FAIL make $2"
		fail=$((fail + 1))
	fi
}

# What was clean a month ago is not worth its place.
find "${XDG_CACHE_HOME:-$HOME/.cache}/tidegate/tidy" -type f -mtime +30 -delete 2>/dev/null
check clang-format format-check
check clang-tidy tidy
echo "$pass passed, $fail failed, $skip skipped"
[ "$fail" -eq 0 ]
