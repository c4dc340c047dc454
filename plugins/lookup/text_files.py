# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: text_files
short_description: The text files below directories of the controller
version_added: 0.1.0
description:
  - Reads whole directories, so that one task can hand them to a module, where M(ansible.builtin.copy) takes some tenths
    of a second for each file.
  - What Python keeps of its own (C(__pycache__)) is left out.
options:
  _terms:
    description:
      - The directories. They are sought where the files of a role or playbook are, as by
        P(ansible.builtin.file#lookup).
    type: list
    elements: str
    required: true
author:
  - zerotrust.platform contributors (@zerotrust-platform)
"""

EXAMPLES = r"""
- name: Render the stack, with what one of its images is built of
  zerotrust.platform.compose_render:
    stack: "{{ lookup('ansible.builtin.file', 'stack.yml') }}"
    files: "{{ lookup('zerotrust.platform.text_files', 'control_api') }}"
    dest: /opt/zerotrust/stack
"""

RETURN = r"""
_value:
  description: The texts, by the file's path, which begins with the last name of its directory.
  type: list
  elements: dict
  sample:
    - control_api/Dockerfile: "FROM python\n"
"""

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: Any = None, **kwargs: Any) -> list[dict[str, str]]:
        found: dict[str, str] = {}
        for term in terms:
            name = self.find_file_in_search_path(variables, "files", term)
            if not name or not Path(name).is_dir():
                raise AnsibleLookupError(f"text_files: {term!r} is no directory beside the role or playbook; name one")
            top = Path(name)
            for path in sorted(top.rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    found[path.relative_to(top.parent).as_posix()] = _text(path)
        return [found]


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AnsibleLookupError(f"text_files: {path} cannot be read as text: {error}") from error
