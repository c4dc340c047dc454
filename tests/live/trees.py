# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A certificate tree whose issuers may run commands, by the real clock."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._pki.issuers import Surroundings
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.planning import PkiPlan
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.directories import Os

from tests.unit.pki.conftest import QUICK, Pki


def run_command(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str, str]:
    whole = {**os.environ, **environment}
    done = subprocess.run(command, env=whole, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@dataclass
class LiveTree(Pki):
    now: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    warnings: list[str] = field(default_factory=list)

    def plan(self, data: dict[str, Any], system: Os = QUICK, **options: Any) -> PkiPlan:
        return super().plan(data, system, around=Surroundings(run_command, self.warnings.append), **options)

    def run(self, data: dict[str, Any], system: Os = QUICK, **options: Any) -> PkiPlan:
        return super().run(data, system, around=Surroundings(run_command, self.warnings.append), **options)
