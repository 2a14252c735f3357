# The npm packages of a suite: what a package-lock.json pins, kept below build/npm/ from run to run.

# npm_packages NAME LOCK HERE: installs what LOCK/package-lock.json says, unless that was done, and
# puts a link to it beside the sources in HERE, for imports to resolve. A failure is told as one of
# the suite.
npm_packages() {
  local name=$1 lock=$2 here=$3 build stamp home
  build=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)/build/npm
  stamp=$(cat "$lock/package.json" "$lock/package-lock.json" | sha256sum | cut -c1-16)
  home=$build/$name-$stamp
  if [ ! -f "$home/complete" ]; then
    rm -rf "$build/$name"-????????????????
    mkdir -p "$home"
    cp "$lock/package.json" "$lock/package-lock.json" "$home/"
    (cd "$home" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) </dev/null || {
      echo "FAILED npm ci: the packages of ${lock#"${build%/build/npm}/"}/package-lock.json"
      echo "0 passed, 1 failed, 0 skipped"
      exit 1
    }
    touch "$home/complete"
  fi
  rm -rf "$here/node_modules"
  ln -s "$home/node_modules" "$here/node_modules"
}
