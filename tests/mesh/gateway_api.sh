#!/usr/bin/env bash
# The same release through Gateway API, as Istio implements it: an HTTPRoute, copies by RequestMirror.
set -u
gateway_api_tree=$(cd "$(dirname "$0")/../.." && pwd -P)
[ "${1:-}" = inside ] ||
	exec bash "$gateway_api_tree/tests/bed/bed.sh" run --zones 3 --mesh -- bash "$0" inside

WORLD_STEPS='[{audience: {headers: [{name: x-gray, exact: "1"}]}, approval: Required}, {mirror: {percent: 50}, approval: Required}, {weight: 20, hold: 3s}, {weight: 50, approval: Required}]'
# shellcheck source=/dev/null
. "$BED_TREE/tests/mesh/lib/mesh.sh"

a_release_and_no_more
