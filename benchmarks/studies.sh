#!/usr/bin/env bash
# The studies behind docs/results.md: run what is not whole, analyse it, write the page. FTBENCH: the command; $1: where runs lie.
# Hours on two cores; stopped at any moment, the same command goes on.
# DEVICES=cpu,cpu: two runs at once, as `ftbench sweep --devices` takes it.
set -euo pipefail
runs=${1:-runs/studies}
here=$(cd "$(dirname "$0")/.." && pwd)
ftbench=${FTBENCH:-ftbench}
for study in iid dirichlet; do
  $ftbench sweep "micro/strategies-$study" --vary strategy.kind=fedavg,scaffold,flexlora,ffa-lora,fedadam,fedprox \
    --tune training.schedule.learning_rate=0.01,0.015,0.02,0.04 --tune scaffold:strategy.server_learning_rate=1 \
    --tune fedadam:strategy.server_learning_rate=0.01,0.03,0.1 --tune fedprox:strategy.mu=0.001,0.01 \
    --set strategy.beta1=0.9 --set strategy.beta2=0.99 --set strategy.tau=0.001 \
    --select validation --trials 4 --seeds "${SEEDS:-5}" --engine inline ${DEVICES:+--devices "$DEVICES"} --out "$runs/strategies-$study"
done
for bits in 16 4; do
  $ftbench sweep "micro/adapters-${bits}bit" --vary adapter.kind=lora,dora --seeds 3 --engine inline ${DEVICES:+--devices "$DEVICES"} --out "$runs/adapters-${bits}bit"
done
for domain in general-nlp finance medical code; do
  $ftbench sweep "micro/across-$domain" --vary adapter.rank=8 --seeds 3 --engine inline ${DEVICES:+--devices "$DEVICES"} --out "$runs/across-$domain"
done
$ftbench sweep micro/mixed --vary adapter.rank=8 --seeds 3 --engine inline ${DEVICES:+--devices "$DEVICES"} --out "$runs/mixed"
python "$here/benchmarks/results_page.py" "$runs" > "$here/docs/results.md"
