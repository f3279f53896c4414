#!/bin/sh
# Starts a log server. Its configuration is in its volume, since Sentinel changes it: after a failover
# the former primary has to come back as a replica. Passwords are in that file, not in arguments.
set -eu
directory=${LOG_DIRECTORY:-/data}
port=${LOG_PORT:-6379}
configuration=$directory/server.conf
umask 077
if ! [ -f "$configuration" ]; then
  {
    cat <<SETTINGS
port $port
bind ${LOG_BIND:-* -::*}
dir $directory
appendonly yes
appendfsync always
no-appendfsync-on-rewrite no
save ""
maxmemory ${LOG_MAXMEMORY:-1gb}
maxmemory-policy noeviction
min-replicas-to-write 1
min-replicas-max-lag 10
replica-announce-ip $LOG_NAME
replica-announce-port $port
requirepass $LOG_PASSWORD
masterauth $LOG_PASSWORD
SETTINGS
    if [ -n "${LOG_PRIMARY:-}" ]; then echo "replicaof $LOG_PRIMARY"; fi
  } > "$configuration.new"
  mv "$configuration.new" "$configuration"
fi
# As root, as the image starts it, the server would own its files: take the image's user instead.
if [ "$(id -u)" = 0 ] && command -v setpriv > /dev/null && id valkey > /dev/null 2>&1; then
  chown -R valkey:valkey "$directory"
  exec setpriv --reuid=valkey --regid=valkey --clear-groups valkey-server "$configuration"
fi
exec valkey-server "$configuration"
