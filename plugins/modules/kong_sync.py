#!/usr/bin/python

# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kong_sync
short_description: Make a Kong gateway as a state file declares it
version_added: 0.1.0
description:
  - Makes the services, routes, plugins, consumers with their credentials, upstreams with their targets, certificates
    with their SNIs, CA certificates, vaults and keys of a Kong node as declared, of any number, in one task. On a node
    of the Enterprise edition, consumer groups with their members and plugins too.
  - Takes decK's state files as they are (C(_format_version) C("3.0")), and what M(zerotrust.platform.service_graph)
    renders. What it does not support is refused by its name before anything is changed.
  - Objects that are ours carry the owner's tags. Objects of others are never changed or deleted. If one has a name that
    is declared, the run is refused before it begins.
  - Second runs change nothing. Defaults come from the node's own schemas; a password is compared through the hash that
    Kong keeps.
  - A node without a database is recognised. There the whole configuration is written in one call, and the plan tells of
    each object all the same. What is foreign stays.
  - Each write can be repeated, as objects are made under ids that follow from their names. After any failure, a new run
    goes on where the last one ended.
  - Secrets are shown as C(***), in Kong's own error messages too.
  - This module takes many objects in one call. A long run tells the system's log every 10 seconds how far it is;
    O(journal_file) grows with each write.
extends_documentation_fragment:
  - zerotrust.platform.kong
  - zerotrust.platform.plan
  - zerotrust.platform.sync
options:
  src:
    description:
      - The state file, YAML or JSON, on the machine where the module runs.
      - Mistakes in it are reported with their lines.
      - C(${{ env "DECK_NAME" }}) in it is replaced from the environment of the module, and is taken for a secret.
      - With C(_transform) C(false) in it, as in Kong's own exports, C(basic-auth) passwords and OAuth2 client secrets
        with C(hash_secret) are the hashes that a node keeps. They are refused where a node would hash them again.
    type: path
  state:
    description: The same, inline. For a few objects; use O(src) for more.
    type: dict
  graph:
    description: The same, as a gateway of a service graph asks for it.
    type: dict
    suboptions:
      src:
        description: The service graph's file, on the machine where the module runs.
        type: path
        required: true
      overrides:
        description: Values that are laid upon the file, mappings key by key. A value that is null removes the key.
        type: dict
      gateway:
        description: The name of the gateway in the graph. By default its only one of the kind V(kong).
        type: str
  select_tags:
    description:
      - The owner's tags, at most 5. Every declared object gets them, and what has all of them is ours.
      - By default C(_info.select_tags) of the state file, or else V(zerotrust.platform).
    type: list
    elements: str
  api_keys:
    description:
      - API keys of consumers, which are their C(key-auth) credentials, made and rotated here.
      - Each consumer gets a key of 256 random bits. It is written in clear text once, to O(api_keys.handover); what is
        kept is its hash, in O(api_keys.record).
      - A later run finds a key on the node by its hash. One that is lost is not replaced in silence.
      - That needs O(purge), as keys are removed when their time has come. O(limits.delete) does not count these.
    type: dict
    suboptions:
      consumers:
        description: Whose keys are made here. By default all that are declared without C(keyauth_credentials).
        type: list
        elements: str
      given:
        description:
          - Keys that come from elsewhere, such as a vault, as lists by consumer. No others are made for these.
          - Who gives keys rotates them, by giving the old and the new one for a while.
        type: dict
      record:
        description:
          - The file that keeps the hash of each key, and when it was made and retires. It holds no secret.
          - Without it no keys are made. Keep it with the inventory; it can be versioned.
        type: path
      handover:
        description:
          - The file to which new keys are written in clear text, as the variable C(kong_api_keys). Its mode is C(0600).
          - Hand its keys to their holders, then delete it, or encrypt it with C(ansible-vault encrypt) and move it.
        type: path
      overlap:
        description:
          - How long a key stays valid after another one was made in its place, such as V(7d) or V(12h), or V(0).
          - A run after that time removes it.
        type: str
        default: 7d
      max_age:
        description: The age at which a key is rotated, such as V(90d). By default none is for its age.
        type: str
      rotate_before:
        description:
          - Keys that were made before this time are rotated, such as V(2026-01-31T12:00:00Z). Without a zone it is UTC.
          - As it is a time, and no command, a second run with it rotates nothing.
        type: str
      rotate:
        description: The consumers that O(api_keys.rotate_before) is about. By default all.
        type: list
        elements: str
      adopt:
        description:
          - Whether a missing record is made from the keys with our tags that the node has.
          - Of several keys of a consumer the newest is the one to stay, the others retire.
          - Otherwise such a run is refused.
        type: bool
        default: false
  wait:
    description:
      - Whether to wait after the last write until the node is ready, and, if it has no database, until it has the
        configuration that was loaded.
      - A node with a database routes by what was written some seconds later, and tells nothing of it. Set O(probe) to
        wait for that.
      - If that does not come about, the task fails, and what was written stays.
    type: bool
    default: false
  wait_timeout:
    description: How many seconds to wait for each of these.
    type: float
    default: 30
  probe:
    description:
      - With O(wait), the gateway's proxy is asked for the routes that this run writes, until it serves those that are
        new and no longer those that are gone.
      - A request has the host, the path and the headers of the route, and the method C(OPTIONS) or C(GET). It reaches
        the service behind the route.
      - Routes of which no request tells anything are not asked for, and returned in C(not_probed). These have methods
        that change something, or regular expressions, TLS names or TCP only; or another route matches the same request.
      - Each answer must be right several times in a row, as a gateway has several workers. Behind a load balancer this
        is no proof for each node.
    type: dict
    suboptions:
      url:
        description: The address of the proxy, as clients reach it.
        type: str
        required: true
      routes:
        description: The names of the routes to ask for, of those that are written. By default the last 20.
        type: list
        elements: str
      ca_path:
        description: A PEM file, or a directory as OpenSSL has them, with the authorities that are trusted.
        type: path
      validate_certs:
        description: Whether the proxy's certificate is checked.
        type: bool
        default: true
