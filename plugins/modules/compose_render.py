#!/usr/bin/python

# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: compose_render
short_description: Render a hardened stack of containers for Docker Compose
version_added: 0.1.0
description:
  - Writes C(docker-compose.production-hardened.yml) of a declared stack, the configuration of its servers, and its
    secrets. Nothing is started. The compose file can be used by hand too, with C(docker compose -f FILE up -d).
  - Every container runs as a user without privileges, cannot write to its image, has no capability and cannot gain any,
    and has limits of CPU, memory, processes and files. A declaration has no word for less.
  - Each declared call gets a network of its own, of which only the caller and the callee are members. Nobody else can
    be reached.
  - Secrets are files of mode 0400 that belong to the user of the containers where the module runs as root. They are
    made once, on the machine where the module runs, and never returned or shown.
  - Every mistake in the declaration is reported at once, with its line.
extends_documentation_fragment:
  - zerotrust.platform.plan
options:
  stack:
    description: The text of the declaration, YAML, such as C(lookup('ansible.builtin.file', 'stack.yml')) gives.
    type: str
    required: true
  overrides:
    description:
      - A few values that are laid upon the declaration before it is read, mappings key by key.
      - A value that is null removes the key.
    type: dict
  dest:
    description: The directory for the files. It is made if it is missing.
    type: path
    required: true
  files:
    description:
      - Further files by their paths in O(dest), each with its text, such as what images are built of. The lookup
        P(zerotrust.platform.text_files#lookup) reads them from directories.
    type: dict
    default: {}
  rotate:
    description: The names of secrets that are made anew in this run. Those that are a hash of them follow.
    type: list
    elements: str
    default: []
  secrets:
    description: Whether secrets that are missing are made. Without it only what holds none is written.
    type: bool
    default: true
  state:
    description: With V(absent), what the module has made in O(dest) is removed, secrets included.
    type: str
    choices: [present, absent]
    default: present
  adopt:
    description: Whether files that stand in the way and were not made by the module are replaced, not refused.
    type: bool
    default: false
requirements:
  - PyYAML
attributes:
  check_mode:
    support: full
    description: Can run in check mode and tell what it would change, without changing it.
  diff_mode:
    support: full
    description: Shows each file before and after, never a secret.
  idempotent:
    support: partial
    description: A second run with the same declaration changes nothing, unless O(rotate) names a secret.
  platform:
    support: full
    platforms: posix
    description: Runs on the machine that has the Docker engine.
author:
  - zerotrust.platform contributors (@zerotrust-platform)
"""

EXAMPLES = r"""
- name: Render the stack
  zerotrust.platform.compose_render:
    stack: "{{ lookup('ansible.builtin.file', 'stack.yml') }}"
    overrides:
      services:
        api:
          image: registry.example.com/control-api:1.4.2
    dest: /opt/zerotrust/stack
  become: true

- name: Make the token of a server anew
  zerotrust.platform.compose_render:
    stack: "{{ lookup('ansible.builtin.file', 'stack.yml') }}"
    dest: /opt/zerotrust/stack
    rotate: [mcp_memory_token]
  become: true
"""

RETURN = r"""
compose_file:
  description: The compose file's path.
  returned: when O(state=present)
  type: str
  sample: /opt/zerotrust/stack/docker-compose.production-hardened.yml
networks:
  description: The networks by name, and the addresses in them by service.
  returned: when O(state=present)
  type: dict
  sample: {api_postgres: {subnet: 172.20.0.16/28, members: {api: 172.20.0.19, postgres: 172.20.0.18}}}
rotated:
  description: The services that use a secret that was made anew, or in check mode would be. They need a restart.
  returned: when O(state=present)
  type: list
  elements: str
  sample: [mcp-memory]
plan:
  description: What is, or in check mode would be, done to the directory.
  returned: success
  type: dict
reason:
  description: A code for what stopped the run.
  returned: failure
  type: str
  sample: cycle
errors:
  description: Every mistake, one sentence each.
  returned: when there are several
  type: list
  elements: str
"""

import os
from collections.abc import Collection, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.zerotrust.platform.plugins.module_utils._ansible import (
    PLAN_OPTIONS,
    Module,
    Work,
    require,
    run,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._compose.networks import wires
from ansible_collections.zerotrust.platform.plugins.module_utils._compose.parse import parse
from ansible_collections.zerotrust.platform.plugins.module_utils._compose.render import COMPOSE_FILE, SECRETS, render
from ansible_collections.zerotrust.platform.plugins.module_utils._compose.secret_files import (
    secret_files,
    secrets_uid,
    users_of,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import refuse
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.files import apply_tree, plan_tree


def body(module: AnsibleModule) -> Work:
    params = module.params
    stack = parse(params["stack"], params["overrides"])
    if params["state"] == "absent":
        tree = plan_tree(params["dest"], {}, stack.name, hidden=True)
        return Work(tree.plan, lambda: apply_tree(tree))
    files = render(stack)
    modes, rotated = {}, []
    if params["secrets"]:
        made, rotated = secret_files(stack, os.path.join(params["dest"], SECRETS), params["rotate"])  # noqa: PTH118
        files.update(made)
        modes = dict.fromkeys(made, 0o400)
    files.update(_further(params["files"], files))
    tree = plan_tree(
        params["dest"], files, stack.name, modes=modes, secrets_uid=secrets_uid(stack), adopt=params["adopt"]
    )
    result = {
        "compose_file": os.path.join(params["dest"], COMPOSE_FILE),  # noqa: PTH118
        "networks": {wire.name: wire.shown() for wire in wires(stack)},
        "rotated": users_of(stack, rotated),
    }
    return Work(tree.plan, lambda: apply_tree(tree), result)


def _further(texts: Mapping[str, Any], made: Collection[str]) -> dict[str, bytes]:
    twice = [f"files: {path!r} is what the module makes itself; give it another name" for path in texts if path in made]
    wrong = [f"files: {path!r} has no text; give a string" for path, text in texts.items() if not isinstance(text, str)]
    refuse(twice + wrong, "bad_files")
    return {path: text.encode("utf-8") for path, text in texts.items()}


def main() -> None:
    module = Module(
        argument_spec={
            **PLAN_OPTIONS,
            "stack": {"type": "str", "required": True},
            "overrides": {"type": "dict"},
            "dest": {"type": "path", "required": True},
            "files": {"type": "dict", "default": {}},
            "rotate": {"type": "list", "elements": "str", "default": []},
            "secrets": {"type": "bool", "default": True, "no_log": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "adopt": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    require(module, ("yaml", "PyYAML"))
    run(module, body)


if __name__ == "__main__":
    main()
