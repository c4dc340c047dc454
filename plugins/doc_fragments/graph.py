# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options of every module that reads a service graph."""

    DOCUMENTATION = r"""
options:
  src:
    description:
      - The file that holds the service graph, YAML or JSON.
      - Its shape is described in the collection's C(docs/service_graph.md) and, for editors, in
        C(docs/schema/service_graph.schema.json).
    type: path
    required: true
  overrides:
    description:
      - A few values that are laid upon the file before it is read, mappings key by key.
      - A value that is null removes the key.
      - Meant for what differs between environments. Bulk data belongs into the file, as Ansible copies options often.
    type: dict
requirements:
  - PyYAML
"""
