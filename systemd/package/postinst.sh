#!/bin/sh
# After unpacking: makes the user, hands a running agent over to the new program, and starts nothing that did not run.
#
# An agent that runs stops without a word to its peers (SIGUSR2) and is started anew: peers with graceful restart keep the routes, and
# the kernel keeps addresses and routes. The BFD process is left alone unless its own code is another. A first installation
# enables nothing: what this host announces is for its operator to say.
set -e

code=/var/cache/rutter/code
running() { systemctl --quiet is-active "$1" 2>/dev/null; }

# Compiled once by root, read by the agent's user; Node keeps a folder for each user.
compile() {
  rm -rf "$code"
  mkdir -p -m 755 "$code"
  NODE_COMPILE_CACHE=$code NODE_COMPILE_CACHE_PORTABLE=1 /usr/lib/rutter/node /usr/lib/rutter/program/warm.js || return 0
  for folder in "$code"/*-0; do
    [ -d "$folder" ] || continue
    chmod -R a+rX "$folder"
    ln -sfn "${folder##*/}" "${folder%-0}-$(id -u rutter)"
  done
}

# FRR's sockets are its group's. A unit that names a group which is not there does not start.
join_frr() {
  folder=/etc/systemd/system/rutter.service.d
  if getent group frrvty >/dev/null; then
    mkdir -p "$folder"
    printf '# Made by the package rutter, because FRR is installed.\n[Service]\nSupplementaryGroups=frrvty\n' >"$folder/frr.conf"
  else
    rm -f "$folder/frr.conf"
  fi
}

hand_over() {
  systemctl kill --kill-who=main --signal=SIGUSR2 rutter.service
  # Waits for the old one's end, and for the new one's word that it serves.
  systemctl restart rutter.service
}

case "$1" in
  configure)
    systemd-sysusers rutter.conf
    systemd-tmpfiles --create rutter.conf || true
    # Manifests may hold passwords.
    if [ -z "$2" ]; then
      chgrp rutter /etc/rutter/manifests.d
      chmod 750 /etc/rutter/manifests.d
    fi
    compile
    join_frr
    [ -d /run/systemd/system ] || exit 0
    systemctl daemon-reload
    /lib/systemd/systemd-sysctl /usr/lib/sysctl.d/60-rutter.conf || true
    if running rutter-bfd.service && ! cmp -s /usr/lib/rutter/bfd/digest /var/cache/rutter/bfd-digest; then
      systemctl restart rutter-bfd.service
    fi
    cp /usr/lib/rutter/bfd/digest /var/cache/rutter/bfd-digest
    if running rutter.service; then
      hand_over
    elif [ -z "$2" ]; then
      echo 'rutter is installed and does not run yet: systemctl enable --now rutter-bfd rutter'
    fi
    ;;
  triggered)
    join_frr
    if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
    ;;
esac
