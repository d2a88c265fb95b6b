#!/bin/sh
# Makes a Debian machine ready for `npm test` and `npm run demo`, and says what it installs.
#
# It exists so that a fresh clone needs one command. It must never start a routing daemon in the machine's own network
# namespace, never touch one that runs already, and install nothing on a second run (which takes well under 0.3 s).
# Without root it names what is missing and goes on: the tests that need it then skip, with their reason.
# Read next: test/probe.ts (what a machine can run).
set -eu
cd "$(dirname "$0")/.."

packages="bird2 frr gobgpd iproute2 nats-server nftables openssl"
stamp=node_modules/.installed-package-lock.json
policy=/usr/sbin/policy-rc.d
say() { printf 'setup: %s\n' "$*"; }

# ---- npm packages -------------------------------------------------------------------------------------------------

npm_is_current() { [ -f "$stamp" ] && cmp -s package-lock.json "$stamp"; }

# Not through node_modules/.bin: npm would then run on the very Node binary that it replaces.
npm_outside() {
  PATH=$(printf '%s' "$PATH" | tr ':' '\n' | grep -v '/node_modules/' | paste -sd: -) npm "$@" \
    --no-audit --no-fund --no-progress --loglevel=error
}

# `npm ci` refuses a lock in which an optional package of another platform has no version, and it empties node_modules/
# under the feet of a run beside this one. `npm install --no-save` takes the same versions and writes no lock.
install_npm() {
  say "installing the npm packages of package-lock.json into node_modules/"
  npm_outside install --no-save
  cp package-lock.json "$stamp"
}

# ---- Debian packages ----------------------------------------------------------------------------------------------

missing_packages() {
  # shellcheck disable=SC2086 # a list of words
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $packages 2>/dev/null || true)
  for package in $packages; do
    case "$installed" in *"installed $package"*) ;; *) printf '%s ' "$package" ;; esac
  done
}

# A program's output only where it fails.
quietly() {
  output=$("$@" 2>&1) && return 0
  printf '%s\n' "$output" >&2
  say "failed: $*"
  return 1
}

made_policy=no
unmake_policy() {
  if [ "$made_policy" = yes ]; then
    rm -f "$policy"
    made_policy=no
    say "removed the temporary $policy"
  fi
}

# invoke-rc.d asks policy-rc.d before it starts a daemon; 101 forbids it.
forbid_daemon_start() {
  if [ -e "$policy" ]; then
    verdict=0
    "$policy" frr start >/dev/null 2>&1 || verdict=$?
    if [ "$verdict" = 101 ]; then
      say "the machine's own $policy keeps daemons from starting; left as it is"
    else
      say "the machine's own $policy lets daemons start; left as it is: frr, bird, gobgpd and nats-server may run after this"
    fi
    return
  fi
  made_policy=yes
  printf '#!/bin/sh\n# Temporary, made by the set-up of Rutter: no daemon starts on installation.\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  say "made a temporary $policy, so that no routing daemon starts in this machine's own network"
}

install_debian() {
  say "installing the Debian packages: $missing"
  trap unmake_policy EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  forbid_daemon_start
  export DEBIAN_FRONTEND=noninteractive
  quietly apt-get -qq -o DPkg::Lock::Timeout=300 update
  # shellcheck disable=SC2086 # a list of words
  quietly apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install --no-install-recommends $missing
  unmake_policy
  keep_off_at_boot
}

# Only for packages that this run has brought: what the machine had before keeps its ways.
keep_off_at_boot() {
  command -v systemctl >/dev/null || return 0
  for package in $missing; do
    case "$package" in frr) unit=frr ;; bird2) unit=bird ;; gobgpd) unit=gobgpd ;; nats-server) unit=nats-server ;; *) continue ;; esac
    systemctl --quiet disable "$unit.service" >/dev/null 2>&1 || continue
    say "$unit.service stays off at boot (systemctl enable $unit changes that)"
  done
}

# ---- in order, one at a time --------------------------------------------------------------------------------------

# A directory can be locked as it is, so no lock file is left behind. The first lock is this clone's, the second the
# machine's: two clones must not remove each other's policy-rc.d. It is no lock of dpkg's own (those are fcntl locks).
if ! npm_is_current; then
  exec 8<.
  flock 8
  npm_is_current || install_npm
  exec 8<&-
fi

if ! command -v dpkg-query >/dev/null; then
  say "this is no Debian machine; tests that need one of these will skip: $packages"
  exit 0
fi
missing=$(missing_packages)
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
  say "not root, so not installed (tests that need them will skip): $missing"
  exit 0
fi
exec 9</var/lib/dpkg
flock 9
missing=$(missing_packages)
[ -z "$missing" ] || install_debian
