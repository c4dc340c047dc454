# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The issuers outside of a tree that its declaration names."""

# Paths are text here; they may be relative to the tree.
# ruff: noqa: PTH111, PTH118
from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ansible_collections.zerotrust.platform.plugins.module_utils._acme.settings import Settings, Warn
from ansible_collections.zerotrust.platform.plugins.module_utils._commands import Run, no_commands
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.item import Issuer
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import Declaration


@dataclass(frozen=True)
class Surroundings:
    """What is needed of the program around: to run a command, and to warn."""

    run: Run = no_commands
    warn: Warn = lambda _message: None


def outside_issuers(declaration: Declaration, root: str, around: Surroundings) -> Mapping[str, Issuer]:
    """By the name that requests call them by. root: the tree's directory, which their relative paths begin at."""
    found: dict[str, Issuer] = {}
    for one in declaration.outside:
        names = [request.name for request in declaration.requests if request.issuer == one.name]
        # Not above: few trees need them.
        if one.external is not None:
            from ansible_collections.zerotrust.platform.plugins.module_utils._pki.external import ExternalIssuer

            ca_file = _whole(root, one.external.ca_file)
            signed = one.external.signed and os.path.expanduser(one.external.signed)
            found[one.name] = ExternalIssuer(one.name, ca_file, signed, names)
        elif one.acme is not None:
            from ansible_collections.zerotrust.platform.plugins.module_utils._pki.acme import AcmeIssuer

            found[one.name] = AcmeIssuer(one.name, _resolved(root, one.acme), names, around.run, around.warn)
    return found


def _resolved(root: str, settings: Settings) -> Settings:
    challenge = settings.challenge
    webroot = None if challenge.webroot is None else _whole(root, challenge.webroot)
    ca_file = None if settings.ca_file is None else _whole(root, settings.ca_file)
    return replace(settings, ca_file=ca_file, challenge=replace(challenge, webroot=webroot))


def _whole(root: str, path: str) -> str:
    return os.path.join(root, os.path.expanduser(path))
