# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which environment variables and arguments hold a secret: told by name and rule, never by value.

A variable holds one, by the first rule that it meets, if it

- `key`: has a PEM private key or a token of a known shape (AWS, GitHub, GitLab, Slack, Stripe, npm, PyPI, Vault, JWT);
- `url`: has a URL with a password;
- `name`: has a name that ends in such as PASSWORD, SECRET, TOKEN or API_KEY, and a value that is neither a path nor a
  switch. `…_FILE` and `…_PATH` name files, and are how it should be;
- `entropy`: is one word of 20 characters or more, of letters and digits mixed, with 4 bits of Shannon entropy a
  character, or 32 and more of hexadecimal ones with 3. Checksums, versions and public keys by their names are none.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_NAME = re.compile(
    r"(^|[_.\-])(PASSWORD|PASSWD|PASSPHRASE|PWD|PASS|SECRET|TOKEN|CREDENTIALS?|BEARER"
    r"|(API|ACCESS|PRIVATE|SECRET|ENCRYPTION|SIGNING|AUTH|MASTER|LICENSE)[_\-]?KEY)([_\-]?(\d+|BASE64|B64|HEX))?$",
    re.IGNORECASE,
)
#: The shell's own variables.
_NO_NAME = {"PWD", "OLDPWD"}
_PUBLIC = re.compile(
    r"(SHA\d*|SHA\d*SUMS?|MD5|CHECKSUM|DIGEST|FINGERPRINT|VERSION|COMMIT|REVISION|GPG_KEYS?|PUBLIC_?KEY|HASH|UUID|_ID)$",
    re.IGNORECASE,
)
_SHAPES = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_\w{22,}"
    r"|\bglpat-[\w-]{20}|\bxox[abprs]-[\w-]{10,}|\b[sr]k_live_\w{16,}|\bnpm_[A-Za-z0-9]{36}|\bpypi-[\w-]{16,}"
    r"|\bhv[sb]\.[\w-]{20,}|\beyJ[\w-]{5,}\.eyJ[\w-]{5,}\.[\w-]{8,}|\bAGE-SECRET-KEY-1[0-9A-Z]{20,}"
)
_URL = re.compile(r"[a-z][a-z0-9+.\-]*://[^/\s:@]*:[^/\s@]+@", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z0-9+/=_\-]{20,}")
_HEX = re.compile(r"[0-9a-fA-F]{32,}")
_SWITCH = {"", "true", "false", "yes", "no", "on", "off", "none", "null", "0", "1"}


def rule_met(name: str, value: str) -> str:
    """The rule by which a value is secret; empty if it is none."""
    if _SHAPES.search(value):
        return "key"
    if _URL.search(value):
        return "url"
    plain = value.strip().lower() in _SWITCH or value.startswith(("/", "./", "file:"))
    if not plain and _NAME.search(name) and name.upper() not in _NO_NAME:
        return "name"
    return "" if plain or _PUBLIC.search(name) or not _random(value) else "entropy"


def _random(value: str) -> bool:
    if _HEX.fullmatch(value):
        return _entropy(value.lower()) >= 3
    mixed = any(letter.isdigit() for letter in value) and any(letter.isalpha() for letter in value)
    return bool(_WORD.fullmatch(value)) and mixed and _entropy(value) >= 4


def _entropy(text: str) -> float:
    """Shannon's, bits a character."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)


def secrets_of(config: Mapping[str, Any]) -> list[str]:
    """Of a container's Config: `NAME (rule)` for each variable and argument that holds a secret."""
    variables = (str(item).partition("=") for item in config.get("Env") or ())
    found = [f"{name} ({rule})" for name, _equals, value in variables if (rule := rule_met(name, value))]
    arguments = [str(part) for key in ("Entrypoint", "Cmd") for part in _words(config.get(key))]
    return found + [f"argument {name} ({rule})" for name, value in _named(arguments) if (rule := rule_met(name, value))]


def _words(command: Any) -> Iterable[str]:
    return [command] if isinstance(command, str) else command or ()


def _named(arguments: Sequence[str]) -> Iterable[tuple[str, str]]:
    """`--name=value`, `--name value`, and every other one by its place, as nothing of it may be shown."""
    for at, argument in enumerate(arguments):
        if not argument.startswith("-"):
            before = arguments[at - 1] if at else ""
            yield (before if before.startswith("-") and "=" not in before else f"number {at}"), argument
        elif "=" in argument:
            name, _equals, value = argument.partition("=")
            yield name, value
