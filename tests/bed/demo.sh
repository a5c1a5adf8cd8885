#!/usr/bin/env bash
# make demo: a ModelDeployment on a real control plane, told from outside.
#   demo.sh [--keep]   --keep: the cluster stays up and can be looked at
set -eu
here=$(cd "$(dirname "$0")" && pwd -P)

keep=()
[ "${1:-}" != --keep ] || keep=(--linger)

rc=0
bash "$here/bed.sh" run --zones 3 --gateway ${keep[@]+"${keep[@]}"} -- bash "$here/story.sh" ${1+"$1"} || rc=$?
# The story prints its own verdict when it got that far.
[ "$rc" -eq 0 ] || [ "$rc" -eq 9 ] || printf 'demo: FAIL the test bed did not come up (exit %d)\n' "$rc"
[ "$rc" -eq 0 ] || exit 1
