#!/bin/sh
# Makes what full/kernel.ts boots: qemu and Debian's cloud kernel, for the few tests that need VRF and nftables at once.
#
# As ../build.sh does: Debian's packages, unpacked into a cache folder, once per machine and recipe; nothing is installed, no
# half-made folder is left where a run could find it, and a machine that can't have it is told so and goes on. `build.sh look`
# makes nothing, prints the folder and fails where it is not there.
# Read next: boot.sh (what starts it), ../init.sh (the guest's first process, after the memory disk's that is written here).
set -eu
umask 022

cache=${RUTTER_VM:-${TMPDIR:-/tmp}/rutter-vm-$(id -u)}
folder=$cache/full-$(sha256sum "$0" | cut -c 1-12)

say() { printf 'vm-full: %s\n' "$*" >&2; }
give_up() {
  say "no full guest: $*"
  exit 0
}

if [ "${1:-}" = look ]; then
  printf '%s\n' "$folder"
  [ -d "$folder" ]
  exit
fi
[ ! -d "$folder" ] || exit 0
[ "$(uname -m)" = x86_64 ] || give_up "its kernel is fetched for x86_64 only"
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || give_up "no apt to fetch it with"

# What runs as root is taken from this folder, so nobody else may have made it or write in it.
mkdir -p -m 755 "$cache"
[ "$(stat -c %u "$cache")" = "$(id -u)" ] || give_up "$cache belongs to another user"
exec 9<"$cache"
flock 9
[ ! -d "$folder" ] || exit 0

work=$cache/work-full
made=$work/made
rm -rf "$work"
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/unpacked" "$made/qemu"
say "fetching qemu and a kernel into $cache (some 60 MB; half a minute, once)"

# The machine's own sources and keys, with lists and archives of our own; what it has installed is not fetched again.
cat >"$work/apt.conf" <<END
Dir::State::Lists "$work/lists";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "$work";
APT::Sandbox::User "";
Acquire::Languages "none";
END
export APT_CONFIG="$work/apt.conf"
apt() { timeout 300 "$@" >"$work/said" 2>&1 || give_up "$1 $2: $(tail -n 1 "$work/said")"; }
apt apt-get update -qq
apt apt-cache depends linux-image-cloud-amd64
kernel=$(sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' "$work/said" | head -n 1)
apt apt-get install -qq -y --download-only --no-install-recommends qemu-system-x86
cd "$work/archives"
for archive in *.deb; do dpkg-deb -x "$archive" "$made/qemu"; done
rm -f ./*.deb
apt apt-get download -qq "$kernel" busybox-static
for archive in *.deb; do dpkg-deb -x "$archive" "$work/unpacked"; done

set -- "$work"/unpacked/lib/modules/*
version=${1##*/}
mv "$work/unpacked/boot/vmlinuz-$version" "$made/vmlinuz"
mv "$1" "$made/modules"
mv "$work"/unpacked/*bin/busybox "$made/modules/busybox"
ln -s busybox "$made/modules/modprobe"
busybox=$made/modules/busybox
mkdir -p "$work/lib/modules"
ln -s "$made/modules" "$work/lib/modules/$version"
"$busybox" depmod -b "$work" "$version"

# The memory disk: the way to the machine's files, and on to the guest's first process there.
disk=$work/disk
mkdir -p "$disk/bin" "$disk/dev" "$disk/machine"
cp "$busybox" "$disk/bin/busybox"
for part in drivers/virtio fs/fuse; do
  mkdir -p "$disk/lib/modules/$version/kernel/${part%/*}"
  cp -r "$made/modules/kernel/$part" "$disk/lib/modules/$version/kernel/$part"
done
"$busybox" depmod -b "$disk" "$version"
cat >"$disk/init" <<'END'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t devtmpfs devices /dev
$b modprobe -a virtio_pci virtiofs
$b mount -t virtiofs -o ro machine /machine || $b poweroff -f
$b umount /dev
exec $b switch_root /machine "$FIRST"
END
chmod 755 "$disk/init"
(cd "$disk" && find . | "$busybox" cpio -o -H newc 2>/dev/null | gzip -1 >"$made/disk.gz")
mv "$made" "$folder"
say "made $folder ($(du -sm "$folder" | cut -f 1) MB)"
