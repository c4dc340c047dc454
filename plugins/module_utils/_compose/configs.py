# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration, without secrets, of servers that are not ours: HAProxy at the engine's socket, Redis, PostgreSQL.

Redis and PostgreSQL read their passwords from secrets at each start: a new password is a new secret and a restart.
"""

from __future__ import annotations

# What the health monitor needs of the Docker Engine API and nothing else: a list, a look, the events, and a restart.
# The path is matched as it was sent: what is encoded, doubled or relative matches nothing.
_HAPROXY = """\
global
  log stdout format raw local0 info
  maxconn 64

defaults
  mode http
  log global
  option httplog
  option dontlognull
  timeout connect 5s
  timeout client 30s
  timeout server 60s
  timeout http-request 5s

frontend engine
  bind :2375
  acl list path -m reg ^(/v[0-9.]+)?/containers/json$
  acl look path -m reg ^(/v[0-9.]+)?/containers/[A-Za-z0-9][A-Za-z0-9_.-]*/json$
  acl events path -m reg ^(/v[0-9.]+)?/events$
  acl restart path -m reg ^(/v[0-9.]+)?/containers/[A-Za-z0-9][A-Za-z0-9_.-]*/restart$
  http-request deny deny_status 403 unless METH_GET list or METH_GET look or METH_GET events or METH_POST restart
  use_backend events if events
  default_backend engine

backend engine
  server engine unix@/var/run/docker.sock

# Events come when they come.
backend events
  timeout server 24h
  timeout tunnel 24h
  server engine unix@/var/run/docker.sock

frontend health
  bind 127.0.0.1:2376
  monitor-uri /health
"""

_REDIS = """\
bind 0.0.0.0
protected-mode yes
port 0
tls-port 6379
tls-cert-file /run/secrets/redis_cert
tls-key-file /run/secrets/redis_key
tls-ca-cert-file /run/secrets/stack_ca
tls-auth-clients no
tls-protocols "TLSv1.2 TLSv1.3"
dir /data
appendonly yes
appendfsync everysec
save 900 1 300 100
maxmemory 96mb
maxmemory-policy noeviction
tcp-keepalive 60
maxclients 200
rename-command DEBUG ""
rename-command MODULE ""
rename-command SLAVEOF ""
rename-command REPLICAOF ""
"""

_REDIS_START = """\
#!/bin/sh
# The password is read from standard input: neither the arguments nor the environment have it.
set -eu
exec redis-server /usr/local/lib/stack/redis.conf - <<END
requirepass $(cat /run/secrets/redis_password)
END
"""

_POSTGRES = """\
listen_addresses = '*'
port = 5432
unix_socket_directories = '/tmp'
hba_file = '/usr/local/lib/stack/pg_hba.conf'
ssl = on
ssl_cert_file = '/run/secrets/postgres_cert'
ssl_key_file = '/run/secrets/postgres_key'
ssl_min_protocol_version = 'TLSv1.2'
password_encryption = 'scram-sha-256'
max_connections = 50
shared_buffers = 64MB
work_mem = 2MB
maintenance_work_mem = 32MB
effective_cache_size = 192MB
max_wal_size = 256MB
min_wal_size = 64MB
statement_timeout = 30s
idle_in_transaction_session_timeout = 60s
log_connections = on
log_disconnections = on
"""

# The superuser comes in by the container's own socket only.
_POSTGRES_HBA = """\
local   all all            peer
hostssl api api 0.0.0.0/0  scram-sha-256
"""

# A single-user server takes a statement a line from standard input, while nobody can connect. The passwords are
# hexadecimal digits. What initdb has not finished is not there for the next start.
_POSTGRES_START = r"""#!/bin/sh
set -eu
umask 077
data=/var/lib/postgresql/data
for bin in /usr/lib/postgresql/*/bin; do PATH="$PATH:$bin"; done
single() { postgres --single -D "$data/cluster" postgres > /dev/null; }
if [ ! -e "$data/cluster" ]; then
  rm -rf "$data/new"
  initdb -D "$data/new" --username=postgres --pwfile=/run/secrets/postgres_password --auth=scram-sha-256 \
    --encoding=UTF8 --locale=C.UTF-8 --data-checksums
  mv "$data/new" "$data/cluster"
fi
if [ ! -e "$data/made" ]; then
  single <<END
CREATE ROLE api LOGIN
CREATE DATABASE api OWNER api
END
  touch "$data/made"
fi
single <<END
ALTER ROLE postgres PASSWORD '$(cat /run/secrets/postgres_password)'
ALTER ROLE api PASSWORD '$(cat /run/secrets/api_db_password)'
END
exec postgres -D "$data/cluster" -c config_file=/usr/local/lib/stack/postgresql.conf
"""

CONFIGS = {
    "haproxy.cfg": _HAPROXY,
    "redis.conf": _REDIS,
    "redis-start.sh": _REDIS_START,
    "postgresql.conf": _POSTGRES,
    "pg_hba.conf": _POSTGRES_HBA,
    "postgres-start.sh": _POSTGRES_START,
}
