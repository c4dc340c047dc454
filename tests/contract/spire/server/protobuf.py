# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many bytes gRPC sends, as the server and its command take no message of more than 4 MiB."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

MOST = 4 * 1024 * 1024


def varint(number: int) -> int:
    return max(1, -(-(number if number >= 0 else number + 2**64).bit_length() // 7))


def text(value: str, tag: int = 1) -> int:
    size = len(value.encode())
    return tag + varint(size) + size if size else 0


def message(size: int, tag: int = 1) -> int:
    return tag + varint(size) + size


def number(value: Any) -> int:
    return 1 + varint(int(value)) if value else 0


def entry(row: Mapping[str, Any]) -> int:
    """spire.api.types.Entry."""
    size = text(row["id"]) + text(row["hint"])
    for name in ("spiffe_id", "parent_id"):
        size += message(text(row[name]["trust_domain"]) + text(row[name]["path"]))
    size += sum(message(text(one["type"]) + text(one["value"])) for one in row["selectors"])
    size += sum(message(len(name.encode())) for key in ("federates_with", "dns_names") for name in row[key])
    numbers = ("x509_svid_ttl", "jwt_svid_ttl", "expires_at", "revision_number", "created_at")
    size += sum(number(row[name]) for name in numbers)
    size += sum(2 for name in ("admin", "downstream", "store_svid") if row[name])
    if "additional_attributes" in row:
        size += message(sum(2 for on in row["additional_attributes"].values() if on), tag=2)
    return size


def entries(rows: Iterable[Mapping[str, Any]]) -> int:
    """A request to create or update them, or a page of them."""
    return sum(message(entry(row)) for row in rows)


def results(items: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> int:
    """The answer to a batch: (status, row)."""
    return sum(
        message(message(number(status["code"]) + text(status["message"])) + (message(entry(row)) if row else 0))
        for status, row in items
    )


def too_large(size: int) -> str:
    return f"rpc error: code = ResourceExhausted desc = grpc: received message larger than max ({size} vs. {MOST})"
