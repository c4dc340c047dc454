#!/usr/bin/python

# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_graph_report
short_description: Audit a service graph's documents, and write a report of it all
version_added: 0.1.0
description:
  - Audits documents as M(zerotrust.platform.service_graph_audit) does, and does not fail for what it finds.
  - Writes C(report.html), one page that needs nothing else and loads nothing, with the graph as a drawing, a row for
    each declared flow with a mark for each enforcement point, findings with their causes, certificates with the days
    they have left, and what was applied to each system or only rendered, and why.
  - Writes the same as data to C(report.json).
  - There is no time in either file, as days left are counted in the reader's browser. So the same facts give the same
    bytes.
extends_documentation_fragment:
  - zerotrust.platform.graph
options:
  documents:
    description:
      - Files and directories of YAML and JSON documents, which are audited.
      - Without it what the graph renders to is.
    type: list
    elements: path
  points:
    description:
      - The enforcement points to audit. By default those of which there is a document.
      - A point that is named and has no document is judged as what it is without any.
    type: list
    elements: str
    choices: [istio, network_policy, security_group, kong, spire]
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
        description: What a reader knows it as. By default the enforcement point's title, or else O(systems[].name).
        type: str
      state:
        description:
          - Whether it was applied to the system or only rendered.
          - By default V(rendered), or V(absent) for an enforcement point of which no document was audited.
        type: str
        choices: [applied, rendered, absent]
      reason:
        description: Why, in a clause.
        type: str
      documents:
        description: The number of documents or files. By default those that were audited.
        type: int
      plan:
        description:
          - How many objects of each kind the system has or would get.
          - By default those that were audited, or for V(pki) the certificates.
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
    description: Audits as always; tells what it would change, without changing it.
  diff_mode:
    support: full
    description: Shows each file before and after.
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
- name: Audit what was rendered, and write a report of it
  zerotrust.platform.service_graph_report:
    src: inventories/local/service_graph.yml
    documents: [build/local/rendered]
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
missing:
  description: The number of findings of declared flows that are not allowed.
  returned: when O(state=present)
  type: int
  sample: 0
open:
  description: The number of findings of undeclared flows that are allowed.
  returned: when O(state=present)
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
from dataclasses import replace
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.zerotrust.platform.plugins.module_utils._ansible import GRAPH_OPTIONS, Work, require, run
from ansible_collections.zerotrust.platform.plugins.module_utils._audit.audit import audit
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.files import read
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.points import POINTS, render
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.source import read_graph
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.files import apply_tree, plan_tree
from ansible_collections.zerotrust.platform.plugins.module_utils._report.data import (
    STATES,
    report_data,
    summary,
    system,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._report.drawing import drawing
from ansible_collections.zerotrust.platform.plugins.module_utils._report.html import page


def body(module: AnsibleModule) -> Work:
    params = module.params
    graph = read_graph(params["src"], params["overrides"])
    path = os.path.join(params["dest"], "report.html")  # noqa: PTH118
    result: dict[str, Any] = {"path": path}
    desired, message = {}, ""
    if params["state"] == "present":
        if params["documents"] is None:
            documents = sourced(render(graph))
        else:
            documents = [document for source in params["documents"] for document in read(source)]
        found = audit(graph, documents, params["points"] or None)
        message, answer = found.verdict, found.to_data()
        systems = [system(one, answer["points"], params["certificates"]) for one in params["systems"]]
        data = report_data(graph, answer, systems, params["certificates"])
        desired = {
            "report.html": page(data, drawing(graph, data["flows"], data["findings"])).encode("utf-8"),
            "report.json": (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode("utf-8"),
        }
        result.update(missing=data["missing"], open=data["open"], summary=summary(data, path))
    tree = plan_tree(params["dest"], desired, graph.name, adopt=params["adopt"])

    def apply() -> None:
        apply_tree(tree)
        if not desired:
            remove_empty(params["dest"])

    # What else lies in the directory is the other modules' work, and no news.
    return Work(replace(tree.plan, foreign=()), apply, result, msg=message)


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
            "documents": {"type": "list", "elements": "path"},
            "points": {"type": "list", "elements": "str", "choices": list(POINTS)},
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
