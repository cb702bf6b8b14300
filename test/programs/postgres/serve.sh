#!/bin/dash
# The server of /data/db as the machine's own process, for clients outside.
chown postgres: /run/postgresql
exec setpriv --reuid postgres --regid postgres --init-groups /usr/lib/postgresql/15/bin/postgres -D /data/db -c listen_addresses='*' -c unix_socket_directories=/run/postgresql "$@"
