#!/bin/sh
# Before removal: stops both services in order. Before an upgrade: nothing, for the old program runs on until the new one is there.
set -e

if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl stop rutter.service rutter-bfd.service
fi
