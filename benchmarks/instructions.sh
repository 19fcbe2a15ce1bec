#!/bin/sh
# Counts the instructions of a step by callgrind, which noise of the machine does not change; 16 inputs and outputs.
# valgrind has no AVX-512: AVX2 and portable C are counted.
set -eu
cd "$(dirname "$0")/.."
command -v valgrind >/dev/null || { echo "instructions: valgrind is not installed: apt-get install valgrind" >&2; exit 69; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc -std=gnu99 -O3 -g -fno-math-errno -ffp-contract=off -Iruntime/kernel benchmarks/kernel_steps.c \
    $(find runtime/kernel -name '*.c' ! -path '*/python/*') -o "$work/steps" -lm

count() { # count ISA HIDDEN LEVEL STEPS
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$work/steps" "$@" 2>&1 |
        sed -n 's/.*Collected : //p'
}
echo "set      hidden level instructions"
for isa in 2:avx2 1:portable 6:avx2-int8; do
    for hidden in 64 128 256; do
        for level in 1 2 4 8; do
            few=$(count "${isa%%:*}" $hidden $level 100) many=$(count "${isa%%:*}" $hidden $level 612)
            printf '%-10s %4d %5d %12d\n' "${isa#*:}" $hidden $level $(((many - few) / 512))
        done
    done
done