requirements:
  - PyYAML >= 6.0
attributes:
  check_mode:
    support: full
    description: Can run in check mode and tell what it would change, without changing it.
  diff_mode:
    support: full
    description: Shows each object before and after, without secrets.
  idempotent:
    support: full
    description: A second run with the same declaration changes nothing.
  platform:
    support: full
    platforms: posix
    description: Runs on any POSIX system that reaches the Admin API.
author:
  - zerotrust.platform contributors (@zerotrust-platform)
"""

EXAMPLES = r"""
- name: Make the gateway as the file says, and delete what it no longer declares
  zerotrust.platform.kong_sync:
    connection:
      url: http://127.0.0.1:8001
    src: kong.yml
    purge: true

- name: Make the gateway as a service graph asks for it
  zerotrust.platform.kong_sync:
    connection:
      url: http://127.0.0.1:8001
    graph:
      src: service_graph.yml
    purge: true

- name: Declare a service and its route inline
  zerotrust.platform.kong_sync:
    connection:
      url: https://kong.example.com:8444
      token: "{{ kong_admin_token }}"
      ca_path: /etc/example/ca.pem
    select_tags: [team-a]
    state:
      _format_version: "3.0"
      services:
        - name: api
          url: http://api.example.com:8080
          routes:
            - name: api
              paths: [/api]

- name: Give each consumer of the file an API key, and another one each quarter
  zerotrust.platform.kong_sync:
    connection:
      url: http://127.0.0.1:8001
    src: kong.yml
    purge: true
    api_keys:
      record: "{{ inventory_dir }}/kong_api_keys.json"
      handover: "{{ inventory_dir }}/kong_api_keys.yml"
      max_age: 90d
      overlap: 14d
"""

RETURN = r"""
plan:
  description: What is, or in check mode would be, done.
  returned: success
  type: dict
outcome:
  description: What became of each write.
  returned: when something was written
  type: dict
api_keys:
  description: What has become of API keys, or in check mode would.
  returned: when O(api_keys.record) is set
  type: dict
  contains:
    issued:
      description: The names of keys that are made, each a consumer and a number.
      type: list
      elements: str
    retiring:
      description: The keys that are valid until another was taken in their place, and when they are removed.
      type: list
      elements: dict
    removed:
      description: The names of keys that are no longer valid.
      type: list
      elements: str
    handover:
      description: The file with the new keys in clear text, if there are any.
      type: str
  sample:
    issued: [api-user/2]
    retiring: [{name: api-user/1, retires: "2026-02-07T12:00:00Z"}]
    removed: []
    handover: /srv/shop/kong-api-keys.yml
node:
  description: What the node is.
  returned: success
  type: dict
  contains:
    version:
      description: Its version.
      type: str
    mode:
      description: V(database) or V(dbless).
      type: str
  sample: {version: 3.9.1, mode: database}
