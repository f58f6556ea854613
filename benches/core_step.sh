#!/usr/bin/env bash
# Counts the instructions of a broadcast in a node that keeps a thousand messages and in one that keeps a million, and
# fails if the second needs more than a quarter more. Needs valgrind; takes some minutes.
#
#     benches/core_step.sh [STEPS]
set -euo pipefail
cd "$(dirname "$0")/.."
command -v valgrind >/dev/null || {
    echo 'core_step: valgrind is missing; on Debian and Ubuntu: apt install valgrind' >&2
    exit 1
}
steps=${1:-1000}
program=$(cargo bench --no-run --bench core_step --message-format json 2>/dev/null |
    sed -n 's/.*"name":"core_step".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
[ -x "$program" ] || {
    echo 'core_step: the program was not built; cargo bench --no-run --bench core_step says why' >&2
    exit 1
}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# MESSAGES: the instructions of one step with so many kept before.
per_step() {
    local total
    # callgrind knows no AVX-512; the program looks for it at run time and does without.
    valgrind --tool=callgrind --callgrind-out-file="$folder/out" --toggle-collect='*measured_step*' \
        "$program" "$1" "$steps" >/dev/null 2>"$folder/log" || {
        cat "$folder/log" >&2
        exit 1
    }
    total=$(sed -n 's/^\(totals\|summary\): //p' "$folder/out" | tail -n 1)
    echo $((total / steps))
}

few=$(per_step 1000)
many=$(per_step 1000000)
echo "instructions for one broadcast received and one published: $few with 1,000 kept, $many with 1,000,000 kept"
[ $((many * 100)) -le $((few * 125)) ] || {
    echo 'core_step: the more is kept, the more a broadcast costs' >&2
    exit 1
}
