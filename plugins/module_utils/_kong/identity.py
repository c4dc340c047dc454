# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What names an entity, what its id is, and which form of it the node keeps. Pure.

`natural` is used on both sides, on what is declared and on what is there, with references already as names. What it
gives is unique within a kind and holds no secret.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import ipaddress
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Optional
from urllib.parse import urlsplit

from ansible_collections.zerotrust.platform.plugins.module_utils._kong.kinds import KINDS, MEMBER

_NAMESPACE = uuid.UUID("0f5d4c3e-7f3b-5f0a-9a54-5f8d3a1d7c60")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_DEFAULT_PORTS = {"https": 443, "grpcs": 443, "tls": 443}


def is_uuid(value: Any) -> bool:
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def stable_id(kind: str, name: str, tags: Sequence[str], attempt: int = 1) -> str:
    """The id under which an entity is made: the same in each run, so a lost answer makes no second one.

    RFC 9562, section 5.5. `attempt` is for the case that somebody else has this id.
    """
    again = f"\n{attempt}" if attempt > 1 else ""
    return str(uuid.uuid5(_NAMESPACE, f"{kind}\n{name}\n{','.join(tags)}{again}"))


def digest_name(pem: Any) -> str:
    """A certificate's name where it has none: the beginning of the SHA-256 of its DER form."""
    text = str(pem)
    found = _PEM.search(text)
    content = text.encode()
    if found:
        with contextlib.suppress(binascii.Error, ValueError):
            content = base64.b64decode("".join(found.group(1).split()), validate=True)
    return f"sha256:{hashlib.sha256(content).hexdigest()[:16]}"


def natural(kind: str, data: Mapping[str, Any]) -> str:
    """The name; empty if nothing names it. Keys (`key-auth`) and certificates with SNIs are named elsewhere."""
    if kind == "plugin":
        scopes = [f"{field} {data[field]}" for field in KINDS[kind].refs if data.get(field)]
        return f"{data.get('name')} ({', '.join(scopes)})" if scopes else str(data.get("name") or "")
    if kind == MEMBER:
        return f"{data.get('consumer_group')}/{data.get('consumer')}"
    if kind in ("target", "acl"):
        parent, label = ("upstream", "target") if kind == "target" else ("consumer", "group")
        return f"{data[parent]}/{data[label]}" if data.get(parent) and data.get(label) else ""
    if kind in ("certificate", "ca_certificate"):
        return digest_name(data["cert"]) if data.get("cert") else ""
    if kind == "key-auth":
        return ""
    value = data.get(KINDS[kind].label)
    if value:
        return str(value)
    if kind == "consumer" and data.get("custom_id"):
        return f"custom_id {data['custom_id']}"
    if kind == "key" and data.get("kid"):
        return f"kid {data['kid']}" + (f" ({data['set']})" if data.get("set") else "")
    return ""


def split_url(url: str) -> Optional[dict[str, Any]]:
    """`url` of a service as the node keeps it; None if it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if not parts.scheme or not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return {
        "protocol": parts.scheme,
        "host": host,
        "port": port or _DEFAULT_PORTS.get(parts.scheme, 80),
        "path": parts.path or None,
    }


def full_target(target: str) -> str:
    """A target as the node keeps it: with its port, an IPv6 address in brackets."""
    host, port = target, ""
    bracketed = re.fullmatch(r"\[([0-9a-fA-F:.]+)\](?::([0-9]+))?", target)
    if bracketed:
        host, port = bracketed.group(1), bracketed.group(2) or ""
    elif target.count(":") == 1:
        host, port = target.split(":")
    if ":" in host:
        host = f"[{_long_address(host)}]"
    return f"{host}:{port or 8000}"


def _long_address(address: str) -> str:
    """An IPv6 address with all eight groups, as Kong writes it."""
    try:
        return ipaddress.IPv6Address(address).exploded
    except ValueError:
        return address
