# ./dev setup: Debian packages. Asks dpkg first, so a second call costs a few milliseconds and
# touches neither the network nor sudo.

help_setup() {
  cat <<'EOF'
./dev setup

Installs the packages of tools/debian-packages.txt that are missing (the file says what each is
for), as root or through sudo. Nothing is fetched when all are there. `build`, `run` and `test`
do this first, so you rarely call it.

Made for Debian 12. On another system it tells what is needed and leaves the installing to you;
WEIR_SKIP_SETUP=1 then lets the other commands go on.
EOF
}

# Names of the packages that are neither installed nor replaced by a command on the PATH.
missing_packages() { # [LIST]
  local installed package command
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p')
  while read -r package command _; do
    case "$package" in '' | '#'*) continue ;; esac
    [ "$command" != - ] && have "$command" && continue
    grep -qxF -- "$package" <<<"$installed" || printf '%s\n' "$package"
  done <"${1:-tools/debian-packages.txt}"
}

# The words to put before a command that needs root. Fails where there is no way.
root_prefix() {
  if [ "$(id -u)" = 0 ]; then
    printf 'env'
  elif have sudo && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    printf 'sudo'
  else
    return 1
  fi
}

apt_get() {
  local prefix
  prefix=$(root_prefix) || return 1
  "$prefix" env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
    -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 "$@" </dev/null
}

# Packages of tools/debian-packages-optional.txt. Says so where they cannot be had, and goes on.
setup_optional() {
  [ "${WEIR_SKIP_SETUP:-}" = 1 ] && return 0
  have apt-get && have dpkg-query || return 0
  local missing
  mapfile -t missing < <(missing_packages tools/debian-packages-optional.txt)
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing: ${missing[*]}"
  if ! root_prefix >/dev/null || ! apt_get update ||
    ! apt_get install --no-install-recommends "${missing[@]}"; then
    say "could not install ${missing[*]}: what needs them is skipped"
  fi
}

cmd_setup() {
  [ $# -eq 0 ] || die "setup takes no arguments"
  [ "${WEIR_SKIP_SETUP:-}" = 1 ] && return 0
  if ! have apt-get || ! have dpkg-query; then
    say "this is not a Debian system, so nothing can be installed for you."
    say "Weir is built on Debian 12; tools/debian-packages.txt lists what it needs and why."
    die "with all of that in place, set WEIR_SKIP_SETUP=1 and try again."
  fi
  local missing
  mapfile -t missing < <(missing_packages)
  [ ${#missing[@]} -gt 0 ] || return 0

  local system
  # shellcheck source=/dev/null
  system=$(. /etc/os-release && printf '%s %s' "${ID:-unknown}" "${VERSION_ID:-}")
  [ "$system" = "debian 12" ] || say "made for Debian 12, this is $system: trying all the same"
  say "installing: ${missing[*]}"
  if ! root_prefix >/dev/null; then
    say "installing needs root, and sudo is absent or wants a password nobody can type here."
    die "run this as root once: apt-get update && apt-get install ${missing[*]}"
  fi
  # A foreign source that cannot be reached must not stop an installation that does not need it.
  apt_get update || say "apt-get update had errors; going on with the package lists there are"
  apt_get install --no-install-recommends "${missing[@]}" ||
    die "apt-get could not install: ${missing[*]} (its own words are above)"
}
