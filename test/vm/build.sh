#!/bin/sh
# Makes the guest kernel that test/vm/guest.ts boots: user-mode Linux, a kernel that runs as an ordinary program.
#
# Debian's packages are unpacked into a cache folder ($RUTTER_VM, or one of this user's below the temporary folder), once
# per machine and recipe: the folder's name carries this file's hash. It must install nothing on the machine, need no
# root, and leave no half-made folder where a run could find it. A machine that cannot have it is told so and goes on:
# the tests that need the guest then skip. `build.sh look` makes nothing, prints the
# folder and fails where it is not there.
# Read next: init.sh (what the kernel starts), guest.ts (what starts the kernel).
set -eu
umask 022

packages="user-mode-linux busybox-static"
# What a routing test may load, of some 100 MB.
modules="net lib crypto drivers/net fs/overlayfs"
cache=${RUTTER_VM:-${TMPDIR:-/tmp}/rutter-vm-$(id -u)}
kernel=$cache/kernel-$(sha256sum "$0" | cut -c 1-12)

say() { printf 'vm: %s\n' "$*" >&2; }
give_up() {
  say "no guest kernel (tests that need one will skip): $*"
  exit 0
}

if [ "${1:-}" = look ]; then
  printf '%s\n' "$kernel"
  [ -d "$kernel" ]
  exit
fi
[ ! -d "$kernel" ] || exit 0
[ "$(uname -m)" = x86_64 ] || give_up "Debian builds user-mode Linux for x86_64 only"
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || give_up "no apt to fetch it with"

# What runs as root is taken from this folder, so nobody else may have made it or write in it.
mkdir -p -m 755 "$cache"
[ "$(stat -c %u "$cache")" = "$(id -u)" ] || give_up "$cache belongs to another user"
exec 9<"$cache"
flock 9
[ ! -d "$kernel" ] || exit 0

work=$cache/work
rm -rf "$work"
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/unpacked" "$work/kernel/modules/kernel"
say "fetching $packages into $cache (40 MB; some 15 s, once)"

# The machine's own sources and keys, with lists and archives of our own.
apt() {
  timeout 300 apt-get -qq -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work" -o APT::Sandbox::User= \
    -o Acquire::Languages=none "$@" >"$work/said" 2>&1 || give_up "apt-get $1: $(tail -n 1 "$work/said")"
}
apt update
# shellcheck disable=SC2086 # a list of words
cd "$work/archives" && apt download $packages
for archive in "$work"/archives/*.deb; do dpkg-deb -x "$archive" "$work/unpacked"; done

set -- "$work"/unpacked/usr/lib/uml/modules/*
for part in $modules; do
  [ -d "$1/kernel/$part" ] || continue
  mkdir -p "$work/kernel/modules/kernel/$(dirname "$part")"
  mv "$1/kernel/$part" "$work/kernel/modules/kernel/$part"
done
mv "$work/unpacked/usr/bin/linux.uml" "$work/kernel/linux"
mv "$work"/unpacked/*bin/busybox "$work/kernel/modules/busybox"
ln -s busybox "$work/kernel/modules/modprobe"
mkdir -p "$work/lib/modules"
ln -s "$work/kernel/modules" "$work/lib/modules/${1##*/}"
"$work/kernel/modules/busybox" depmod -b "$work" "${1##*/}"
mv "$work/kernel" "$kernel"
say "made $kernel ($(du -sm "$kernel" | cut -f 1) MB)"
