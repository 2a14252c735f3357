# Shared by the commands of ./dev: messages, sources of truth, and the environment of a build.
# shellcheck shell=bash

say() { printf '%s\n' "dev: $*" >&2; }
die() {
  say "$*"
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

jobs=${WEIR_JOBS:-$(nproc)}
presets="release debug asan tsan fuzz"

# Symbols in sanitizer reports; a report ends the program so that no test can pass over it.
symbolizer=/usr/bin/llvm-symbolizer-19
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1:external_symbolizer_path=$symbolizer}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1:external_symbolizer_path=$symbolizer}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1:external_symbolizer_path=$symbolizer}

# C++ sources of the project, tracked or new, one per line.
cpp_sources() {
  git ls-files --cached --others --exclude-standard -- '*.cc' '*.h' | while read -r file; do
    [ -f "$file" ] && printf '%s\n' "$file"
  done
}
