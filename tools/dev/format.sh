# ./dev fmt and ./dev lint.

help_fmt() {
  cat <<'EOF'
./dev fmt [FILE...]

Brings the C++ sources (default: all of them) into the form of .clang-format.
EOF
}

help_lint() {
  cat <<'EOF'
./dev lint [--all | FILE...]

Checks the form of every source, runs clang-tidy (.clang-tidy says which checks are off, and why)
over the .cc files that differ from main, and shellcheck over the scripts where it is installed.
--all gives clang-tidy every file, which takes minutes.
EOF
}

cmd_fmt() {
  cmd_setup
  if [ $# -gt 0 ]; then
    (cd "$caller_dir" && clang-format-19 -i -- "$@")
  else
    cpp_sources | xargs -r -P "$jobs" -n 16 clang-format-19 -i --
  fi
}

# .cc files that differ from main's last common commit, committed or not; tests of headers come
# through the .cc files that include them.
changed_sources() {
  local base
  base=$(git merge-base HEAD origin/main 2>/dev/null || git merge-base HEAD main 2>/dev/null ||
    git rev-parse HEAD)
  {
    git diff --name-only "$base" -- '*.cc'
    git ls-files --others --exclude-standard -- '*.cc'
  } | sort -u | while read -r file; do [ -f "$file" ] && printf '%s\n' "$file"; done
}

shell_scripts() {
  git ls-files --cached --others --exclude-standard | while read -r file; do
    [ -f "$file" ] || continue
    case "$file" in
      *.sh) printf '%s\n' "$file" ;;
      *.*) ;;
      *) head -c 40 "$file" | head -n 1 | grep -q '^#!.*bash' && printf '%s\n' "$file" ;;
    esac
  done
}

cmd_lint() {
  cmd_setup
  mkdir -p build
  local failed=0 files
  say "clang-format"
  cpp_sources | xargs -r -P "$jobs" -n 16 clang-format-19 --dry-run -Werror -- || failed=1

  case "${1:-}" in
    --all) mapfile -t files < <(cpp_sources | grep '\.cc$') ;;
    '') mapfile -t files < <(changed_sources) ;;
    *) files=("$@") ;;
  esac
  say "clang-tidy: ${#files[@]} files"
  [ -f build/debug/build.ninja ] || cmake --preset debug >build/debug.log
  if [ ${#files[@]} -gt 0 ]; then
    printf '%s\n' "${files[@]}" |
      xargs -P "$jobs" -n 1 clang-tidy-19 -p build/debug --quiet --warnings-as-errors='*' \
        2> >(grep -v ' generated\.$' >&2) || failed=1
  fi

  if have shellcheck; then
    say "shellcheck"
    shell_scripts | xargs -r shellcheck -x || failed=1
  fi
  [ "$failed" = 0 ] && say "nothing to complain about"
  return "$failed"
}
