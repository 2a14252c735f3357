# ./dev fuzz: the libFuzzer targets that stand beside the code (src/**/*_fuzz.cc).

help_fuzz() {
  cat <<'EOF'
./dev fuzz [TARGET...] [SECONDS]

Runs each target (default: all; the names are the file names src/**/*_fuzz.cc) for SECONDS
(default 60), as many side by side as there are cores.
  fuzz/corpus/TARGET/       seeds, in git; every test run replays them (ctest -L seeds)
  fuzz/dict/TARGET.dict     words the fuzzer may use, where there is such a file
  build/fuzz-corpus/TARGET  what earlier runs found worth keeping; survives ./dev clean
  build/fuzz-crashes/       inputs that failed; replay one with build/fuzz/src/TARGET FILE, then
                            put it among the seeds with the fix
EOF
}

fuzz_targets() { find src -name '*_fuzz.cc' -exec basename {} .cc \; | sort; }

fuzz_one() {
  local target=$1 seconds=$2 program folders options
  program=$(find build/fuzz -name "$target" -type f -executable | head -n 1)
  folders=("build/fuzz-corpus/$target")
  [ -d "fuzz/corpus/$target" ] && folders+=("fuzz/corpus/$target")
  options=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1
    -artifact_prefix="build/fuzz-crashes/$target-")
  [ -f "fuzz/dict/$target.dict" ] && options+=(-dict="fuzz/dict/$target.dict")
  mkdir -p "build/fuzz-corpus/$target" build/fuzz-crashes
  "$program" "${options[@]}" "${folders[@]}" >"build/fuzz-logs/$target.log" 2>&1
}

cmd_fuzz() {
  local seconds=60 targets=() target pid passed=0 failed=0
  while [ $# -gt 0 ]; do
    case "$1" in
      *[!0-9]*) targets+=("$1") ;;
      *) seconds=$1 ;;
    esac
    shift
  done
  [ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(fuzz_targets)
  for target in "${targets[@]}"; do
    fuzz_targets | grep -qxF -- "$target" ||
      die "no fuzz target '$target'; there are: $(fuzz_targets | tr '\n' ' ')"
  done
  if [ ${#targets[@]} -gt 0 ]; then
    cmd_build fuzz "${targets[@]}" || return
  fi
  mkdir -p build/fuzz-logs

  # A window of $jobs targets at a time: start one, and where the window is full wait for the
  # oldest.
  local running=()
  finish_oldest() {
    read -r pid target <<<"${running[0]}"
    running=("${running[@]:1}")
    if wait "$pid"; then
      passed=$((passed + 1))
      printf 'ok     %s  %s\n' "$target" \
        "$(sed -n 's/^stat::number_of_executed_units: */runs: /p' "build/fuzz-logs/$target.log")"
    else
      failed=$((failed + 1))
      printf 'FAILED %s  (build/fuzz-logs/%s.log)\n' "$target" "$target"
      grep -E 'ERROR|SUMMARY|Test unit written' "build/fuzz-logs/$target.log" || true
    fi
  }
  for target in "${targets[@]}"; do
    [ ${#running[@]} -lt "$jobs" ] || finish_oldest
    fuzz_one "$target" "$seconds" &
    running+=("$! $target")
  done
  while [ ${#running[@]} -gt 0 ]; do finish_oldest; done
  printf '%d passed, %d failed, 0 skipped\n' "$passed" "$failed"
  [ "$failed" = 0 ]
}
