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
    with their SNIs, CA certificates, vaults and keys of a Kong node as declared, of any number, in one task.
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
  - This module takes many objects in one call.
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
    type: path
  state:
    description: The same, inline. For a few objects; use O(src) for more.
    type: dict
  select_tags:
    description:
      - The owner's tags, at most 5. Every declared object gets them, and what has all of them is ours.
      - By default C(_info.select_tags) of the state file, or else V(zerotrust.platform).
    type: list
    elements: str
  wait:
    description:
      - Whether to wait until the node is ready after the last write.
      - A node with a database routes by a new configuration after its C(worker_state_update_frequency), of which it
        tells nothing.
    type: bool
    default: false
  wait_timeout:
    description: How many seconds to wait for that.
    type: float
    default: 30
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

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.zerotrust.platform.plugins.module_utils._ansible import (
    SYNC_OPTIONS,
    Work,
    require,
    run,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.loader import Loaded
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.client import Client, Connection
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.node import node_of, provider_of, wait_ready
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.options import (
    KONG_OPTIONS,
    access_secrets,
    item_secrets,
    state_secrets,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.state import parse_state, read_state
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.sync import Settings, prepare


def body(module: AnsibleModule) -> Work:
    params = module.params
    # The inline state is not logged. Of what is returned, only its secrets are to be hidden, and not each name in it.
    hidden = {*access_secrets(params["connection"]), *state_secrets(params["state"])}
    module.no_log_values = hidden
    settings = Settings.of(params)
    loaded = read_state(params["src"]) if params["src"] else Loaded(params["state"])
    state = parse_state(loaded, params["select_tags"] or (), os.environ)
    workspace = params["workspace"] or state.workspace
    client = Client(Connection.of(params["connection"]), workspace)
    try:
        node = node_of(client, workspace)
        provider = provider_of(client, node, state, settings.purge and settings.policy == "sync")
        hidden.update(item_secrets(provider.desired))
        sync = prepare(provider, provider.desired, settings)
    except BaseException:
        client.close()
        raise

    def apply() -> dict:
        result = sync.apply()
        if params["wait"]:
            wait_ready(client, params["wait_timeout"])
        return {**result, "requests": client.requests}

    told = {"node": {"version": node.version, "mode": "dbless" if node.dbless else "database"}}
    return Work(
        sync.plan,
        apply,
        {**told, "requests": client.requests},
        warnings=(*state.warnings, *provider.warnings),
        close=client.close,
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **SYNC_OPTIONS,
            **KONG_OPTIONS,
            "src": {"type": "path"},
            "state": {"type": "dict", "no_log": True},
            "select_tags": {"type": "list", "elements": "str"},
            "wait": {"type": "bool", "default": False},
            "wait_timeout": {"type": "float", "default": 30},
        },
        mutually_exclusive=[("src", "state")],
        required_one_of=[("src", "state")],
        supports_check_mode=True,
    )
    require(module, ("yaml", "PyYAML"))
    run(module, body)


if __name__ == "__main__":
    main()
