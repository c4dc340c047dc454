# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What few trees need is imported where it is used: a module's start is most of what a small tree costs."""

from __future__ import annotations

import json
import subprocess
import sys

RARE = {"acme", "josepy", "requests", "yaml", "multiprocessing", "cryptography.hazmat.primitives.serialization.pkcs12"}


def test_the_module_imports_nothing_that_few_need(repo):
    code = (
        "import json, sys; sys.path.insert(0, '.venv/collections')\n"
        "import ansible.module_utils.basic; before = set(sys.modules)\n"
        "from ansible_collections.zerotrust.platform.plugins.modules import pki\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=repo, check=True, capture_output=True, text=True)
    imported = set(json.loads(done.stdout))
    assert "cryptography.x509" in imported
    assert imported.isdisjoint(RARE)
