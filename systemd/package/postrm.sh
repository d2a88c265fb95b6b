#!/bin/sh
# After removal the log, the secrets and the configuration are still there; purge takes them, and asks for nothing.
set -e

if [ "$1" = remove ] || [ "$1" = purge ]; then
  rm -rf /var/cache/rutter /run/rutter
  rm -f /etc/systemd/system/rutter.service.d/frr.conf
  rmdir /etc/systemd/system/rutter.service.d 2>/dev/null || true
fi
if [ "$1" = purge ]; then
  rm -f /etc/systemd/system/multi-user.target.wants/rutter.service /etc/systemd/system/multi-user.target.wants/rutter-bfd.service
  rm -rf /var/lib/rutter /etc/rutter
fi
if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
