# The console's files for the binary: what web/ builds, in build/console/console.pack. Sourced by
# build.sh. A machine without Node.js and a way to get one builds Weir all the same; that binary
# serves a plain status page.

# shellcheck source=tools/dev/node.sh
source tools/dev/node.sh

console_stamp() {
  git ls-files -z --cached --others --exclude-standard -- web | sort -z |
    xargs -0 sha256sum 2>/dev/null | sha256sum | cut -c1-32
}

pack_console() {
  (
    # shellcheck source=tests/lib/npm.sh
    source tests/lib/npm.sh
    npm_packages console "$root/web" "$root/web"
  ) && (
    cd web
    export WEIR_CONSOLE_OUT=$root/build/console/dist
    export WEIR_CONSOLE_PACK=$root/build/console/console.pack
    node node_modules/vite/bin/vite.js build --logLevel warn && node pack.mjs
  )
}

# Builds the console where its sources changed. WEIR_SKIP_CONSOLE=1 leaves it as it is.
build_console() {
  [ "${WEIR_SKIP_CONSOLE:-}" = 1 ] && return 0
  local stamp
  stamp=$(console_stamp)
  if [ -s build/console/console.pack ] &&
    [ "$(cat build/console/stamp 2>/dev/null)" = "$stamp" ]; then
    return 0
  fi
  mkdir -p build/console
  if (ensure_node && pack_console) >build/console/log 2>&1; then
    tail -n 1 build/console/log >&2
    printf '%s\n' "$stamp" >build/console/stamp
    return 0
  fi
  tail -n 5 build/console/log >&2
  # A mistake in the console's own sources must not pass for a missing Node.js.
  if node_is_recent && [ -d web/node_modules ]; then
    say "the console does not build (build/console/log has the whole output)"
    return 1
  fi
  say "the console was left out: it needs Node.js 20 and the npm registry."
  say "Weir serves a plain status page in its place."
}
