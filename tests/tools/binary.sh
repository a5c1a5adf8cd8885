#!/bin/sh
# What is shipped: small when stripped, hardened, and nothing but the declared libraries.
#   binary.sh [PROGRAM]
# Ends with "N passed, N failed".
set -u
program=${1:-$(dirname "$0")/../../build/tidegate}
bytes_max=3000000
# As README names them; zlib and libm may be left out by the linker.
declared='libcurl libyaml libssl libcrypto libev libz libm libc ld-linux'
pass=0 fail=0
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# check WHAT FOUND: passes when nothing was found.
check() {
	if [ -z "$2" ]; then
		pass=$((pass + 1))
	else
		fail=$((fail + 1))
		printf 'FAIL %s: %s\n' "$1" "$2"
	fi
}

too_big() {
	strip -o "$work/stripped" "$program" || {
		echo "cannot be stripped"
		return
	}
	bytes=$(wc -c <"$work/stripped")
	echo "stripped: $bytes bytes" >&2
	[ "$bytes" -lt $bytes_max ] || echo "$bytes bytes"
}

not_declared() {
	LC_ALL=C readelf -d "$program" | sed -n 's/.*(NEEDED).*\[\([^]]*\)\]/\1/p' | while read -r library; do
		case " $declared " in
		*" ${library%%[.]so*} "* | *" ${library%%-[0-9]*} "*) ;;
		*) echo "$library" ;;
		esac
	done
}

not_hardened() {
	LC_ALL=C readelf -hld "$program" >"$work/elf"
	grep -q 'Type: .*DYN' "$work/elf" || echo "not position independent"
	grep -q GNU_RELRO "$work/elf" || echo "no relro"
	grep -q 'NOW' "$work/elf" || echo "lazy binding"
	! grep -A 1 GNU_STACK "$work/elf" | grep -q RWE || echo "executable stack"
}

check "smaller than $bytes_max bytes" "$(too_big)"
check "needs only declared libraries" "$(not_declared)"
check "all libraries are there" "$(ldd "$program" | grep 'not found')"
check "hardened" "$(not_hardened)"
echo "$pass passed, $fail failed"
[ $fail -eq 0 ]
