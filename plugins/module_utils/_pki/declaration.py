# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a declaration: plain data in, a `Declaration` or every mistake out.

    {authorities: [..], certificates: [..]}  from the module's options, a file, a preset
        ─▶ each item by itself (requests) ─▶ all together (names, issuers, path lengths, validity, files) ─▶ Declaration

Mistakes are `Problem`s with the path of the value, and its line and column where it came from a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import Problem, show
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.linking import Found, link
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import Declaration
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.outside_reading import is_outside, read_outside
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.policies import read_revocation
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.reading import Node, Source
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.requests import read_authority, read_certificate

__all__ = ["PRESETS", "Source", "parse"]

#: Requirement A2: what a developer needs for TLS on this machine. The authority's key does not lie in `ssl/`, as that
#: directory is what gets copied or mounted to where the server runs.
DEVELOPMENT: Mapping[str, Any] = {
    "authorities": [
        {
            "name": "development",
            "common_name": "zerotrust.platform Development CA",
            "path_length": 0,
            "files": {"certificate": "ssl/ca-cert.pem", "key": "authorities/development/key.pem"},
        }
    ],
    "certificates": [
        {
            "name": "localhost",
            "issuer": "development",
            "dns": ["localhost"],
            "ips": ["127.0.0.1", "::1"],
            "files": {"certificate": "ssl/cert.pem", "key": "ssl/key.pem"},
        }
    ],
}
PRESETS: Mapping[str, Mapping[str, Any]] = {"development": DEVELOPMENT}


def parse(sources: Sequence[Source], keystore_passphrase: str = "") -> Declaration:
    """One declaration of all sources. A PlatformError (`bad_declaration`, or the code of a single mistake) else.

    keystore_passphrase: for certificates with keystores that have none of their own.
    """
    problems: list[tuple[Source, Problem]] = []
    found = Found(problems)
    for source in sources:
        _read(source, found, keystore_passphrase)
    declaration = link(found)
    if problems:
        texts = [problem.text(source.name) for source, problem in problems]
        if len(texts) == 1:
            raise PlatformError(texts[0], problems[0][1].code)
        message = f"the declaration has {len(texts)} mistakes; the first: {texts[0]}"
        raise PlatformError(message, "bad_declaration", texts)
    return declaration


def _read(source: Source, found: Found, keystore_passphrase: str) -> None:
    if not isinstance(source.data, Mapping):
        message = f"{show(source.data)} is no mapping with authorities and certificates"
        found.problems.append((source, Problem((), "bad_type", message, source.place(()))))
        return
    node = Node(source.data, source, (), found.problems)
    node.only(("authorities", "certificates", "revoked"))
    for item in node.mappings("authorities"):
        if is_outside(item):
            outside = read_outside(item)
            if outside is not None:
                found.outside.append((outside, item))
            else:
                found.spoiled.add(item.data.get("name"))
        else:
            found.add(read_authority(item), item)
    for item in node.mappings("certificates"):
        found.add(read_certificate(item, keystore_passphrase), item)
    for item in node.mappings("revoked"):
        revocation = read_revocation(item)
        if revocation is not None:
            found.revocations.append((revocation, item))
