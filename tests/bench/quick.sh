#!/usr/bin/env bash
# quick.sh: the benchmark at a size that any machine does in a minute, to see that it works. Its
# goals are those of the full size, which it must meet all the more.
set -eu
COUNT=50 NODES=30 ROUNDS=10 IDLE=10 exec bash "$(dirname "${BASH_SOURCE[0]}")/run.sh"
