#!/usr/bin/python

# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_graph_audit
short_description: Say which flows are missing and which are open
version_added: 0.1.0
description:
  - Works out what documents really allow, by the semantics of the tool that enforces them, and holds it against the
    service graph. Documents may be rendered by M(zerotrust.platform.service_graph), exported from a system, or written
    by hand.
  - A declared flow that an enforcement point does not allow is C(missing). A flow that it allows and that nobody
    declared is C(open). Each finding names the documents that cause it, an example request, and what the other points
    say to it.
  - Only flows with one of the graph's services at an end are judged. Everybody else is represented too, so a policy
    that opens a service to other namespaces or to the internet is found.
  - With O(live) the policies are read from a cluster, and what they take for granted is too. Where it is not so, such
    as for a pod without a sidecar, that is a C(drift).
extends_documentation_fragment:
  - zerotrust.platform.graph
  - zerotrust.platform.kubernetes
options:
  documents:
    description:
      - Files and directories of YAML and JSON documents.
      - Without it, and without O(live), what the graph renders to is judged.
    type: list
    elements: path
  live:
    description:
      - Whether Istio and NetworkPolicies are judged as a cluster has them, and its workloads with them.
      - Needs the rights to list namespaces' pods, Services, service accounts and, in the mesh's namespace,
        configuration maps; and to list policies in all namespaces, or at least in those.
    type: bool
    default: false
  points:
    description:
      - The enforcement points to judge. By default those of which there is a document.
      - A point that is named and has no document is judged as what it is without any.
    type: list
    elements: str
    choices: [istio, network_policy, security_group, kong, spire]
  dest:
    description: A JSON file for the whole answer, with a row for each declared flow.
    type: path
  state:
    description: With V(absent), O(dest) is removed and nothing is judged.
    type: str
    choices: [present, absent]
    default: present
  fail_on:
    description: The kinds of findings that make the task fail. An empty list reports only.
    type: list
    elements: str
    choices: [missing, open, drift]
    default: [missing, open, drift]
attributes:
  check_mode:
    support: full
    description: Judges as always; O(dest) is compared and not written.
  diff_mode:
    support: full
    description: Shows O(dest) before and after.
  idempotent:
    support: full
    description: The same graph and documents give the same answer.
  action_group:
    support: full
    description: Use C(group/zerotrust.platform.kubernetes) in C(module_defaults) to set the options of the connection.
    membership:
      - zerotrust.platform.kubernetes
  platform:
    support: full
    platforms: posix
    description: Runs on any POSIX system, usually on the control node.
author:
  - zerotrust.platform contributors (@zerotrust-platform)
"""

EXAMPLES = r"""
- name: Judge what was rendered
  zerotrust.platform.service_graph_audit:
    src: inventories/local/service_graph.yml
    documents: [build/local/rendered]

- name: Judge policies that somebody else has written, and go on
  zerotrust.platform.service_graph_audit:
    src: inventories/local/service_graph.yml
    documents: [manifests/]
    points: [network_policy]
    fail_on: []
  register: audit

- name: Judge a cluster
  zerotrust.platform.service_graph_audit:
    src: inventories/local/service_graph.yml
    context: staging
    live: true

- name: Show each finding
  ansible.builtin.debug:
    msg: "{{ audit.findings | map(attribute='text') }}"
"""

RETURN = r"""
missing:
  description: The number of findings of declared flows that are not allowed.
  returned: success
  type: int
open:
  description: The number of findings of undeclared flows that are allowed.
  returned: success
  type: int
disagreements:
  description: The number of findings in which another enforcement point says the contrary.
  returned: success
  type: int
points:
  description: By enforcement point, its title, and how many documents, objects of each kind and findings.
  returned: success
  type: dict
findings:
  description: The first hundred findings. All are in O(dest).
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: C(missing) or C(open).
      type: str
    point:
      description: The enforcement point.
      type: str
    text:
      description: The finding in one sentence.
      type: str
    causes:
      description: The documents that are responsible.
      type: list
      elements: str
  sample:
    - kind: open
      point: network_policy
      callers: ["any other workload of namespace shop"]
      callee: postgres
      ports: "5432"
      causes: ["NetworkPolicy shop/postgres (policies.yml)"]
      text: >-
        NetworkPolicy: any other workload of namespace shop may reach postgres on TCP 5432, which the graph does not
        say, because of NetworkPolicy shop/postgres (policies.yml); Istio refuses it.
