#!/bin/sh
# Boots the guest of build.sh in qemu, in software (never KVM): the machine's files read-only, the job's folder to write in.
#
# Everything that it starts is in its own process group, which guest.ts ends. Two daemons hand out the files (virtiofs).
# FOLDER: build.sh's; BOOT: for sockets of this boot; JOB: the shared folder; the arguments go to the kernel.
set -eu
qemu=$FOLDER/qemu
LD_LIBRARY_PATH=$qemu/usr/lib/x86_64-linux-gnu:$qemu/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH

daemons=
# They end with qemu; where it is never started, with this script.
trap 'kill $daemons' EXIT
share() {
  "$qemu/usr/lib/qemu/virtiofsd" --socket-path="$BOOT/$1.socket" -o source="$2" -o sandbox=chroot -o cache=always -f >"$BOOT/$1.log" 2>&1 &
  daemons="$daemons $!"
}
share machine /
share job "$JOB"
tries=100
while [ ! -S "$BOOT/machine.socket" ] || [ ! -S "$BOOT/job.socket" ]; do
  tries=$((tries - 1))
  if [ "$tries" = 0 ]; then
    cat "$BOOT/machine.log" "$BOOT/job.log"
    exit 1
  fi
  sleep 0.1
done

exec "$qemu/usr/bin/qemu-system-x86_64" -L "$qemu/usr/share/qemu" -L "$qemu/usr/share/seabios" \
  -accel tcg,thread=multi -cpu max -smp 2 -m 1024 -object memory-backend-memfd,id=memory,size=1024M,share=on \
  -numa node,memdev=memory -nodefaults -no-user-config -display none -no-reboot -serial stdio \
  -chardev socket,id=machine,path="$BOOT/machine.socket" -device vhost-user-fs-pci,chardev=machine,tag=machine \
  -chardev socket,id=job,path="$BOOT/job.socket" -device vhost-user-fs-pci,chardev=job,tag=job \
  -kernel "$FOLDER/vmlinuz" -initrd "$FOLDER/disk.gz" -append "console=ttyS0 mitigations=off panic=-1 quiet $*"
