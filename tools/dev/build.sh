# ./dev build, run and clean.

# shellcheck source=tools/dev/console.sh
source tools/dev/console.sh

help_build() {
  cat <<'EOF'
./dev build [PRESET] [TARGET...]

Compiles with a preset of CMakePresets.json into build/PRESET:
  release   optimized; the program is build/release/weir (the default, and only that target)
  debug     unoptimized, with checks in the standard library; what ./dev test uses
  asan      address and undefined-behavior sanitizers
  tsan      thread sanitizer
  fuzz      libFuzzer targets
Without targets every preset but release builds everything. After the first time,
`ninja -C build/debug base_test` and the like work just as well.

The console (web/) is built first where it changed, by Node.js 20, which is fetched where the system
has none. Where it cannot be had the program has a plain status page instead.
WEIR_SKIP_CONSOLE=1 leaves the console as it is.
EOF
}

help_run() {
  cat <<'EOF'
./dev run [ARGUMENTS]

Builds the release preset and becomes `weir serve ARGUMENTS`, in the folder you are in. Without
arguments that is demo mode: a model named `demo`, answered by the built-in simulator, with data in
./weir-data; it prints the console's address and a curl that works.
EOF
}

help_clean() {
  cat <<'EOF'
./dev clean [PRESET... | --all]

Removes build/PRESET, or every preset's folder. --all removes the whole build folder, with the
fuzzers' corpora and the SDKs the client tests installed. Your weir-data is never touched.
EOF
}

is_preset() { case " $presets " in *" $1 "*) ;; *) return 1 ;; esac; }

# build_preset PRESET [TARGET...]: configures once (ninja sees to it after that) and compiles.
build_preset() {
  local preset=$1
  shift
  [ "$preset" = fuzz ] || build_console || return
  if [ ! -f "build/$preset/build.ninja" ]; then
    cmake --preset "$preset" >"build/$preset.log" 2>&1 || {
      cat "build/$preset.log" >&2
      return 1
    }
  fi
  cmake --build "build/$preset" -j "$jobs" -- --quiet "$@"
}

cmd_build() {
  local preset=release
  if [ $# -gt 0 ] && is_preset "$1"; then
    preset=$1
    shift
  fi
  cmd_setup
  mkdir -p build
  if [ "$preset" = release ] && [ $# -eq 0 ]; then
    build_preset release weir
  else
    build_preset "$preset" "$@"
  fi
}

cmd_run() {
  cmd_build release
  cd "$caller_dir" || die "the folder $caller_dir is gone"
  exec "$root/build/release/weir" serve "$@"
}

cmd_clean() {
  if [ "${1:-}" = --all ]; then
    rm -rf build
    return
  fi
  local preset all
  read -ra all <<<"$presets"
  [ $# -gt 0 ] || set -- "${all[@]}"
  for preset in "$@"; do
    is_preset "$preset" || die "no preset '$preset'; there are: $presets"
    rm -rf "build/$preset" "build/$preset.log"
  done
}
