# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options of every module that makes a plan."""

    DOCUMENTATION = r"""
options:
  plan_file:
    description:
      - Where to write the whole plan as JSON, for a reviewer or a later step.
      - The directory is made if it is missing. An existing file is replaced.
      - It is written in check mode too, and is not counted as a change.
    type: path
  plan_fingerprint:
    description:
      - The fingerprint of the plan that was approved, as returned in C(plan.fingerprint).
      - If this run's plan is another one, the module fails and changes nothing.
      - A run that finds nothing left to do is accepted with any fingerprint.
    type: str
"""
