#!/bin/sh
# What `tidegate import` makes, before a real API server: every object is accepted by a server-side dry run.
#
#     KUBECONFIG=... [KUBECTL=kubectl] sh tests/integration/import.sh
#     tests/bed/bed.sh run --gateway -- sh tests/integration/import.sh
set -u
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
: "${KUBECTL:=kubectl}"
passed=0 failed=0
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT

k() {
	"$KUBECTL" --request-timeout=20s "$@"
}

k apply -f "$root/crds/" >"$out/log" 2>&1 || { cat "$out/log"; exit 1; }
k wait --for=condition=Established --timeout=20s crd/modeldeployments.serving.tidegate.io \
	crd/scorepolicies.serving.tidegate.io >"$out/log" 2>&1 || { cat "$out/log"; exit 1; }
k create namespace shop --dry-run=client -o yaml | k apply -f - >"$out/log" 2>&1 || exit 1
for _ in 1 2 3 4 5 6 7 8 9 10; do
	k get mdep,scp -n shop >/dev/null 2>&1 && break
	sleep 0.5
done

for f in "$root"/tests/data/import/*.yaml; do
	name=$(basename "$f" .yaml)
	if "$root/build/tidegate" import -f "$f" >"$out/made" 2>"$out/log" &&
		k create --dry-run=server -f "$out/made" >"$out/log" 2>&1 &&
		[ "$(wc -l <"$out/log")" = "$(grep -c '^---' "$out/made")" ]; then
		passed=$((passed + 1))
		echo "ok   $name: $(wc -l <"$out/log") objects"
	else
		failed=$((failed + 1))
		echo "FAIL $name"
		sed 's/^/     | /' "$out/log" "$out/made"
	fi
done

# What stands behind it, too: pods, Services, budgets, routes (needs the CRDs of Gateway API).
for f in "$root"/tests/data/import/*.made; do
	name=$(basename "$f" .made)
	"$root/build/tidegate" render -f "$f" >"$out/made" 2>"$out/log"
	if [ -s "$out/made" ] && k create --dry-run=server -n shop -f "$out/made" >"$out/log" 2>&1; then
		passed=$((passed + 1))
		echo "ok   $name, rendered: $(wc -l <"$out/log") objects"
	else
		failed=$((failed + 1))
		echo "FAIL $name, rendered"
		sed 's/^/     | /' "$out/log" "$out/made"
	fi
done

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
