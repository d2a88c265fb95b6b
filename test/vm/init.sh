#!/bin/sh
# The guest's first process: makes a system of the machine's own files under the guest kernel, runs the job, powers off.
#
# The machine's root file system comes in read-only through hostfs; what the guest writes goes to memory above it
# (overlayfs), so that each run starts afresh and no program has to be installed twice. Only /job is shared for writing,
# with guest.ts, and what Node compiled, with later guests. It must never mount the machine's other files writable, nor leave
# without powering off.
# From the kernel's command line: KERNEL (build.sh's folder), JOB (the shared folder) or SHARES (the file system that has it by the
# name of job; full/), and COMPILED (Node's folder, if it is shared). Read next: guest.ts.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
busybox=$KERNEL/modules/busybox
modules=lib/modules/$(uname -r)
trap '"$busybox" poweroff -f' EXIT

mount -t tmpfs -o mode=755 memory /mnt
mkdir /mnt/written /mnt/work /mnt/root
"$busybox" insmod "$KERNEL/modules/kernel/fs/overlayfs/overlay.ko"
mount -t overlay -o lowerdir=/,upperdir=/mnt/written,workdir=/mnt/work root /mnt/root

cd /mnt/root
mkdir -p job "$modules"
if [ "${SHARES:-hostfs}" = hostfs ]; then mount -t hostfs -o "$JOB" job job; else mount -t "$SHARES" job job; fi
mount --bind "$KERNEL/modules" "$modules"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t devtmpfs devices dev
mkdir -p dev/pts dev/shm
mount -t devpts -o mode=620,ptmxmode=666 devpts dev/pts
mount -t tmpfs -o mode=1777 memory dev/shm
mount -t tmpfs -o mode=755 memory run
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
echo "/$modules/modprobe" >proc/sys/kernel/modprobe
echo guest >proc/sys/kernel/hostname
busybox=/$modules/busybox
PATH=$PATH:/$modules

# The machine's own files leave the guest's sight, but as the overlay's lower half.
pivot_root . mnt
exec <dev/console >dev/console 2>&1
umount -l /mnt
if [ -n "${COMPILED:-}" ]; then mount -t hostfs -o "$COMPILED" compiled "$COMPILED"; fi
# What is there before anybody asks for it.
modprobe -a ipv6 tun
ip link set lo up
cut -d ' ' -f 1 /proc/uptime >/job/booted
code=0
sh /job/start >/job/log 2>&1 </dev/null || code=$?
echo "$code" >/job/code
