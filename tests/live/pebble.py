# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pebble, the ACME server that Let's Encrypt tests with, and its DNS, on loopback ports of their own."""

from __future__ import annotations

import base64
import json
import ssl
import sys
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._pki.declaration import Source, parse
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.planning import plan_pki
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.tree import apply_pki
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import Tree

from tests.live.processes import Processes, free_port

EAB = {"kid": "kid-1", "hmac_key": base64.urlsafe_b64encode(bytes(range(48))).decode("ascii")}

#: A hook as a person would write it, for the DNS server of the tests.
HOOK = """\
import json, os, sys, urllib.request

action, record, value = sys.argv[2:]
with open(__file__ + ".log", "a") as log:
    print(action, record, os.environ["CERTBOT_DOMAIN"], os.environ["CERTBOT_VALIDATION"] == value, file=log)
data = {"host": record, "value": value} if action == "present" else {"host": record}
path = "set-txt" if action == "present" else "clear-txt"
urllib.request.urlopen(sys.argv[1] + path, json.dumps(data).encode()).read()
"""


@dataclass
class Pebble:
    """directory: URL. ca_file: what its TLS is to be trusted by. http_port: where it asks for http-01."""

    folder: Path
    directory: str
    management: str
    dns: str
    http_port: int
    ca_file: Path

    def get(self, path: str) -> bytes:
        """Something of the management interface, such as `roots/0`."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        with urllib.request.urlopen(self.management + path, context=context) as answer:
            return bytes(answer.read())

    def tell_dns(self, path: str, data: Mapping[str, Any]) -> Any:
        with urllib.request.urlopen(self.dns + path, json.dumps(data).encode("utf-8")) as answer:
            return json.loads(answer.read() or b"null")

    def hook(self) -> list[str]:
        script = self.folder / "hook.py"
        script.write_text(HOOK, encoding="utf-8")
        return [sys.executable, str(script), self.dns]


def start_pebble(
    processes: Processes,
    tool: Callable[..., Path],
    folder: Path,
    environment: Optional[Mapping[str, str]] = None,
    **config: Any,
) -> Pebble:
    """By default nothing is random and nobody waits. config: keys of its configuration file."""
    folder.mkdir(parents=True, exist_ok=True)
    port, management, http, dns, dns_management = (free_port() for _port in range(5))
    server = tool("pebble", "pebble-challtestsrv")
    off = [argument for name in ("http01", "https01", "tlsalpn01", "doh") for argument in (f"-{name}", "")]
    addresses = ["-dnsserver", f"127.0.0.1:{dns}", "-management", f"127.0.0.1:{dns_management}"]
    processes.start([server, *addresses, *off, "-defaultIPv6", ""], dns_management)
    pki = folder / "tls"
    _make_tls(pki)
    settings = {
        "listenAddress": f"127.0.0.1:{port}",
        "managementListenAddress": f"127.0.0.1:{management}",
        "certificate": str(pki / "ssl" / "cert.pem"),
        "privateKey": str(pki / "ssl" / "key.pem"),
        "httpPort": http,
        "tlsPort": free_port(),
        "profiles": {"default": {"description": "", "validityPeriod": 7_776_000}},
        **config,
    }
    (folder / "pebble.json").write_text(json.dumps({"pebble": settings}), encoding="utf-8")
    quick = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"}
    command = [tool("pebble"), "-config", folder / "pebble.json", "-dnsserver", f"127.0.0.1:{dns}"]
    processes.start(command, port, {**quick, **(environment or {})})
    return Pebble(
        folder,
        f"https://127.0.0.1:{port}/dir",
        f"https://127.0.0.1:{management}/",
        f"http://127.0.0.1:{dns_management}/",
        http,
        pki / "ssl" / "ca-cert.pem",
    )


def _make_tls(folder: Path) -> None:
    from ansible_collections.zerotrust.platform.plugins.module_utils._pki.declaration import PRESETS

    with Tree(str(folder)) as tree:
        tree.lock()
        apply_pki(tree, plan_pki(tree, parse([Source(PRESETS["development"])]), datetime.now(timezone.utc)))
