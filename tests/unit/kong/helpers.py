# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run of kong_sync is, without Ansible: a state, a node, a plan, an apply."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any, Optional

import pytest
import yaml
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.yaml_reader import value_of
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.loader import Loaded, load
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.client import Client
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.declared import State
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.node import node_of, provider_of
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.state import parse_state
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.transport import Connection
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.executor import Timing
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.policy import Limits
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.sync import Settings, Sync, prepare

from tests.contract.kong.client import Client as Admin

#: No limits: they are the engine's, and tested there.
FREE = Limits(delete=100, update=100, allow_empty=True)

#: One of each kind, in every form that a state file knows, but for certificates and keys.
EVERYTHING = """
_info:
  select_tags: [team-a, graph.shop]
  defaults:
    route: {strip_path: false}
_plugin_configs:
  limits: {minute: 100, policy: local}
services:
- name: api
  url: https://api.test/base
  tags: [extra]
  routes:
  - name: api
    paths: [/api, "~/v[0-9]+$"]
    methods: [POST, GET]
    headers: {x-version: [v1]}
    plugins:
    - name: cors
      config: {origins: ["https://b.test", "https://a.test"]}
  plugins:
  - name: rate-limiting
    instance_name: limits-of-api
    _config: limits
  - name: request-transformer
    config: {add: {headers: ["X-Service:api"]}}
- name: rpc
  host: rpc.test
  protocol: grpc
  port: 50051
  routes:
  - name: rpc
    protocols: [grpc, grpcs]
    hosts: ["*.rpc.test"]
routes:
- name: alone
  paths: [/alone]
plugins:
- name: prometheus
- name: rate-limiting
  consumer: api-user
  service: {name: api}
  config: {minute: 5, redis_host: redis.test, redis_port: 6380}
consumers:
- username: api-user
  custom_id: "42"
  keyauth_credentials:
  - key: EXAMPLE-KEY-1
  - {key: EXAMPLE-KEY-2, ttl: 3600}
  basicauth_credentials:
  - {username: api, password: EXAMPLE-PASSWORD}
  jwt_secrets:
  - key: issuer
  hmacauth_credentials:
  - {username: signer, secret: EXAMPLE-SECRET}
  oauth2_credentials:
  - {name: app, client_id: app-1, client_secret: EXAMPLE-CLIENT, hash_secret: true, redirect_uris: ["http://h.test/"]}
  acls:
  - group: admins
- custom_id: only-this
upstreams:
- name: pool.test
  algorithm: least-connections
  targets:
  - target: h1
  - {target: "h2:9000", weight: 10}
  - target: "[::1]:80"
- name: ring.test
  hash_on: header
  hash_on_header: x-user
  hash_fallback: ip
vaults:
- {name: env, prefix: my-env, config: {prefix: KONG_}}
key_sets:
- name: signing
"""


def state(text: str, **options: Any) -> State:
    return parse_state(load(f'_format_version: "3.0"\n{text}', "kong.yml", value_of), **options)


def inline(**data: Any) -> State:
    return parse_state(Loaded({"_format_version": "3.0", **data}))


class Waits(list[float]):
    """A clock that remembers how long it was slept."""

    def timing(self) -> Timing:
        return Timing(sleep=self.append, random=lambda: 0.5, time=lambda: 1_800_000_000.0)


@contextlib.contextmanager
def planned(
    url: str, what: State, settings: Optional[Settings] = None, waits: Optional[Waits] = None, **connection: Any
) -> Iterator[Sync]:
    """A plan that can be applied while the block lasts."""
    waits = Waits() if waits is None else waits
    workspace = connection.pop("workspace", "")
    settings = settings or Settings(purge=True, limits=FREE)
    client = Client(Connection(url, **{"use_proxy": False, **connection}), workspace, waits.timing())
    try:
        node = node_of(client, workspace)
        provider = provider_of(client, node, what, settings.purge and settings.policy == "sync")
        yield prepare(provider, provider.desired, settings)
    finally:
        client.close()


def synced(url: str, what: State, settings: Optional[Settings] = None, **others: Any) -> dict[str, int]:
    """Plan and apply; the plan's counts."""
    waits = others.setdefault("waits", Waits())
    with planned(url, what, settings, **others) as sync:
        sync.apply(waits.timing())
        return sync.plan.counts


def converges(url: str, what: State, **others: Any) -> dict[str, int]:
    """Apply, and see that nothing is left to do: neither for us nor, in check mode, for anybody."""
    counts = synced(url, what, **others)
    with planned(url, what, **others) as sync:
        assert [(change.kind, change.name, change.reasons) for change in sync.plan.changes] == []
    return counts


def refused(url: str, what: State, settings: Optional[Settings] = None, **others: Any) -> PlatformError:
    """The error that a run ends in."""
    with pytest.raises(PlatformError) as error:
        synced(url, what, settings, **others)
    return error.value


def changes(sync: Sync) -> list[tuple[str, str, str]]:
    return [(change.action, change.kind, change.name) for change in sync.plan.changes]


def with_settings(**options: Any) -> Settings:
    return dataclasses.replace(Settings(purge=True, limits=FREE), **options)


def dump(data: Any) -> str:
    return yaml.safe_dump(data, sort_keys=False)


def everything(client: Admin) -> Any:
    """All entities but for what a load resets."""
    found = {
        path: client.all(path)
        for path in ("/services", "/routes", "/plugins", "/consumers", "/basic-auths", "/key-auths", "/upstreams")
    }
    found["targets"] = [target for up in found["/upstreams"] for target in client.all(f"/upstreams/{up['id']}/targets")]
    for row in (row for rows in found.values() for row in rows):
        row.pop("updated_at", None)
    return found
