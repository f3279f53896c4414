#!/bin/sh
# Starts a Sentinel. It keeps what it knows in its configuration, which is in its volume.
set -eu
directory=${SENTINEL_DIRECTORY:-/data}
port=${SENTINEL_PORT:-26379}
configuration=$directory/sentinel.conf
umask 077
if ! [ -f "$configuration" ]; then
  cat > "$configuration.new" <<SETTINGS
port $port
bind ${SENTINEL_BIND:-* -::*}
dir $directory
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $SENTINEL_NAME
sentinel monitor cave-log $LOG_PRIMARY 2
sentinel auth-pass cave-log $LOG_PASSWORD
sentinel down-after-milliseconds cave-log 2000
sentinel failover-timeout cave-log 10000
protected-mode no
SETTINGS
  mv "$configuration.new" "$configuration"
fi
if [ "$(id -u)" = 0 ] && command -v setpriv > /dev/null && id valkey > /dev/null 2>&1; then
  chown -R valkey:valkey "$directory"
  exec setpriv --reuid=valkey --regid=valkey --clear-groups valkey-server "$configuration" --sentinel
fi
exec valkey-server "$configuration" --sentinel
