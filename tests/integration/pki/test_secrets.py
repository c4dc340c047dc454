# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys and passphrases are in no result, diff or log, and passphrases from a vault are nowhere on the disk.

One playbook at -vvv makes a tree, is refused, and changes it. All that is there afterwards is searched: what was
printed, Ansible's log, what reached the system's log (in a mount namespace whose /dev/log is the test's), every file.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from cryptography.hazmat.primitives import serialization

from tests.integration.ansible_run import LOCAL

# With what programs escape when they show it.
PASSPHRASES = {
    "vault_root": 'ro\\ot\'s "first" one',
    "vault_api": 'ap\\i\'s "second" ünë',
    "vault_store": 'sto\\re\'s "third" one',
    "vault_wrong": 'wro\\ng\'s "fourth" one',
}
VAULT_PASSWORD = "of the vault itself"

# $1: a socket that becomes /dev/log in a /dev of our own; the rest: the command.
OWN_LOG = r"""
set -e
socket=$1; shift
real=$(mktemp -d)
mount --rbind /dev "$real"
mount -t tmpfs none /dev
for name in null zero full random urandom tty ptmx; do touch /dev/$name; mount --bind "$real/$name" /dev/$name; done
for name in pts shm; do mkdir /dev/$name; mount --rbind "$real/$name" /dev/$name; done
for name in fd:/proc/self/fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do ln -s "${name#*:}" "/dev/${name%%:*}"; done
touch /dev/log
mount --bind "$socket" /dev/log
umount -l "$real" && rmdir "$real"
exec "$@"
"""
UNSHARE = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]


@dataclass(frozen=True)
class Produced:
    folder: Path
    printed: str
    #: None where no mount namespace can be made.
    syslog: Optional[str]

    @property
    def files(self) -> dict[str, bytes]:
        paths = [path for path in self.folder.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}

    @property
    def everything(self) -> dict[str, bytes]:
        return {**self.files, "printed": self.printed.encode(), "syslog": (self.syslog or "").encode()}


def role(tree: Path, root: str, *dns: str) -> dict[str, Any]:
    api = {"name": "api", "issuer": "root", "dns": list(dns), "passphrase": "{{ vault_api }}"}
    files = {"pkcs12": "web/store.p12", "combined": "web/all.pem", "kubernetes_secret": "web/secret.yml"}
    web = {"name": "web", "issuer": "root", "dns": ["web.zt"], "files": files}
    variables = {
        "pki_path": str(tree),
        "pki_authorities": [{"name": "root", "passphrase": f"{{{{ {root} }}}}"}],
        "pki_certificates": [api, {**web, "keystore_passphrase": "{{ vault_store }}"}],
        "pki_plan_file": str(tree.parent / "plan.json"),
        "pki_metrics_file": str(tree.parent / "certificates.prom"),
    }
    return {"ansible.builtin.include_role": {"name": "zerotrust.platform.pki"}, "vars": variables}


@contextmanager
def log_socket(path: Path) -> Iterator[list[bytes]]:
    """What programs write to a log whose socket lies there."""
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))

        def listen() -> None:
            while message := listener.recv(1 << 20):
                heard.append(message)

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield heard
        finally:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
                last.sendto(b"", str(path))
            thread.join()


