#!/bin/sh
# pack.sh OUTPUT SCRATCH LIBRARY... : one static library of many, whose hidden symbols
# are local to it.
set -eu
output=$1
scratch=$2
shift 2
mkdir -p "$scratch"
ld -r -o "$scratch/pawl.o" --whole-archive "$@"
objcopy --localize-hidden "$scratch/pawl.o"
rm -f "$output"
ar rcsD "$output" "$scratch/pawl.o"
