#!/usr/bin/python

# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kong_info
short_description: Say what is on a Kong gateway, how far it is from a state file, and what is unsafe about it
version_added: 0.1.0
description:
  - Tells version, edition and mode of a Kong node, and how many entities it has, by kind and by owner.
  - With a declaration, in O(src) or O(state), makes the plan that M(zerotrust.platform.kong_sync) would make with the
    same options, and says whether there is anything in it. That is drift. For a gateway of a service graph, or with API
    keys that M(zerotrust.platform.kong_sync) makes, run that in check mode instead, as it has the options for these.
  - Judges how the node is set up, from the settings that its Admin API tells, from whether that answers a stranger, and
    from the certificate that it shows. Nothing is sent to other addresses than O(connection.url).
  - Changes nothing. What it finds lets the task fail only as O(fail_on) says.
extends_documentation_fragment:
  - zerotrust.platform.kong
options:
  src:
    description: A state file as M(zerotrust.platform.kong_sync) takes it, on the machine where the module runs.
    type: path
  state:
    description: The same, inline.
    type: dict
  select_tags:
    description:
      - The tags of which an entity has all if it is ours.
      - By default C(_info.select_tags) of the state file, or else V(zerotrust.platform).
    type: list
    elements: str
  purge:
    description:
      - Whether the plan deletes what is ours and is not declared.
      - Without it such entities are in C(plan.withheld), and are drift all the same.
    type: bool
    default: false
  adopt:
    description:
      - Whether the plan takes over what is declared, is there and is not ours.
      - Without it such a plan is refused, and RV(refusal) names what is in its way.
    type: bool
    default: false
  plan_file:
    description:
      - Where to write the whole plan as JSON.
      - The directory is made if it is missing. An existing file is replaced.
      - It is written in check mode too, and is not counted as a change.
    type: path
  fail_on:
    description:
      - What makes the task fail. V(drift) needs O(src) or O(state); the others are codes of findings.
      - By default it only reports.
    type: list
    elements: str
    choices:
      - drift
      - admin_api_public
      - admin_api_without_authentication
      - admin_api_without_tls
      - default_certificate
      - admin_gui_public
      - database_without_tls
      - untrusted_lua
      - every_address_trusted
      - anonymous_reports
    default: []
requirements:
  - PyYAML >= 6.0
  - cryptography >= 43.0.0, if O(connection.url) begins with C(https)
attributes:
  check_mode:
    support: full
    description: Changes nothing in any mode.
  diff_mode:
    support: none
    description: RV(plan) shows each object before and after, without secrets.
  idempotent:
    support: full
    description: Changes nothing.
  platform:
    support: full
    platforms: posix
    description: Runs on any POSIX system that reaches the Admin API.
author:
  - zerotrust.platform contributors (@zerotrust-platform)
"""

EXAMPLES = r"""
- name: Look at a node
  zerotrust.platform.kong_info:
    connection:
      url: http://127.0.0.1:8001
  register: kong

- name: Show whose entities it has
  ansible.builtin.debug:
    var: kong.entities.owners

- name: Fail if somebody has changed what the file declares
  zerotrust.platform.kong_info:
    connection:
      url: http://127.0.0.1:8001
    src: kong.yml
    purge: true
    fail_on: [drift]

- name: Fail if the Admin API is open to others
  zerotrust.platform.kong_info:
    connection:
      url: http://127.0.0.1:8001
    fail_on: [admin_api_public, admin_api_without_authentication, admin_api_without_tls]
"""

RETURN = r"""
node:
  description: What the node is.
  returned: success
  type: dict
  contains:
    version:
      description: Its version.
      type: str
    edition:
      description: V(community) or V(enterprise).
      type: str
    mode:
      description: V(database) or V(dbless).
      type: str
    configuration_hash:
      description: The hash of the configuration of a node without a database, or null.
      type: str
  sample: {version: 3.9.1, edition: community, mode: database, configuration_hash: null}
entities:
  description: How many entities there are, of all owners.
  returned: success
  type: dict
  contains:
    count:
      description: How many.
      type: int
    kinds:
      description: How many of each kind.
      type: dict
    owners:
      description:
        - How many have the same tags, ours first. What has all of O(select_tags) is ours, whatever other tags it has.
        - At most a hundred; C(owners_left_off) says how many more there are.
      type: list
      elements: dict
      contains:
        tags:
          description: Their tags. None are nobody's.
          type: list
          elements: str
        ours:
          description: Whether they are ours.
          type: bool
        count:
          description: How many.
          type: int
        kinds:
          description: How many of each kind.
          type: dict
    owners_left_off:
      description: How many owners are not shown.
      type: int
  sample:
    count: 3
    kinds: {route: 1, service: 2}
    owners:
      - {tags: [zerotrust.platform], ours: true, count: 2, kinds: {route: 1, service: 1}}
      - {tags: [], ours: false, count: 1, kinds: {service: 1}}
    owners_left_off: 0
findings:
  description: What is unsafe about the node.
  returned: success
  type: list
  elements: dict
  contains:
    code:
      description: Which rule; one of the choices of O(fail_on).
      type: str
    message:
      description: What was found, in a sentence.
      type: str
    evidence:
      description: The setting that says so, or what was seen.
      type: str
    remedy:
      description: What to do about it.
      type: str
  sample:
    - code: admin_api_public
      message: The Admin API listens on 0.0.0.0:8001, where any network may reach it.
      evidence: admin_listen = 0.0.0.0:8001
      remedy: Set admin_listen to 127.0.0.1 or to an address that only administrators reach.
