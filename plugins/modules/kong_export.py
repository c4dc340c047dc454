#!/usr/bin/python

# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kong_export
short_description: Write what a Kong gateway has as a state file
version_added: 0.1.0
description:
  - Writes the entities of a Kong node to a file in decK's format (C(_format_version) C("3.0")), which
    M(zerotrust.platform.kong_sync) takes. Given to the same node again, it changes nothing.
  - The file is short, as it has no defaults, and the same for the same entities. Ids are in it where nothing else names
    an entity, as C(deck gateway dump) does it.
  - Secrets are left out unless O(secrets) is set. In their place the file has C(${{ env "DECK_NAME" }}), which
    M(zerotrust.platform.kong_sync) and decK fill in from the environment, and refuse if it is not set there. The names
    are in RV(environment).
  - Of basic-auth passwords, and of OAuth2 client secrets with C(hash_secret), a node has nothing but hashes. A file
    with secrets that holds any says C(_transform) C(false), as Kong's own export does. Such a file changes nothing on
    the node it comes from, and can be brought to a node without a database. M(zerotrust.platform.kong_sync) refuses to
    bring the hashes to another node with a database, which would hash them again, and decK refuses the file.
  - Changes nothing on the node.
extends_documentation_fragment:
  - zerotrust.platform.kong
options:
  dest:
    description:
      - The file, on the machine where the module runs. It is replaced as a whole or not at all.
      - Its mode is C(0600) with O(secrets), and otherwise C(0644).
      - The directory is made if it is missing.
    type: path
    required: true
  select_tags:
    description:
      - Only entities that have all of these tags, at most 5. They become C(_info.select_tags) of the file.
      - By default all entities of all owners.
    type: list
    elements: str
    default: []
  secrets:
    description:
      - Whether the file holds secrets. These are keys, passwords and secrets of consumers, private keys, and what the
        node's schemas mark, or a name in them suggests, as secret in plugins and vaults.
      - References to a vault, such as C({vault://env/name}), are no secrets.
    type: bool
    default: false
  with_ids:
    description: Whether all entities have their ids.
    type: bool
    default: false
requirements:
  - PyYAML >= 6.0
attributes:
  check_mode:
    support: full
    description: Reads the node and says whether the file would change, without writing it.
  diff_mode:
    support: full
    description: Shows the file before and after, unless either has secrets.
  idempotent:
    support: partial
    description: A second run changes nothing. Keys that end by themselves make a difference, as their time runs.
  platform:
    support: full
    platforms: posix
    description: Runs on any POSIX system that reaches the Admin API.
seealso:
  - module: zerotrust.platform.kong_sync
  - name: Managing Kong with a state file
    description: How to take over a gateway that is in use.
    link: https://github.com/zerotrust-platform/zerotrust.platform/blob/main/docs/guides/kong.md
author:
  - zerotrust.platform contributors (@zerotrust-platform)
"""

EXAMPLES = r"""
- name: Write all that the gateway has, without secrets
  zerotrust.platform.kong_export:
    connection:
      url: http://127.0.0.1:8001
    dest: kong.yml

- name: Keep a backup of what is ours, with secrets
  zerotrust.platform.kong_export:
    connection:
      url: http://127.0.0.1:8001
    dest: backup/kong.yml
    select_tags: [zerotrust.platform]
    secrets: true
    with_ids: true
"""

RETURN = r"""
entities:
  description: How many entities the file has.
  returned: success
  type: dict
  contains:
    count:
      description: How many.
      type: int
    kinds:
      description: How many of each kind.
      type: dict
  sample: {count: 3, kinds: {route: 1, service: 2}}
environment:
  description: The environment variables that the file refers to, at most a hundred.
  returned: success
  type: list
  elements: str
  sample: [DECK_KEY_AUTH_API_USER_1_KEY]
environment_count:
  description: How many there are.
  returned: success
  type: int
outside:
  description: What the file refers to and does not have, as it has not the tags; at most a hundred.
  returned: success
  type: list
  elements: str
  sample: ["service 'api'"]
plan:
  description: Whether the file is, or in check mode would be, written.
  returned: success
  type: dict
requests:
  description: How many requests were made.
  returned: success
  type: int
  sample: 24
reason:
  description: A code for what stopped the run.
  returned: failure
  type: str
  sample: unauthorised
"""

from collections.abc import Sequence

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.zerotrust.platform.plugins.module_utils._ansible import Module, Work, require, run
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.client import Client
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.export import Export, Options, export
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.inventory import Schemas
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.node import node_of
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.options import KONG_OPTIONS, access_secrets
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.reading import Reader
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.transport import Connection
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.single import (
    MODE,
    SECRET_MODE,
    apply_file,
    plan_file,
)

SHOWN = 100


def body(module: AnsibleModule) -> Work:
    params = module.params
    module.no_log_values = access_secrets(params["connection"])
    workspace = params["workspace"] or ""
    client = Client(Connection.of(params["connection"]), workspace)
    try:
        node_of(client, workspace)
        rows = Reader(client, (), params["select_tags"], False).all()
        options = Options(tuple(params["select_tags"]), params["secrets"], params["with_ids"], workspace)
        found = export(rows, Schemas(client), options)
    finally:
        client.close()
    dest, content, mode = params["dest"], found.text.encode("utf-8"), SECRET_MODE if params["secrets"] else MODE
    result = {
        "entities": {"count": sum(found.kinds.values()), "kinds": found.kinds},
        "environment": found.environment[:SHOWN],
        "environment_count": len(found.environment),
        "outside": found.outside[:SHOWN],
        "requests": client.requests,
    }
    return Work(
        plan_file(dest, content, mode), lambda: apply_file(dest, content, mode), result, warnings=warnings(found)
    )


def warnings(found: Export) -> list[str]:
    told = []
    if found.hashed:
        told.append(
            f"The node has only hashes of {listed(found.hashed)}; the file says so (_transform: false), and cannot be "
            "brought to another node with a database"
        )
    if found.fading:
        told.append(
            f"The time of {listed(found.fading)} runs: the file has what was left of it, and would give as much again "
            "where the key is made anew"
        )
    return told


def listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def main() -> None:
    module = Module(
        argument_spec={
            **KONG_OPTIONS,
            "dest": {"type": "path", "required": True},
            "select_tags": {"type": "list", "elements": "str", "default": []},
            "secrets": {"type": "bool", "default": False, "no_log": False},
            "with_ids": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    require(module, ("yaml", "PyYAML"))
    run(module, body)


if __name__ == "__main__":
    main()
