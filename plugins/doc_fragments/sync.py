# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options of every module that makes a system as declared. It goes with the fragment `plan`."""

    DOCUMENTATION = r"""
options:
  policy:
    description:
      - What the module may do with objects that are ours.
      - V(sync) creates, updates and, with O(purge), deletes. V(upsert_only) never deletes. V(create_only) creates only.
      - What would have to be done too is returned in C(plan.withheld).
    type: str
    choices: [sync, upsert_only, create_only]
    default: sync
  purge:
    description:
      - Whether objects that are ours and are no longer declared are deleted, or stay.
      - Objects without our marker are never deleted.
    type: bool
    default: false
  adopt:
    description:
      - Whether objects that are declared, are there and are not ours are taken over.
      - Otherwise such a plan is refused, with a list of them.
    type: bool
    default: false
  limits:
    description: How much a run may change before it is refused, with the list of what it would have done.
    type: dict
    suboptions:
      delete:
        description: How many percent of the objects that are ours may be deleted, from 0 to 100.
        type: int
        default: 30
      update:
        description: How many percent of the objects that are ours may be updated, from 0 to 100.
        type: int
        default: 30
      objects:
        description: With fewer objects than this, the percentages are no limit.
        type: int
        default: 10
      allow_empty:
        description: Whether all may be deleted because nothing is declared.
        type: bool
        default: false
  on_failure:
    description:
      - What to do when a write fails that cannot be tried again. No further write is begun in any case.
      - V(stop) leaves what was done. A new run goes on from there.
      - V(rollback) reads again and brings back what the run has changed, as far as it can, and says what it could not.
    type: str
    choices: [stop, rollback]
    default: stop
  concurrency:
    description: How many writes may be under way at a time, from 1 to 64.
    type: int
    default: 8
  journal_file:
    description:
      - A file to which one line of JSON is appended for each write, when it begins and when it is done.
      - It tells how far a run got that was killed, and shows the progress of a long one.
      - It holds names of objects and no data.
    type: path
"""