in_sync:
  description: Whether the node is as declared, so that there is nothing to do and nothing is withheld.
  returned: success, with O(src) or O(state)
  type: bool
plan:
  description: What M(zerotrust.platform.kong_sync) would do.
  returned: success, with O(src) or O(state), unless it would refuse to
  type: dict
refusal:
  description: Why M(zerotrust.platform.kong_sync) would refuse to do anything; C(reason), C(message) and C(errors).
  returned: success, with O(src) or O(state), if it would refuse to
  type: dict
requests:
  description: How many requests were made.
  returned: success
  type: int
  sample: 20
reason:
  description: A code for what stopped the run.
  returned: failure
  type: str
  sample: unauthorised
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.zerotrust.platform.plugins.module_utils._ansible import (
    SHOWN_CHANGES,
    Module,
    Work,
    require,
    run,
    summary,
    write_plan_file,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.loader import Loaded
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.client import Client
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.declarative import configuration_hash
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.node import node_of
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.options import (
    KONG_OPTIONS,
    access_secrets,
    state_secrets,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.reading import Reader
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.security import CODES, findings
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.state import (
    DEFAULT_TAGS,
    parse_state,
    read_state,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.survey import Drift, census, drift, seen
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.transport import Connection

DRIFT = "drift"


def body(module: AnsibleModule) -> Work:
    params = module.params
    module.no_log_values = {*access_secrets(params["connection"]), *state_secrets(params["state"])}
    state = None
    tags, workspace = params["select_tags"] or DEFAULT_TAGS, params["workspace"]
    if params["src"] or params["state"] is not None:
        loaded = read_state(params["src"]) if params["src"] else Loaded(params["state"])
        state = parse_state(loaded, params["select_tags"] or (), os.environ)
        tags, workspace = state.tags, workspace or state.workspace
    elif params["plan_file"] or DRIFT in params["fail_on"]:
        raise PlatformError("plan_file and drift in fail_on need a declaration: set src or state", "bad_option")
    client = Client(Connection.of(params["connection"]), workspace or "")
    warnings: list[str] = []
    try:
        node = node_of(client, workspace or "")
        rows = Reader(client, (), tags, False).all()
        found = findings(seen(client, node, rows))
        result: dict[str, Any] = {
            "node": {
                "version": node.version,
                "edition": "enterprise" if node.enterprise else "community",
                "mode": node.mode,
                "configuration_hash": configuration_hash(client) if node.dbless else None,
            },
            "entities": census(rows, tags),
            "findings": [finding.to_data() for finding in found],
        }
        told = [(finding.code, finding.message) for finding in found]
        if state is not None:
            difference = drift(client, node, state, rows, params["purge"], params["adopt"])
            warnings = [*state.warnings, *difference.warnings]
            result.update(_told(difference))
            if not difference.in_sync:
                told.insert(0, (DRIFT, _sentence(difference)))
            if params["plan_file"] and difference.plan is not None:
                write_plan_file(difference.plan, params["plan_file"])
        result["requests"] = client.requests
    finally:
        client.close()
    failures = [message for code, message in told if code in params["fail_on"]]
    more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
    return Work(
        result=result,
        msg=_message(result),
        warnings=warnings,
        failure=f"{failures[0]}{more}" if failures else "",
    )


def _told(difference: Drift) -> dict[str, Any]:
    told: dict[str, Any] = {"in_sync": difference.in_sync}
    if difference.plan is not None:
        told["plan"] = difference.plan.to_data(SHOWN_CHANGES)
    if difference.refusal is not None:
        refusal = difference.refusal
        told["refusal"] = {"reason": refusal.reason, "message": refusal.message, "errors": list(refusal.details)}
    return told


def _sentence(difference: Drift) -> str:
    if difference.plan is None:
        return f"The node is not as declared, and kong_sync would refuse to change that: {difference.refusal}"
    withheld = len(difference.plan.withheld)
    more = f" {withheld} of ours {'are' if withheld > 1 else 'is'} not declared." if withheld else ""
    return f"The node is not as declared: {summary(difference.plan, check_mode=True)}{more}"


def _message(result: dict[str, Any]) -> str:
    node, entities = result["node"], result["entities"]
    ours = sum(owner["count"] for owner in entities["owners"] if owner["ours"])
    parts = [
        f"Kong {node['version']} ({node['edition']}, {node['mode']})",
        f"{entities['count']} entities, {ours} ours",
        f"{len(result['findings'])} findings",
    ]
    if "in_sync" in result:
        parts.append("as declared" if result["in_sync"] else "not as declared")
    return f"{'; '.join(parts)}."


def main() -> None:
    module = Module(
        argument_spec={
            **KONG_OPTIONS,
            "src": {"type": "path"},
            "state": {"type": "dict", "no_log": True},
            "select_tags": {"type": "list", "elements": "str"},
            "purge": {"type": "bool", "default": False},
            "adopt": {"type": "bool", "default": False},
            "plan_file": {"type": "path"},
            "fail_on": {"type": "list", "elements": "str", "choices": [DRIFT, *CODES], "default": []},
        },
        mutually_exclusive=[("src", "state")],
        supports_check_mode=True,
    )
    require(module, ("yaml", "PyYAML"))
    run(module, body)


if __name__ == "__main__":
    main()
