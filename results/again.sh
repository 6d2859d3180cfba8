#!/usr/bin/env bash
# Run every micro result again and replace its archive: needed when a board's hash has moved. FTBENCH: the command.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
while read -r words; do
  [ -z "$words" ] && continue
  # shellcheck disable=SC2086 # words of a command line
  ${FTBENCH:-ftbench} run $words --engine inline --out "$work/runs"
done <<'RUNS'
quickstart --set adapter.rank=4 --set federation.rounds=4
quickstart --set adapter.rank=2 --set federation.rounds=4
quickstart --set federation.rounds=3 --seed 1
quickstart --set federation.rounds=3 --seed 2
quickstart --set federation.rounds=3 --seed 3
micro/finance --set adapter.rank=2 --seed 1
micro/finance --set adapter.rank=2 --seed 2
micro/finance --set adapter.rank=2 --seed 3
micro/medical --set adapter.rank=2
micro/general-nlp --set adapter.rank=2
micro/code --set adapter.rank=4
micro/finance-budgets --set adapter.rank=4
micro/medical-dp
RUNS
mkdir "$work/packed"
for run in "$work"/runs/*/; do
  ${FTBENCH:-ftbench} pack "$run" --out "$work/packed/$(basename "$run").zip"
done
rm -f "$here"/bundles/*.zip
mv "$work"/packed/*.zip "$here/bundles/"
