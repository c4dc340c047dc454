# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that hold a key and its certificates in forms other than PEM, each for one kind of program.

Passphrases go to `keytool` through its environment, never as arguments, which every user of a machine can read.
"""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._commands import Run
from ansible_collections.zerotrust.platform.plugins.module_utils._documents import yaml_writer
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError

#: What `keytool` takes; a PKCS#12 file's is held to the same, so that each can be made of the other.
SHORTEST_PASSPHRASE = 6


def passphrase(value: str) -> str:
    """The value itself; ValueError, without the value, if Java or OpenSSL would not take it."""
    if len(value) < SHORTEST_PASSPHRASE:
        raise ValueError(f"must have at least {SHORTEST_PASSPHRASE} characters, as Java asks")
    if not value.isascii() or not value.isprintable():
        raise ValueError("must be printable ASCII, as programs differ in how they read anything else")
    return value


def pkcs12(name: str, key: Any, certificate: Any, chain: Sequence[Any], secret: str) -> bytes:
    """RFC 7292, with AES-256 and SHA-256. name: its friendly name, which Java calls an alias."""
    # Not above: few trees need it.
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12 as pkcs12_of

    return pkcs12_of.serialize_key_and_certificates(
        name.encode("ascii"), key, certificate, chain, serialization.BestAvailableEncryption(secret.encode("ascii"))
    )


def jks(store: bytes, secret: str, run: Run) -> bytes:
    """A PKCS#12 file as a Java keystore of the old format, with the same passphrase and alias."""
    with tempfile.TemporaryDirectory(prefix="zerotrust-") as folder:
        source, target = Path(folder, "store.p12"), Path(folder, "store.jks")
        source.write_bytes(store)
        command = ["keytool", "-importkeystore", "-noprompt"]
        command += ["-srckeystore", str(source), "-srcstoretype", "PKCS12", "-srcstorepass:env", "ZEROTRUST_SECRET"]
        command += ["-destkeystore", str(target), "-deststoretype", "JKS", "-deststorepass:env", "ZEROTRUST_SECRET"]
        status, said, complaints = run(command, {"ZEROTRUST_SECRET": secret, "LC_ALL": "C"})
        if status != 0 or not target.exists():
            words = " ".join((complaints or said).split())[:300]
            raise PlatformError(f"keytool could not make a Java keystore: {words}", "keytool_failed")
        return target.read_bytes()


def kubernetes_secret(name: str, namespace: str, fullchain: bytes, key: bytes, roots: bytes) -> bytes:
    """A manifest of type kubernetes.io/tls. roots: what `ca.crt` holds, as cert-manager writes it; b"" for none.

    namespace: "" leaves it to whoever applies the manifest.
    """
    files = {"tls.crt": fullchain, "tls.key": key, **({"ca.crt": roots} if roots else {})}
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
        "type": "kubernetes.io/tls",
        "data": {file: base64.b64encode(content).decode("ascii") for file, content in files.items()},
    }
    return yaml_writer.dump_all([manifest]).encode("utf-8")
