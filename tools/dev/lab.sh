# ./dev lab: the scheduler against its peers, in simulation.

help_lab() {
  cat <<'HELP'
./dev lab [OPTIONS]

Runs the production scheduler and its peer policies through the fault library, prints the table
and writes build/lab.html. Each run is deterministic. Without options: 3 seeds, under a minute.

  --full             30 seeds, for the figures of docs/scheduling.md
  --day              a day without faults instead: counts false cuts
  anything else      goes to weir-lab; `./dev lab --help` lists it

The Azure LLM traces are looked for in ../shared/data/azure-llm-2023, or in $WEIR_LLM_TRACES;
without them the scenarios of models are left out.
HELP
}

cmd_lab() {
  local options=() day=
  while [ $# -gt 0 ]; do
    case "$1" in
      --full) options+=(--seeds 30) ;;
      --day) day=1 options+=(--day) ;;
      *) options+=("$1") ;;
    esac
    shift
  done
  cmd_build release weir-lab
  if [ -n "$day" ]; then
    build/release/weir-lab "${options[@]}"
    return
  fi
  local traces=${WEIR_LLM_TRACES:-../shared/data/azure-llm-2023}
  if [ -r "$traces/conv.csv" ]; then
    options+=(--traces "$traces")
  else
    echo "no Azure LLM traces at $traces: the scenarios of models are left out" >&2
  fi
  build/release/weir-lab --html build/lab.html "${options[@]}"
}