drift:
  description: The number of drifts.
  returned: with O(live)
  type: int
drifts:
  description: The first hundred things of the cluster that are not as policies take them for granted.
  returned: with O(live)
  type: list
  elements: dict
  contains:
    code:
      description: What is wrong.
      type: str
    object:
      description: Kind, namespace and name of the object.
      type: str
    text:
      description: The drift in one sentence.
      type: str
  sample:
    - code: sidecar_missing
      object: Pod shop/api-0
      text: "Pod shop/api-0: has no sidecar."
notes:
  description: What was not judged, and why.
  returned: success
  type: list
  elements: str
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.zerotrust.platform.plugins.module_utils._ansible import (
    GRAPH_OPTIONS,
    Work,
    by_environment,
    require,
    run,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._audit.audit import Audit, audit
from ansible_collections.zerotrust.platform.plugins.module_utils._audit.drift import Drift, drifts
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.files import read
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Sourced, sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.points import POINTS, render
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError, first_of
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.source import read_graph
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.access import ACCESS_OPTIONS, access
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.client import Client
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.discovery import Kinds
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.snapshot import ISTIO, snapshot
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.single import apply_file, plan_file

SHOWN_FINDINGS = 100


def body(module: AnsibleModule) -> Work:
    params = module.params
    if params["state"] == "absent":
        return Work(plan_file(params["dest"], None), lambda: apply_file(params["dest"], None))
    graph = read_graph(params["src"], params["overrides"])
    points, live, notes = params["points"] or None, None, []
    if params["live"]:
        points = points or ["istio", "network_policy"]
        documents, live, notes = read_cluster(params, graph, points)
    elif params["documents"] is None:
        documents = sourced(render(graph))
    else:
        documents = [document for path in params["documents"] for document in read(path)]
    found = audit(graph, documents, points)

    def data(limit: int = -1) -> dict[str, Any]:
        result = found.to_data(limit)
        if live is not None:
            shown = live if limit < 0 else live[:limit]
            result |= {"drift": len(live), "drifts": [drift.to_data() for drift in shown]}
            result["notes"] += notes
        return result

    said = message(found, live or ())
    counts = {"missing": found.count("missing"), "open": found.count("open"), "drift": len(live or ())}
    failure = said if any(counts[kind] for kind in params["fail_on"]) else ""
    if not params["dest"]:
        return Work(result=data(SHOWN_FINDINGS), msg=said, failure=failure)
    content = (json.dumps(data(), indent=1) + "\n").encode("utf-8")
    return Work(
        plan_file(params["dest"], content),
        lambda: apply_file(params["dest"], content),
        data(SHOWN_FINDINGS),
        msg=said,
        failure=failure,
    )


def read_cluster(
    params: Mapping[str, Any], graph: Graph, points: Sequence[str]
) -> tuple[list[Sourced], list[Drift], list[str]]:
    client = Client(access(params))
    try:
        kinds = Kinds(client)
        if "istio" in points and kinds.get(ISTIO) is None:
            raise PlatformError(
                f"{client.where}: the cluster has no Istio; install it, or set points to [network_policy]",
                "istio_missing",
            )
        objects, notes = snapshot(client, kinds, graph)
    finally:
        client.close()
    return objects, drifts(graph, [item.document for item in objects], points), notes


def message(found: Audit, live: Sequence[Drift]) -> str:
    if not live:
        return found.verdict
    drifted = f"{len(live)} drifts in the cluster. {first_of([drift.to_data()['text'] for drift in live])}"
    return f"{found.verdict} {drifted}" if found.findings else drifted


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **GRAPH_OPTIONS,
            **by_environment(ACCESS_OPTIONS, "K8S_AUTH_"),
            "live": {"type": "bool", "default": False},
            "documents": {"type": "list", "elements": "path"},
            "points": {"type": "list", "elements": "str", "choices": list(POINTS)},
            "dest": {"type": "path"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "fail_on": {
                "type": "list",
                "elements": "str",
                "choices": ["missing", "open", "drift"],
                "default": ["missing", "open", "drift"],
            },
        },
        required_if=[("state", "absent", ["dest"])],
        mutually_exclusive=[("live", "documents")],
        supports_check_mode=True,
    )
    require(module, ("yaml", "PyYAML"), *([("urllib3", "urllib3")] if module.params["live"] else []))
    run(module, body)


if __name__ == "__main__":
    main()
