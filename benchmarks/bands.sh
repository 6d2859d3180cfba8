#!/usr/bin/env bash
# Bands of one machine or card: a short run of the quickstart's rows with each way to hold the weights, done again under
# other threads and batches by bands.py. What comes of it is entered into ftbench/verify/bands.py by hand, with what was
# measured in words; without it nothing that was run there gets the level SPOT-RUN.
#   benchmarks/bands.sh OUT [NAME REVISION PARAMETERS]      # default: the micro model; FTBENCH: the command
# NAME and REVISION are in the store (`ftbench data add --model DIR --name NAME`); PARAMETERS: at least as many as it has.
# ITEMS (20) of each task; THREADS, BATCHES: settings; HELD: which of float32 bfloat16 fp4 nf4 int8. What is whole is kept.
set -euo pipefail
out=$1
base=${2:+"{name: $2, revision: \"$3\"}"}
most=${4:-1000000}
here=$(cd "$(dirname "$0")/.." && pwd)
ftbench=${FTBENCH:-ftbench}
mkdir -p "$out"
for held in ${HELD:-float32 bfloat16 fp4 nf4 int8}; do
  case $held in
    float32 | bfloat16) dtype=$held weights=null ;;
    int8) dtype=bfloat16 weights="{bits: 8, kind: int8}" ;;
    *) dtype=bfloat16 weights="{bits: 4, kind: $held}" ;;
  esac
  spec=$out/$held.yaml
  cat > "$spec" << YAML
ftbench: spec/v1
extends: quickstart
metadata: {name: bands-$held, title: "Bands, $held"}
federation: {rounds: 2}
training: {local_steps: 4}
model: {${base:+base: $base, }max_parameters: $most, dtype: $dtype, quantization: $weights}
budget: {communication_mib: 4096, trainable_parameters: 200000000}
YAML
  $ftbench lock "$spec"
  if [ ! -e "$out/$held.json" ]; then
    rm -rf "$out/runs-$held"
    $ftbench run "$spec" --engine inline --keep all --out "$out/runs-$held"
    python "$here/benchmarks/bands.py" "$out/runs-$held"/* --spec "$spec" --items "${ITEMS:-20}" \
      --threads ${THREADS:-1 2} --batches ${BATCHES:-1 8 32} --out "$out/$held.json"
  fi
done