@pytest.fixture(scope="module")
def produced(tmp_path_factory: pytest.TempPathFactory) -> Produced:
    inputs, folder = tmp_path_factory.mktemp("inputs"), tmp_path_factory.mktemp("produced")
    vault = VaultLib([("default", VaultSecret(VAULT_PASSWORD.encode()))])
    (inputs / "vault.yml").write_bytes(vault.encrypt(yaml.safe_dump(PASSPHRASES)))
    (inputs / "password").write_text(VAULT_PASSWORD, encoding="utf-8")
    (inputs / "hosts.ini").write_text(LOCAL, encoding="utf-8")
    tree = folder / "pki"
    tasks = [
        role(tree, "vault_root", "api.zt"),
        {"block": [role(tree, "vault_wrong", "api.zt", "b.zt")], "rescue": [{"ansible.builtin.meta": "noop"}]},
        role(tree, "vault_root", "api.zt", "c.zt"),
    ]
    play = {"hosts": "all", "gather_facts": False, "vars_files": [str(inputs / "vault.yml")], "tasks": tasks}
    (inputs / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    (folder / "tmp").mkdir()
    environment = {
        **os.environ,
        "ANSIBLE_VAULT_PASSWORD_FILE": str(inputs / "password"),
        "ANSIBLE_LOG_PATH": str(folder / "ansible.log"),
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_REMOTE_TEMP": str(folder / "remote"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "local"),
        "TMPDIR": str(folder / "tmp"),
    }
    command = ["ansible-playbook", "-vvv", "--diff", "-i", str(inputs / "hosts.ini"), str(inputs / "play.yml")]
    with log_socket(inputs / "log") as heard:
        probe = [*UNSHARE, "sh", "-c", OWN_LOG, "sh", str(inputs / "log"), "true"]
        isolated = subprocess.run(probe, capture_output=True, check=False).returncode == 0
        done = subprocess.run(
            [*probe[:-1], *command] if isolated else command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout
    return Produced(folder, done.stdout, b"\n".join(heard).decode() if isolated else None)


def forms(secret: str) -> list[bytes]:
    """A text as it is, and as programs show it: escaped by Python, JSON and shells, or encoded."""
    escaped = [json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]]
    escaped += [secret, repr(repr(secret))[1:-1], secret.replace("'", "'\"'\"'"), secret.replace("'", "''")]
    return [form.encode() for form in escaped] + [base64.b64encode(secret.encode())]


def test_what_is_searched_is_there(produced: Produced) -> None:
    for text in (produced.printed, produced.files["ansible.log"].decode()):
        assert "module_args" in text
        assert "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" in text
        assert '"b.zt"' in text or '"c.zt"' in text
        assert "ca_passphrase" in text
    assert {"plan.json", "certificates.prom", "pki/web/store.p12"} <= set(produced.files)


def test_p05_no_passphrase_is_anywhere(produced: Produced) -> None:
    found = [
        (name, where)
        for name, secret in PASSPHRASES.items()
        for where, content in produced.everything.items()
        if any(form in content for form in forms(secret))
    ]
    assert found == []


def test_no_key_is_anywhere_but_in_its_files(produced: Produced) -> None:
    clear = (serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    holders = {}
    for name, passphrase in {"authorities/root": "vault_root", "api": "vault_api", "web": None}.items():
        secret = PASSPHRASES[passphrase].encode() if passphrase else None
        key = serialization.load_pem_private_key((produced.folder / "pki" / name / "key.pem").read_bytes(), secret)
        number = key.private_numbers().private_value  # type: ignore[union-attr]
        raw = number.to_bytes(32, "big")
        # The first and the last lines of a PEM file are not of the key alone; the second is.
        needles = [key.private_bytes(*clear), raw, raw.hex().encode(), str(number).encode()]
        needles += [base64.b64encode(key.private_bytes(*clear))[64:128]]
        holders[name] = [where for where, text in produced.everything.items() if any(one in text for one in needles)]
    secret_manifest = yaml.safe_load(produced.files["pki/web/secret.yml"])["data"]["tls.key"].encode()
    assert [where for where, text in produced.everything.items() if secret_manifest in text] == ["pki/web/secret.yml"]
    assert holders == {"authorities/root": [], "api": [], "web": ["pki/web/all.pem", "pki/web/key.pem"]}
    assert "PRIVATE KEY" not in produced.printed


def test_with_pipelining_the_module_and_its_options_are_no_file(produced: Produced) -> None:
    assert not (produced.folder / "remote").exists()
    assert list((produced.folder / "tmp").iterdir()) == []


def test_the_log_of_the_system_says_what_was_run_and_no_secret(produced: Produced) -> None:
    if produced.syslog is None:
        pytest.skip("no mount namespace can be made here")
    lines = [line for line in produced.syslog.splitlines() if "ansible-zerotrust.platform.pki:" in line]
    assert len(lines) == 3
    assert all(f"path={produced.folder / 'pki'}" in line for line in lines)
    assert "PRIVATE KEY" not in produced.syslog
