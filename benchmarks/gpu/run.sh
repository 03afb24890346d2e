#!/usr/bin/env bash
# What echokit reaches on one GPU, in at most 8 minutes: bash benchmarks/gpu/run.sh OUT
# Python must be able to import echokit. Builds nothing and fetches nothing. A part that fails or
# outlasts its time does not stop the others; its log says why.
set -uo pipefail
out=${1:?"usage: bash benchmarks/gpu/run.sh OUT [--tiny]"}
tiny=${2:-}
root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 1
scratch=$(mktemp -d) && trap 'rm -rf "$scratch"' EXIT
export PYTHONPATH="$root:$root/plugins:$root/benchmarks${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 CUBLAS_WORKSPACE_CONFIG=:4096:8
export TORCHINDUCTOR_CACHE_DIR="$scratch/compiled" TRITON_CACHE_DIR="$scratch/triton"
log="$out/log.txt"
: >"$log"
started=$SECONDS

part() { # part SECONDS NAME COMMAND...: runs a command within its time, and logs it
  local seconds=$1 name=$2
  shift 2
  local left=$((475 - (SECONDS - started)))
  ((seconds > left)) && seconds=$left
  if ((seconds < 10)); then
    echo "== $name: not run, no time left" | tee -a "$log"
    return
  fi
  echo "== $name" | tee -a "$log"
  local begun=$SECONDS
  timeout --kill-after=5 "$seconds" "$@" >>"$log" 2>&1
  echo "== $name: exit code $?, $((SECONDS - begun)) s of $seconds" | tee -a "$log"
}

cd "$scratch" || exit 1
export ECHOKIT_GPU_FIGURES="$out/agreement.json"
part 90 tests python3 -m pytest -q -rs -p no:cacheprovider -c /dev/null --rootdir "$root/benchmarks/gpu" \
  "$root/benchmarks/gpu/test_cuda.py"
part 125 training python3 -m echokit_benchmarks.gpu training --out "$out" --seconds 80 $tiny
part 55 inference python3 -m echokit_benchmarks.gpu inference --out "$out" --seconds 30 $tiny
part 85 sharing python3 -m echokit_benchmarks.gpu sharing --out "$out" --seconds 60 $tiny

has_preset() { python3 -c "
import sys
from echokit.recipe import load_recipe
load_recipe('ph-newborn', preset=sys.argv[1])" "$1" 2>/dev/null; }

if [[ -z $tiny ]] && has_preset strong; then
  # the synthetic clips pass through no files, which would need PyAV
  part 450 strong python3 -m echokit run ph-newborn --preset strong --quiet --json \
    --set data.files=0 --out "$scratch/strong"
  cp "$scratch/strong/metrics.json" "$out/strong-metrics.json" 2>/dev/null
else
  echo "== strong: not run, the recipe has no such preset, or sizes are tiny" | tee -a "$log"
fi

python3 -m echokit_benchmarks.gpu table --out "$out"
grep -E "^== .*exit code|passed|failed" "$log"
exit 0