probed:
  description: The routes that were asked for, and that are served, or gone, as they should be.
  returned: when O(probe) is set and something was written
  type: list
  elements: str
not_probed:
  description: The routes that were written, and of which no request tells whether they are served.
  returned: when O(probe) is set and something was written
  type: list
  elements: str
requests:
  description: How many requests were made, up to the end of the run.
  returned: success
  type: int
  sample: 19
reason:
  description: A code for what stopped the run.
  returned: failure
  type: str
  sample: foreign_owner
errors:
  description: Every mistake, one sentence each.
  returned: when there are several
  type: list
  elements: str
"""

import os
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.zerotrust.platform.plugins.module_utils._ansible import (
    GRAPH_OPTIONS,
    SYNC_OPTIONS,
    Module,
    Work,
    require,
    run,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._api_keys.given import given_secrets
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.kong import configuration, gateway_of
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.loader import Loaded
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.source import read_graph
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.api_keys import (
    API_KEYS_OPTIONS,
    ApiKeys,
    prepare_keys,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.client import Client
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.node import node_of, provider_of
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.options import (
    KONG_OPTIONS,
    access_secrets,
    item_secrets,
    state_secrets,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.state import parse_state, read_state
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.transport import Connection
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.waiting import PROBE_OPTIONS, Waiting
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.progress import logged
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.sync import Settings, prepare


def body(module: AnsibleModule) -> Work:
    params = module.params
    # The inline state is not logged. Of what is returned, only its secrets are to be hidden, and not each name in it.
    hidden = {
        *access_secrets(params["connection"]),
        *state_secrets(params["state"]),
        *given_secrets((params["api_keys"] or {}).get("given")),
    }
    module.no_log_values = hidden
    settings = Settings.of(params)
    if params["graph"]:
        graph = read_graph(params["graph"]["src"], params["graph"]["overrides"])
        loaded = Loaded(configuration(graph, gateway_of(graph, params["graph"]["gateway"] or None)))
    else:
        loaded = read_state(params["src"]) if params["src"] else Loaded(params["state"])
    state = parse_state(loaded, params["select_tags"] or (), os.environ)
    workspace = params["workspace"] or state.workspace
    prunes = settings.purge and settings.policy == "sync"
    if params["api_keys"] and params["api_keys"]["record"] and not prunes:
        raise PlatformError(
            "api_keys.record: keys are removed when their time has come, which needs purge: true and policy: sync",
            "bad_option",
        )
    client = Client(Connection.of(params["connection"]), workspace)
    try:
        node = node_of(client, workspace)
        keys = ApiKeys(state)
        if params["api_keys"]:
            keys = prepare_keys(client, state, params["api_keys"], datetime.now(timezone.utc))
            settings = replace(settings, limits=replace(settings.limits, announced=keys.removed))
        provider = provider_of(client, node, keys.state, prunes, keys.rows)
        hidden.update(item_secrets(provider.desired))
        sync = prepare(provider, provider.desired, settings)
        waiting = Waiting.of(client, params, sync)
    except BaseException:
        client.close()
        raise

    def apply() -> dict:
        keys.write()
        result = sync.apply(progress=logged(module.log))
        return {**result, **waiting.until_served(provider.loaded, result), "requests": client.requests}

    told: dict[str, Any] = {"node": {"version": node.version, "mode": "dbless" if node.dbless else "database"}}
    if keys.told:
        told["api_keys"] = keys.told
    return Work(
        replace(sync.plan, changes=(*sync.plan.changes, *keys.changes)),
        apply,
        {**told, "requests": client.requests},
        warnings=(*state.warnings, *keys.warnings, *provider.warnings),
        close=client.close,
    )


def main() -> None:
    module = Module(
        argument_spec={
            **SYNC_OPTIONS,
            **KONG_OPTIONS,
            **API_KEYS_OPTIONS,
            "src": {"type": "path"},
            "state": {"type": "dict", "no_log": True},
            "graph": {"type": "dict", "options": {**GRAPH_OPTIONS, "gateway": {"type": "str"}}},
            "select_tags": {"type": "list", "elements": "str"},
            "wait": {"type": "bool", "default": False},
            "wait_timeout": {"type": "float", "default": 30},
            **PROBE_OPTIONS,
        },
        mutually_exclusive=[("src", "state", "graph")],
        required_one_of=[("src", "state", "graph")],
        supports_check_mode=True,
    )
    require(module, ("yaml", "PyYAML"))
    run(module, body)


if __name__ == "__main__":
    main()
