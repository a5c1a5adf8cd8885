#!/usr/bin/env bash
# make demo: a ModelDeployment on a real control plane, told from outside.
#   demo.sh [--keep] [--kubelets]
#     --keep      the cluster stays up and can be looked at
#     --kubelets  as root: on nodes of containerd and kubelet instead of the test bed's own
set -eu
here=$(cd "$(dirname "$0")" && pwd -P)

options=() keep=''
for option in "$@"; do
	case $option in
	--keep) keep=--keep options+=(--linger) ;;
	--kubelets) options+=(--kubelets) ;;
	*) printf 'demo.sh: unknown option %s\n' "$option" >&2 && exit 2 ;;
	esac
done

rc=0
bash "$here/bed.sh" run --zones 3 --gateway ${options[@]+"${options[@]}"} -- bash "$here/story.sh" $keep || rc=$?
# The story prints its own verdict when it got that far.
[ "$rc" -eq 0 ] || [ "$rc" -eq 9 ] || printf 'demo: FAIL the test bed did not come up (exit %d)\n' "$rc"
[ "$rc" -eq 0 ] || exit 1
