# Shared by the commands of ./dev: messages, sources of truth, and the environment of a build.

say() { printf '%s\n' "dev: $*" >&2; }
die() {
  say "$*"
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

jobs=${WEIR_JOBS:-$(nproc)}
presets="release debug asan tsan fuzz"

# A sanitizer's report has symbols, and ends the program, so that no test can pass over it.
sanitizer_options=external_symbolizer_path=/usr/bin/llvm-symbolizer-19:halt_on_error=1
export ASAN_OPTIONS=${ASAN_OPTIONS:-$sanitizer_options:detect_stack_use_after_return=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-$sanitizer_options:print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-$sanitizer_options:second_deadlock_stack=1}

# C++ sources of the project, tracked or new, one per line.
cpp_sources() {
  git ls-files --cached --others --exclude-standard -- '*.cc' '*.h' | while read -r file; do
    [ -f "$file" ] && printf '%s\n' "$file"
  done
}
