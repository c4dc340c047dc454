#!/usr/bin/python

# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_graph_report
short_description: Write a report of a service graph, its audit and its certificates
version_added: 0.1.0
description:
  - Writes C(report.html), one page that needs nothing else and loads nothing, with the graph as a drawing, a row for
    each declared flow with a mark for each enforcement point, findings with their causes, certificates with the days
    they have left, and what was applied to each system or only rendered, and why.
  - Writes the same as data to C(report.json).
  - There is no time in either file, as days left are counted in the reader's browser. So the same facts give the same
    bytes.
extends_documentation_fragment:
  - zerotrust.platform.graph
options:
  audit:
    description:
      - The audit's whole answer, the file that O(zerotrust.platform.service_graph_audit#module:dest) names.
      - Required to write the report. Leave it out in check mode where the audit says that it would change this file.
        Both files of the report are then going to change too, as they follow the audit.
    type: path
  certificates:
    description: Certificates, as RV(zerotrust.platform.pki#module:certificates) gives them.
    type: list
    elements: dict
    default: []
  systems:
    description: What was done for each system.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The enforcement point's name, V(pki) for the certificates, or any other short name.
        type: str
        required: true
      title:
        description: What a reader knows it as. By default the title that O(audit) gives, or else O(systems[].name).
        type: str
      state:
        description:
          - Whether it was applied to the system or only rendered.
          - By default V(rendered), or V(absent) for an enforcement point that O(audit) says nothing of.
        type: str
        choices: [applied, rendered, absent]
      reason:
        description: Why, in a clause.
        type: str
      documents:
        description: The number of documents or files. By default those that O(audit) has judged.
        type: int
      plan:
        description:
          - How many objects of each kind the system has or would get.
          - By default those that O(audit) has judged, or for V(pki) the certificates.
        type: dict
  dest:
    description: The directory for the two files. It is made if it is missing.
    type: path
    required: true
  state:
    description: With V(absent), the two files are removed, and O(dest) if nothing else is in it.
    type: str
    choices: [present, absent]
    default: present
  adopt:
    description: Whether files that stand in the way and were not made by the module are replaced, not refused.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Tells what it would change, without changing it. See O(audit).
  diff_mode:
    support: full
    description: Shows each file before and after. Without O(audit), says only that its content follows the audit.
  idempotent:
    support: full
    description: The same facts give the same files.
  platform:
    support: full
    platforms: posix
    description: Runs on any POSIX system, usually on the control node.
author:
  - zerotrust.platform contributors (@zerotrust-platform)
"""

EXAMPLES = r"""
- name: Audit what was rendered
  zerotrust.platform.service_graph_audit:
    src: inventories/local/service_graph.yml
    documents: [build/local/rendered]
    dest: build/local/audit.json

- name: Write a report of it
  zerotrust.platform.service_graph_report:
    src: inventories/local/service_graph.yml
    audit: build/local/audit.json
    systems:
      - name: istio
        reason: no cluster is configured
    dest: build/local
"""

RETURN = r"""
path:
  description: The page.
  returned: success
  type: str
  sample: build/local/report.html
findings:
  description: The number of findings, of flows that are missing or open.
  returned: when O(state=present) and O(audit) is given
  type: int
  sample: 0
summary:
  description: The report in a few lines.
  returned: when O(state=present)
  type: list
  elements: str
  sample:
    - Exactly the declared flows are allowed.
    - "Istio: rendered only: no cluster is configured."
    - "Report: build/local/report.html"
plan:
  description: What is, or in check mode would be, done to the two files.
  returned: success
  type: dict
"""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.zerotrust.platform.plugins.module_utils._ansible import Work, require, run
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.source import GRAPH_OPTIONS, read_graph
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.files import apply_tree, plan_tree
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import (
    CREATE,
    UPDATE,
    Change,
    Plan,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._report.data import (
    STATES,
    fits,
    report_data,
    summary,
    system,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._report.drawing import drawing
from ansible_collections.zerotrust.platform.plugins.module_utils._report.html import page

PENDING = "The content follows the audit, which is not written in check mode."


def body(module: AnsibleModule) -> Work:
    params = module.params
    graph = read_graph(params["src"], params["overrides"])
    path = os.path.join(params["dest"], "report.html")  # noqa: PTH118
    result: dict[str, Any] = {"path": path}
    desired = {}
    pending = params["state"] == "present" and params["audit"] is None
    if pending:
        if not module.check_mode:
            message = "audit is required to write the report: name the file that service_graph_audit writes to its dest"
            raise PlatformError(message, "audit_required")
        desired = dict.fromkeys(("report.html", "report.json"), f"({PENDING})\n".encode())
        result["summary"] = [PENDING, f"Report: {path}"]
    elif params["state"] == "present":
        data = collect(graph, params)
        drawn = drawing(graph, data["flows"], data["findings"])
        desired = {
            "report.html": page(data, drawn).encode("utf-8"),
            "report.json": (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode("utf-8"),
        }
        result.update(findings=data["missing"] + data["open"], summary=summary(data, path))
    tree = plan_tree(params["dest"], desired, graph.name, adopt=params["adopt"])

    def apply() -> None:
        apply_tree(tree)
        if not desired:
            remove_empty(params["dest"])

    # What else lies in the directory is the other modules' work, and no news.
    plan = replace(tree.plan, foreign=())
    return Work(following_audit(plan) if pending else plan, apply, result)


def following_audit(plan: Plan) -> Plan:
    """The plan with the reason why files change whose content is not known yet, and a sentence in its place."""

    def told(change: Change) -> Change:
        if change.kind != "file" or change.action not in (CREATE, UPDATE):
            return change
        others = (reason for reason in change.reasons if reason != "content")
        return replace(change, reasons=("audit", *others), before=None)

    return replace(plan, changes=tuple(map(told, plan.changes)))


def collect(graph: Graph, params: Mapping[str, Any]) -> dict[str, Any]:
    answer = read_audit(params["audit"], graph)
    systems = [system(one, answer["points"], params["certificates"]) for one in params["systems"]]
    return report_data(graph, answer, systems, params["certificates"])


def read_audit(path: str, graph: Graph) -> Mapping[str, Any]:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            answer = json.loads(file.read())
        suits = fits(graph, answer)
    except OSError as error:
        message = f"{path}: the audit cannot be read: {error.strerror or error}"
        raise PlatformError(message, "unreadable_audit") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"{path}: is not an answer of service_graph_audit; run the audit again"
        raise PlatformError(message, "bad_audit") from error
    if not suits:
        raise PlatformError(f"{path}: the audit is of another state of the graph; run the audit again", "stale_audit")
    return answer


def remove_empty(directory: str) -> None:
    try:
        os.rmdir(directory)  # noqa: PTH106
    except OSError:
        # Not there, or something else is in it, which then stays.
        return


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **GRAPH_OPTIONS,
            "audit": {"type": "path"},
            "certificates": {"type": "list", "elements": "dict", "default": []},
            "systems": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "title": {"type": "str"},
                    "state": {"type": "str", "choices": list(STATES)},
                    "reason": {"type": "str"},
                    "documents": {"type": "int"},
                    "plan": {"type": "dict"},
                },
            },
            "dest": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "adopt": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    require(module, ("yaml", "PyYAML"))
    run(module, body)


if __name__ == "__main__":
    main()
