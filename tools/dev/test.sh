# ./dev test: runs suites and adds up what they say.

# shellcheck source=tools/dev/node.sh
source tools/dev/node.sh

# Suites that only --all or their own name starts: they take minutes, or the network.
long_suites="asan tsan fuzz fresh load instructions fleet-clients"

help_test() {
  cat <<'EOF'
./dev test [--all] [--preset PRESET] [SUITE...]

Installs and builds what is missing, then runs the suites named, or all but the long ones:
  tidy           the house rules, checked from the files (tests/tidy)
  unit           the *_test.cc beside the code, and the fuzzers' seeds
  integration    the whole server in one process (tests/integration)
  clients        the vendors' SDKs, coding agents and agent frameworks against the program
                 (tests/clients/node, tests/clients/python, tests/clients/agents)
  replay         recorded answers of real providers, replayed (tests/replay)
  matrix         every dialect to every other, and the table of docs/dialects.md (tests/matrix)
  console        the console in a real browser, every page and flow (tests/console)
  NAME           any other executable tests/NAME/run or tests/NAME/SUB/run
  default        all of these
and with --all, or by name:
  asan, tsan     unit and integration under the sanitizers
  fuzz           every fuzz target for a minute
  fresh          ./dev build and the unit tests in a new Debian 12, as root and as a sudo user
                 (makes a chroot, so it must be started by root)
  load           thousands of streams at once
  instructions   what a request costs, against what is recorded (bench/instructions)
  fleet-clients  grpc-js-xds, gRPC C++ and HAProxy follow the tables of weir fleet serve
unit, integration, asan and tsan can be cut down to some programs: ./dev test unit:http,net
--preset P compiles what the suites run with P: debug (the default), release, asan or tsan.

A suite's output is kept in build/test/. The last line adds everything up,
  N passed, M failed, K skipped
and the exit code is 0 only where M is 0. A build that fails counts as a failed test.
EOF
}

# The scripts tests/**/run as suite names: tests/clients/node/run is clients/node.
script_suites() {
  find tests -mindepth 2 -maxdepth 3 -name run -type f -executable |
    sed -e 's,^tests/,,' -e 's,/run$,,' | sort
}

all_suites() {
  printf '%s\n' tidy unit integration
  script_suites | grep -vxE 'tidy|fresh|load|instructions|fleet-clients' || true
  tr ' ' '\n' <<<"$long_suites"
}

# The suites that a word on the command line stands for, one per line.
suites_named() {
  local word=$1 name=${1%%:*} matches
  case "$name" in
    default)
      all_suites | grep -vxE "${long_suites// /|}"
      return
      ;;
    unit | integration | asan | tsan)
      printf '%s\n' "$word"
      return
      ;;
  esac
  matches=$(all_suites | grep -E "^$word(/|\$)") ||
    die "no suite '$word'; there are: $(all_suites | tr '\n' ' ')"
  printf '%s\n' "$matches"
}

# run_ctest PRESET LABELS [PROGRAM,...]: builds and runs the test programs of ctest.
run_ctest() {
  local preset=$1 select=(-L "^($2)\$") targets=() reports=$root/build/$1/reports
  if [ -n "${3:-}" ]; then
    select=(-R "^(${3//,/|})\$")
    mapfile -t targets < <(tr ',' '\n' <<<"$3" | sed 's/$/_test/')
  fi
  build_preset "$preset" "${targets[@]}" || return
  rm -rf "$reports"
  mkdir -p "$reports"
  # GoogleTest leaves one report per program there, so that cases are counted and not programs.
  GTEST_OUTPUT=xml:$reports/ ctest --test-dir "build/$preset" -j "$jobs" --timeout 900 \
    --output-on-failure --no-tests=ignore --output-junit "$reports/ctest.xml" "${select[@]}" || true
  python3 tools/test_totals.py "$reports"
}

