# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role's timer and its hardened service, under a real systemd."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from tests.live import systemd

SCRIPT = """
cd /srv
export HOME=/root {environment}
printf '[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=/bin/true\\nExecReload=/bin/sh -c "{reload}"\\n' \
  > /etc/systemd/system/consumer.service
systemctl daemon-reload
systemctl start consumer.service
play='{bin}/ansible-playbook -i /srv/shared/inventories/mine/hosts.yml zerotrust.platform.renew'
$play --check
$play
systemctl is-enabled zerotrust-pki-renew.timer
systemctl is-active zerotrust-pki-renew.timer
test "$(cat /srv/shared/reloads)" = x

# As the timer does it: what is missing is made again, by a service that may write nothing else.
rm /etc/example/pki/api/cert.pem /var/lib/metrics/certificates.prom
systemctl start zerotrust-pki-renew.service
test "$(systemctl show -p Result --value zerotrust-pki-renew.service)" = success
test -s /etc/example/pki/api/cert.pem
test -s /var/lib/metrics/certificates.prom
test "$(stat -c %U:%a /etc/example/pki/api/key.pem)" = www-data:640
test "$(cat /srv/shared/reloads)" = xx
$play | tee /srv/shared/unchanged
grep -q 'changed=0 ' /srv/shared/unchanged

$play -e pki_timer=absent
test -z "$(ls /etc/systemd/system | grep zerotrust)"
test -z "$(systemctl list-units --all --no-legend 'zerotrust-*')"
"""


def test_a3_a_timer_renews_and_tells_a_program_and_goes(tmp_path: Path, repo: Path) -> None:
    if any(systemd.CHECKOUT.is_relative_to(place) for place in ("/tmp", "/var/tmp")):
        pytest.skip("the checkout lies where the hardened service has a directory of its own (PrivateTmp)")
    inventory = tmp_path / "inventories" / "mine" / "hosts.yml"
    inventory.parent.mkdir(parents=True)
    environment = {name: os.environ[name] for name in ("ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_CONFIG")}
    certificate = {
        "name": "api",
        "issuer": "root",
        "dns": ["api.zt"],
        # Java compiles while it runs, which the hardened service must allow.
        "files": {"pkcs12": "api.p12", **({"jks": "api.jks"} if shutil.which("keytool") else {})},
        "permissions": {"key": {"owner": "www-data", "mode": "0640"}},
        "reload": ["systemctl", "reload", "consumer.service"],
    }
    host = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "pki_path": "/etc/example/pki",
        "pki_authorities": [{"name": "root"}],
        "pki_certificates": [certificate],
        "pki_keystore_passphrase": "correct horse",
        "pki_metrics_file": "/var/lib/metrics/certificates.prom",
        "pki_timer": "present",
        "pki_timer_environment": {**environment, "LC_ALL": "C.UTF-8"},
    }
    inventory.write_text(yaml.safe_dump({"zerotrust": {"hosts": {"here": host}}}), encoding="utf-8")
    exports = " ".join(f"{name}='{value}'" for name, value in {**environment, "LC_ALL": "C.UTF-8"}.items())
    script = SCRIPT.format(
        environment=exports, bin=Path(sys.executable).parent, reload="printf x >> /srv/shared/reloads"
    )
    systemd.run(tmp_path, script)
