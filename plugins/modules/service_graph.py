#!/usr/bin/python

# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service_graph
short_description: Validate a service graph and render it for every enforcement point
version_added: 0.1.0
description:
  - Reads the declared workloads and flows of an installation and reports every mistake in them at once, each with
    its line.
  - Renders what the graph says as Istio resources, Kubernetes NetworkPolicies, AWS security groups, a Kong declarative
    file and SPIRE registration entries, each in the tool's own format, to a directory that is kept in step with it.
  - The directory belongs to the graph. Files that the module has made and that are no longer called for are removed;
    files that it has not made are left alone and reported.
  - Nothing is applied to any system.
extends_documentation_fragment:
  - zerotrust.platform.graph
  - zerotrust.platform.plan
options:
  dest:
    description:
      - The directory for the documents. It is made if it is missing.
      - Without it the graph is only validated.
    type: path
  points:
    description: The enforcement points to render. By default all that the graph has something to say to.
    type: list
    elements: str
    choices: [istio, network_policy, security_group, kong, spire]
  stack:
    description:
      - The declaration of a Compose stack, as M(zerotrust.platform.compose_render) takes it. It is rendered too, below
        C(compose), without secrets.
    type: path
  stack_overrides:
    description: Values laid upon O(stack).
    type: dict
  validate:
    description:
      - Whether the documents are held against the schemas of their tools before anything is written, in check mode too.
      - For a directory with documents of others, use M(zerotrust.platform.document_validate).
    type: bool
    default: false
  kubernetes_version:
    description:
      - The version of Kubernetes, such as V(1.31), whose schemas the documents must fit where O(validate=true).
      - By default the newest of which C(kubernetes-validate) has schemas.
    type: str
  state:
    description: With V(absent), what the module has made in O(dest) is removed.
    type: str
    choices: [present, absent]
    default: present
  adopt:
    description: Whether files that stand in the way and were not made by the module are replaced, not refused.
    type: bool
    default: false
requirements:
  - PyYAML
  - jsonschema-rs >= 0.60, where O(validate=true)
  - kubernetes-validate and cloudcoil-models-istio, where O(validate=true) and such objects are rendered
attributes:
  check_mode:
    support: full
    description: Can run in check mode and tell what it would change, without changing it.
  diff_mode:
    support: full
    description: Shows each file before and after.
  idempotent:
    support: full
    description: A second run with the same graph changes nothing.
  platform:
    support: full
    platforms: posix
    description: Runs on any POSIX system, usually on the control node.
author:
  - zerotrust.platform contributors (@zerotrust-platform)
"""

EXAMPLES = r"""
- name: Validate a service graph
  zerotrust.platform.service_graph:
    src: inventories/local/service_graph.yml

- name: Render it for every enforcement point
  zerotrust.platform.service_graph:
    src: inventories/local/service_graph.yml
    dest: build/local/rendered

- name: Render a Compose stack beside them
  zerotrust.platform.service_graph:
    src: inventories/local/service_graph.yml
    stack: stack.yml
    dest: build/local/rendered

- name: Render only the NetworkPolicies, for another trust domain
  zerotrust.platform.service_graph:
    src: inventories/local/service_graph.yml
    overrides:
      trust_domain: staging.example.org
    points: [network_policy]
    dest: build/staging
"""

RETURN = r"""
graph:
  description: What the graph holds.
  returned: success
  type: dict
  contains:
    name:
      description: The graph's name, which marks all that is made of it.
      type: str
    trust_domain:
      description: The SPIFFE trust domain.
      type: str
    namespaces:
      description: The namespaces of its services.
      type: list
      elements: str
    services:
      description: The number of services.
      type: int
    flows:
      description: The number of declared flows, egress among them.
      type: int
  sample:
    name: local
    trust_domain: valuecanvas.example.com
    namespaces: [valuecanvas]
    services: 5
    flows: 12
documents:
  description: The number of documents by enforcement point, and of files of the stack.
  returned: success
  type: dict
  sample: {istio: 25, kong: 1, network_policy: 8, security_group: 1, spire: 1}
