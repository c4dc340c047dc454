# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A certificate tree in a directory of its own, with a clock that the test sets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import crypto
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.declaration import Source, parse
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.planning import PkiPlan, plan_pki
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.tree import apply_pki
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import Tree
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.directories import Os

from tests.unit.reconcile.faults import QuickOs

QUICK = QuickOs()
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=timezone.utc)


@dataclass
class Pki:
    """What the module does, without Ansible."""

    root: Path
    now: datetime = NOW

    def plan(self, data: dict[str, Any], system: Os = QUICK, **options: Any) -> PkiPlan:
        with Tree(str(self.root), system) as tree:
            return plan_pki(tree, parse([Source(data)]), self.now, **options)

    def run(self, data: dict[str, Any], system: Os = QUICK, **options: Any) -> PkiPlan:
        declaration = parse([Source(data)])
        with Tree(str(self.root), system) as tree:
            tree.lock(timeout=20)
            plan = plan_pki(tree, declaration, self.now, **options)
            if plan.plan.changed:
                apply_pki(tree, plan)
            return plan

    def path(self, name: str) -> Path:
        return self.root / name

    def certificate(self, name: str) -> Any:
        return crypto.read_certificate(self.path(name).read_bytes())

    def key(self, name: str) -> Any:
        return crypto.read_key(self.path(name).read_bytes())[1]

    def is_pair(self, directory: str) -> bool:
        public = self.certificate(f"{directory}/cert.pem").public_key()
        return crypto.same_public_key(public, self.key(f"{directory}/key.pem").public_key())

    def contents(self) -> dict[str, bytes]:
        return {str(path.relative_to(self.root)): path.read_bytes() for path in self.root.rglob("*") if path.is_file()}


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path / "pki")
