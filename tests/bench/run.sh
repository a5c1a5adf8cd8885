#!/usr/bin/env bash
# run.sh: what the controller takes and how fast it is with many ModelDeployments, on a real
# control plane with fake nodes, beside Argo Rollouts. Ends with `bench: PASS` or `bench: FAIL`.
#
#   COUNT=1000   ModelDeployments of three pods each
#   NAMESPACES=20 that they are spread over
#   NODES=500    fake nodes of eight GPUs
#   ROUNDS=100   single changes whose latency is measured
#   IDLE=60      seconds over which idle CPU time is counted
#   LIMIT=5m     longest that one phase may take
#   BUILD=build  where the programs are
#   KEEP=1       leaves the work folder with all logs
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export BUILD=${BUILD:-build} COUNT=${COUNT:-1000} NAMESPACES=${NAMESPACES:-20} NODES=${NODES:-500} ROUNDS=${ROUNDS:-100} IDLE=${IDLE:-60} LIMIT=${LIMIT:-5m}

for program in "$BUILD/tidegate" "$BUILD/bed/scale"; do
	[ -x "$program" ] || {
		echo "bench: $program is not built: run make all bed" >&2
		exit 1
	}
done
[ $((COUNT * 4)) -le $((NODES * 8)) ] || {
	echo "bench: $COUNT x 3 pods and one more each while they change need more than $NODES nodes of eight GPUs" >&2
	exit 1
}
BED_KEEP_ON_FAIL=${BED_KEEP_ON_FAIL:-0} bash tests/bed/bed.sh run --kwok "$NODES" ${KEEP:+--keep} -- bash tests/bench/measure.sh
