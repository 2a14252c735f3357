# ./dev bench: the microbenchmarks that stand beside the code (src/**/*_bench.cc), and the measures
# of the whole program (bench/*/run).

help_bench() {
  cat <<'EOF'
./dev bench [ROOM...] [-- BENCHMARK OPTIONS]

Builds the release preset and runs the benchmarks of the rooms named (default: all). Each is
repeated five times and shown as mean, median and spread. What follows -- goes to Google Benchmark:
  ./dev bench base -- --benchmark_filter=Splice

./dev bench instructions [--write|--profile]

Counts the instructions of whole requests with callgrind and compares them with those recorded.

./dev bench router [OPTIONS]

What clients notice of a sick deployment, beside LiteLLM's router and a round robin; see --help.

./dev bench gateway [OPTIONS]

What a request and a streamed chunk cost, beside nginx, HAProxy and other gateways; see --help.

./dev bench affinity [OPTIONS]

How much more of the prompts a provider's cache has when a model has affinity; see --help.

./dev bench fleet [--minutes 10] [--endpoints N] [OPTIONS]

The full loop of a fleet: samples in over HTTP, evaluation, deltas out to a watcher; see --help.

./dev bench console [--rows N] [OPTIONS]

What the console asks of a ledger of ten million requests, and how long it takes; see --help.

./dev bench keys [OPTIONS]

What 10,000 keys in 1,000 teams cost a request, beside 10 keys in one; see --help.
EOF
}

cmd_bench() {
  if [ -n "${1:-}" ] && [ -x "bench/$1/run" ]; then
    local measure=$1
    shift
    build_preset release weir weir-bare-relay weir-bench-ledger access_bench ||
      die "the release build failed"
    WEIR_BIN=$root/build/release/weir "bench/$measure/run" "$@"
    return
  fi
  local rooms=() options=(--benchmark_repetitions=5 --benchmark_report_aggregates_only=true) room
  while [ $# -gt 0 ]; do
    if [ "$1" = -- ]; then
      shift
      options+=("$@")
      break
    fi
    rooms+=("$1")
    shift
  done
  if [ ${#rooms[@]} -eq 0 ]; then
    mapfile -t rooms < <(find src -name '*_bench.cc' | cut -d/ -f2 | sort -u)
  fi
  [ ${#rooms[@]} -gt 0 ] || die "no benchmark in src/**/*_bench.cc"
  cmd_build release "${rooms[@]/%/_bench}"
  for room in "${rooms[@]}"; do
    printf '\n== %s ==\n' "$room"
    find build/release -name "${room}_bench" -type f -executable -exec {} "${options[@]}" \;
  done
}
