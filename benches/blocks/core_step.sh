#!/usr/bin/env bash
# Counts the instructions of a broadcast in a node that keeps a thousand messages and in one that keeps a million, and
# fails if the second needs more than a quarter more. Needs valgrind and Python 3; takes some minutes.
#
#     benches/blocks/core_step.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
counted=$(benches/blocks/count.py --print core_step core_step_of_a_million)
echo "$counted"
few=$(awk '$1 == "core_step" { print $2 }' <<<"$counted")
many=$(awk '$1 == "core_step_of_a_million" { print $2 }' <<<"$counted")
[ $((many * 100)) -le $((few * 125)) ] || {
    echo 'core_step: the more is kept, the more a broadcast costs' >&2
    exit 1
}
