#!/bin/sh
# Boots systemd as the first process of a Debian in namespaces of this machine's kernel: the machine's own files, and nothing of its services.
#
# The machine's root file system is read-only below a layer in memory: dpkg, apt's database, FRR, everything is at its place, and
# what is written is forgotten. Of /etc/systemd/system nothing is seen, and what waits for devices, terminals or clocks is masked: it boots
# in a second. It must run in a mount, process, host name, IPC and cgroup namespace of its own, and in a network namespace that a test
# made. It must never start what the machine has enabled.
# WORK: an empty folder for this boot, with `files` in it, which is /job there. Read next: booted.ts, which starts it.
set -eu

mount --make-rprivate /
mount -t tmpfs -o mode=755 memory "$WORK/memory"
cd "$WORK/memory"
mkdir upper work root
mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work root root
cd root
mkdir -p job
mount --bind "$WORK/files" job
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 devices dev
mkdir dev/pts dev/shm dev/net
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
: >dev/console
for device in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
  numbers=${device#*:}
  mknod -m 666 "dev/${device%%:*}" c "${numbers%:*}" "${numbers#*:}"
done
mount -t tmpfs -o mode=755 memory run
mount -t tmpfs -o mode=1777 memory tmp

mount -t tmpfs -o mode=755 memory etc/systemd/system
cat >etc/systemd/system/test.target <<'END'
[Unit]
Requires=basic.target
After=basic.target
AllowIsolate=yes
END
# sysctls and modules are the machine's, not this namespace's; the rest would wait for what is not here.
for unit in systemd-sysctl systemd-modules-load systemd-udevd systemd-udev-trigger systemd-hwdb-update systemd-sysusers \
  systemd-machine-id-commit systemd-update-done systemd-update-utmp systemd-update-utmp-runlevel systemd-random-seed \
  systemd-remount-fs systemd-pstore systemd-boot-system-token systemd-journal-flush systemd-journal-catalog-update \
  systemd-timesyncd systemd-networkd systemd-resolved systemd-binfmt systemd-firstboot ldconfig kmod-static-nodes \
  systemd-tmpfiles-setup-dev; do
  ln -s /dev/null "etc/systemd/system/$unit.service"
done
for unit in dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
  sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount systemd-ask-password-console.path systemd-ask-password-wall.path \
  systemd-udevd-control.socket systemd-udevd-kernel.socket; do
  ln -s /dev/null "etc/systemd/system/$unit"
done
mkdir -p etc/systemd/system-generators
for generator in usr/lib/systemd/system-generators/*; do
  ln -sf /dev/null "etc/systemd/system-generators/${generator##*/}"
done

echo booted >etc/hostname
mkdir .machine
pivot_root . .machine
umount -l /.machine
mount --make-rshared /
exec env -i container=rutter PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=test.target --log-target=journal