# run_script SUITE PRESET: tests/SUITE/run, with the program in WEIR_BIN. Load and instructions are
# about figures, so they always get the release program.
run_script() {
  local suite=$1 preset=$2 script=tests/$1/run
  case "$suite" in load | instructions) preset=release ;; esac
  if [ ! -x "$script" ]; then
    printf 'no %s: nothing to run\n0 passed, 0 failed, 0 skipped\n' "$script"
    return
  fi
  case "$suite" in
    tidy | runner | fresh) ;;
    *)
      build_preset "$preset" weir || return
      export WEIR_BIN=$root/build/$preset/weir
      ;;
  esac
  case "$suite" in console | fleet-clients) setup_optional ;; esac
  case "$suite" in
    */node | */agents | console | oidc | replay | matrix | fleet | fleet-clients)
      ensure_node || return
      ;;
  esac
  "$script"
}

# run_suite SUITE PRESET: runs it; its closing line is the last thing it prints.
run_suite() {
  local name=${1%%:*} programs=''
  [[ $1 == *:* ]] && programs=${1#*:}
  case "$name" in
    unit | integration) run_ctest "$2" "$name" "$programs" ;;
    asan | tsan) run_ctest "$name" 'unit|integration' "$programs" ;;
    fuzz) cmd_fuzz 60 ;;
    *) run_script "$name" "$2" ;;
  esac
}

# The numbers of a log's closing line; nothing where there is none.
closing_numbers() {
  sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p' "$1" | tail -n 1
}

cmd_test() {
  local preset=debug suites=() word list all=0
  while [ $# -gt 0 ]; do
    case "$1" in
      --all) all=1 ;;
      --preset)
        is_preset "${2:-}" || die "--preset takes one of: $presets"
        preset=$2
        shift
        ;;
      -*) die "test has no option '$1'; see ./dev help test" ;;
      *)
        list=$(suites_named "$1")
        mapfile -t -O ${#suites[@]} suites <<<"$list"
        ;;
    esac
    shift
  done
  if [ "$all" = 1 ]; then
    mapfile -t suites < <(all_suites)
  elif [ ${#suites[@]} -eq 0 ]; then
    mapfile -t suites < <(suites_named default)
  fi
  cmd_setup
  mkdir -p build/test

  local suite log logs=() numbers rc seconds passed failed skipped table=''
  local all_passed=0 all_failed=0 all_skipped=0
  for suite in "${suites[@]}"; do
    printf '\n== %s ==\n' "$suite"
    log=build/test/${suite//[\/:,]/-}.log
    logs+=("$log")
    seconds=$SECONDS
    rc=0
    (run_suite "$suite" "$preset") 2>&1 </dev/null | tee "$log" || rc=$?
    seconds=$((SECONDS - seconds))
    numbers=$(closing_numbers "$log")
    read -r passed failed skipped <<<"${numbers:-0 0 0}"
    # A suite that ends in failure without saying what failed has still failed.
    if [ "$failed" = 0 ] && { [ "$rc" != 0 ] || [ -z "$numbers" ]; }; then
      printf 'FAILED %s: exit code %d, totals: %s\n' "$suite" "$rc" "${numbers:-none}" |
        tee -a "$log"
      failed=1
    fi
    printf -v table '%s%-28s %7d %7d %8d %7d s\n' "$table" \
      "$suite" "$passed" "$failed" "$skipped" "$seconds"
    all_passed=$((all_passed + passed))
    all_failed=$((all_failed + failed))
    all_skipped=$((all_skipped + skipped))
  done

  if [ "$all_failed" -gt 0 ]; then
    printf '\nwhat failed (build/test/ has the whole output):\n'
    grep -H '^FAILED' "${logs[@]}" | sed 's,^build/test/\(.*\)\.log:FAILED,  \1:,' || true
  fi
  printf '\n%-28s %7s %7s %8s %9s\n%s\n' suite passed failed skipped time "$table"
  printf '%d passed, %d failed, %d skipped\n' "$all_passed" "$all_failed" "$all_skipped"
  [ "$all_failed" = 0 ]
}