plan:
  description: What is, or in check mode would be, done to the directory.
  returned: when O(dest) is given
  type: dict
errors:
  description: Every mistake of the graph, one sentence each, with file, line and column.
  returned: when the graph has mistakes
  type: list
  elements: str
  sample:
    - "service_graph.yml:14:13: services.frontend.calls[1].to: 'apii' is not a declared service (did you mean 'api'?)"
"""

import os
from collections.abc import Mapping
from typing import Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.zerotrust.platform.plugins.module_utils._ansible import (
    GRAPH_OPTIONS,
    PLAN_OPTIONS,
    Work,
    refuse_missing,
    require,
    run,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._compose.parse import parse as parse_stack
from ansible_collections.zerotrust.platform.plugins.module_utils._compose.render import render as render_stack
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.files import dump
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.validate import (
    missing_libraries,
    refuse_invalid,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Rendered, sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.points import POINTS, concerned
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.source import read_graph
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.files import TreePlan, apply_tree, plan_tree


def body(module: AnsibleModule) -> Work:
    params = module.params
    graph = read_graph(params["src"], params["overrides"])
    rendered = {point.name: point.render(graph) for point in concerned(graph, params["points"] or None)}
    files = {path: documents for point in rendered.values() for path, documents in point.items()}
    if params["validate"] and params["state"] == "present":
        check_schemas(files, params["kubernetes_version"] or "")
    stack = read_stack(params["stack"], params["stack_overrides"]) if params["stack"] else {}
    result = {
        "graph": summary(graph),
        "documents": {name: sum(map(len, files.values())) for name, files in rendered.items()},
    }
    if stack:
        result["documents"]["compose"] = len(stack)
    if not params["dest"]:
        return Work(result=result, msg=f"{params['src']} is valid: {result['graph']['flows']} flows.")
    desired = {**dump(files, graph.name), **stack} if params["state"] == "present" else {}
    tree = plan_tree(
        params["dest"], desired, graph.name, attributes={"trust_domain": graph.trust_domain}, adopt=params["adopt"]
    )
    return Work(tree.plan, lambda: apply_tree(tree), result, warnings=identity_warnings(graph, tree))


def read_stack(path: str, overrides: Optional[Mapping]) -> dict:
    """The files of a stack, by their paths below the directory of all documents."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            text = file.read()
    except OSError as error:
        message = f"{path}: the stack's declaration cannot be read: {error.strerror or error}"
        raise PlatformError(message, "unreadable_stack") from error
    files = render_stack(parse_stack(text, overrides, os.path.basename(path)))  # noqa: PTH119
    return {f"compose/{name}": content for name, content in files.items()}


def check_schemas(files: Rendered, kubernetes_version: str) -> None:
    documents = sourced(files)
    refuse_missing(missing_libraries(documents))
    refuse_invalid(documents, kubernetes_version)


def summary(graph: Graph) -> dict:
    return {
        "name": graph.name,
        "trust_domain": graph.trust_domain,
        "namespaces": list(graph.namespaces),
        "services": len(graph.services),
        "flows": len(graph.flows) + sum(len(service.egress) for service in graph.services.values()),
    }


def identity_warnings(graph: Graph, tree: TreePlan) -> list:
    """A new trust domain is a new name for every workload, whatever else the plan looks like."""
    before = tree.before.attributes.get("trust_domain") if tree.before else None
    if before in (None, graph.trust_domain):
        return []
    return [
        f"The trust domain changes from {before} to {graph.trust_domain}: all {len(graph.services)} identities change, "
        "and workloads that still have the old ones will be refused."
    ]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **GRAPH_OPTIONS,
            **PLAN_OPTIONS,
            "dest": {"type": "path"},
            "points": {"type": "list", "elements": "str", "choices": list(POINTS)},
            "stack": {"type": "path"},
            "stack_overrides": {"type": "dict"},
            "validate": {"type": "bool", "default": False},
            "kubernetes_version": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "adopt": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    require(module, ("yaml", "PyYAML"))
    run(module, body)


if __name__ == "__main__":
    main()
