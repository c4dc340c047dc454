# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Optional

from ansible.errors import AnsibleFilterError
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.points import POINTS
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.points import render as render_points
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of

DOCUMENTATION = r"""
name: render
short_description: The documents of a service graph
version_added: 0.1.0
description:
  - Renders a service graph for one enforcement point, or for all, for people who compose their own playbooks.
  - For large graphs use the module M(zerotrust.platform.service_graph), which takes a path.
positional: point
options:
  _input:
    description: The service graph, of the shape of C(service_graph.yml).
    type: dict
    required: true
  point:
    description: The enforcement point. By default all that the graph has something to say to.
    type: str
    choices: [istio, network_policy, security_group, kong, spire]
author:
  - zerotrust.platform contributors (@zerotrust-platform)
"""

EXAMPLES = r"""
- name: Apply the NetworkPolicies of a graph
  kubernetes.core.k8s:
    definition: "{{ graph | zerotrust.platform.render('network_policy') }}"
  vars:
    graph: "{{ lookup('ansible.builtin.file', 'service_graph.yml') | from_yaml }}"
"""

RETURN = r"""
_value:
  description: The documents.
  type: list
  elements: dict
"""


def render(graph: Any, point: Optional[str] = None) -> list[Mapping[str, Any]]:
    if point is not None and point not in POINTS:
        raise AnsibleFilterError(f"render: {point!r} is not an enforcement point ({', '.join(POINTS)})")
    try:
        files = render_points(graph_of(graph), [point] if point else None)
    except PlatformError as error:
        raise AnsibleFilterError(f"render: {'; '.join(error.details) or error.message}") from error
    return [document for documents in files.values() for document in documents]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"render": render}
