# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of

DOCUMENTATION = r"""
name: flows
short_description: The declared flows of a service graph
version_added: 0.1.0
description:
  - Every declared flow to a service of the graph, with its port resolved. Egress is not among them.
options:
  _input:
    description: The service graph, of the shape of C(service_graph.yml).
    type: dict
    required: true
author:
  - zerotrust.platform contributors (@zerotrust-platform)
"""

EXAMPLES = r"""
- name: Show who calls the database
  ansible.builtin.debug:
    msg: "{{ graph | zerotrust.platform.flows | selectattr('callee', 'eq', 'postgres') | map(attribute='caller') }}"
  vars:
    graph: "{{ lookup('ansible.builtin.file', 'service_graph.yml') | from_yaml }}"
"""

RETURN = r"""
_value:
  description: The flows.
  type: list
  elements: dict
  sample:
    - caller: frontend
      callee: api-service
      port: 3000
      target_port: 3000
      protocol: http
      methods: [GET, POST]
      paths: [/api/*]
"""


def flows(graph: Any) -> list[dict[str, Any]]:
    try:
        found = graph_of(graph).flows
    except PlatformError as error:
        raise AnsibleFilterError(f"flows: {'; '.join(error.details) or error.message}") from error
    return [
        {
            "caller": flow.caller,
            "callee": flow.callee,
            "port": flow.port.number,
            "target_port": flow.port.target,
            "protocol": flow.port.protocol,
            "methods": list(flow.methods),
            "paths": list(flow.paths),
        }
        for flow in found
    ]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"flows": flows}
