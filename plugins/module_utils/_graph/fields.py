# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a field of the service graph is described once, for the parser and for the JSON schema.

A frozen dataclass of ``model.py`` carries one :class:`Spec` in each field's metadata::

    name: str = field(metadata=spec(DNS_LABEL, "what the field means"))

``parse.py`` walks the specs to turn plain data into the dataclass and to find every mistake of shape;
``schema.py`` walks the same specs to write the JSON schema that editors use. So the two cannot drift apart.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Callable, Optional, Union

Check = Callable[[Any], Optional[str]]
"""Says in a clause what is wrong with a value (``"is not …"``), or None."""


@dataclass(frozen=True)
class Scalar:
    """One value. ``types`` are the Python types it may have after loading; bool never passes for int."""

    types: tuple[type, ...]
    expects: str
    check: Optional[Check] = None
    schema: Mapping[str, Any] = None  # type: ignore[assignment]


@dataclass(frozen=True)
class ListOf:
    item: Type
    min_items: int = 1
    unique: bool = True


@dataclass(frozen=True)
class MapOf:
    key: Scalar
    value: Type


@dataclass(frozen=True)
class Fold:
    """That an object with a single item in the list ``into`` may carry the item's ``keys`` itself."""

    into: str
    item: ObjectOf
    keys: tuple[str, ...]


@dataclass(frozen=True)
class ObjectOf:
    """A dataclass. ``short`` are the scalars it may be written as; ``expand`` makes the long form of one, or None."""

    cls: type
    short: tuple[Scalar, ...] = ()
    expand: Optional[Callable[[Any], Optional[dict[str, Any]]]] = None
    fold: Optional[Fold] = None


Type = Union[Scalar, ListOf, MapOf, ObjectOf]


@dataclass(frozen=True)
class Spec:
    type: Type
    description: str
    required: bool = False
    key: str = ""
    """The key in the file, where it is not the attribute's name."""


def spec(type_: Type, description: str, *, required: bool = False, key: str = "") -> dict[str, Spec]:
    """A dataclass field's metadata."""
    return {"spec": Spec(type_, description, required, key)}


def text(expects: str, pattern: str, *, most: int = 0, check: Optional[Check] = None, **schema: Any) -> Scalar:
    """A string that matches ``pattern`` as a whole and is at most ``most`` characters long."""
    compiled = re.compile(pattern)

    def complain(value: str) -> Optional[str]:
        if most and len(value) > most:
            return f"has {len(value)} characters, at most {most} are allowed"
        if not compiled.fullmatch(value):
            return f"is not {expects}"
        return check(value) if check else None

    rules: dict[str, Any] = {"type": "string", "pattern": f"^(?:{pattern})$", **schema}
    if most:
        rules["maxLength"] = most
    return Scalar((str,), expects, complain, rules)


def choice(*values: str) -> Scalar:
    def complain(value: str) -> Optional[str]:
        if value in values:
            return None
        hint = next((f" (write {known})" for known in values if known.lower() == value.lower()), "")
        return f"is not one of {', '.join(values)}{hint}"

    return Scalar((str,), "one of " + ", ".join(values), complain, {"type": "string", "enum": list(values)})


def whole(expects: str, lowest: int, highest: int) -> Scalar:
    """An integer in a closed range."""

    def complain(value: int) -> Optional[str]:
        return None if lowest <= value <= highest else f"is not {expects}"

    return Scalar((int,), expects, complain, {"type": "integer", "minimum": lowest, "maximum": highest})


def _is_label(value: str) -> bool:
    return re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", value) is not None and len(value) <= 63


_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


def _complain_of_cidr(value: str) -> Optional[str]:
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        network = None
    if network is None or "%" in value:
        return "is not a network in CIDR notation, such as 192.0.2.0/24 or 2001:db8::/32"
    if network.subnet_of(_MAPPED) if network.version == 6 else False:
        return "is an IPv4 network written as IPv6; write it as IPv4"
    if "/" not in value:
        return f"has no prefix length (write {network})"
    if int(ipaddress.ip_address(value.split("/")[0])) != int(network.network_address):
        return f"has host bits set (the network is {network})"
    # One network, one spelling: others are compared as text, and refused by Kubernetes (a netmask) or AWS.
    return None if str(network) == value else f"is not in its usual form (write {network})"


def _complain_of_host(value: str) -> Optional[str]:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        pass
    else:
        return f"is an address, not a host name (write cidrs: [{ipaddress.ip_network(value)}])"
    name = value[2:] if value.startswith("*.") else value
    labels = name.split(".")
    if all(_is_label(label.lower()) for label in labels) and name != name.lower():
        return f"has upper-case letters (write {value.lower()})"
    if not all(_is_label(label) for label in labels) or len(name) > 253:
        return "is not a host name (lower-case labels of letters, digits and hyphens, without port, scheme or spaces)"
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):
        return "is neither a host name nor a valid address"
    if len(labels) < 2:
        return "has no domain (write the fully qualified name)"
    return None


def _complain_of_path(value: str) -> Optional[str]:
    if not value.startswith("/"):
        return "does not start with '/'"
    body = value[:-1] if value.endswith("/*") else value
    if "*" in body:
        return "has a '*' that is not a whole last segment (only an ending '/*' is allowed)"
    if "//" in body:
        return "has an empty segment '//'"
    if any(part in (".", "..") for part in body.split("/")):
        return "has a '.' or '..' segment"
    if re.search(r"%(2f|5c|2e)", body, re.IGNORECASE):
        return "has an encoded slash or dot, which proxies and servers read differently"
    if not re.fullmatch(r"(/|[A-Za-z0-9._~!$&'()+,;=:@-]|%[0-9A-Fa-f]{2})*", body):
        return "has characters that a URL path may not have (RFC 3986 section 3.3)"
    return None


def _complain_of_trust_domain(value: str) -> Optional[str]:
    valid = re.fullmatch(r"[a-z0-9._-]+", value.lower()) and not value.startswith(".")
    if valid and value != value.lower():
        return f"has upper-case letters (write {value.lower()})"
    if not valid:
        return "is not a SPIFFE trust domain (lower-case letters, digits, '.', '-', '_'; no scheme, port or path)"
    return None


DNS_LABEL = text(
    "an RFC 1123 label (lower-case letters, digits and hyphens, beginning and ending with a letter or digit)",
    r"[a-z0-9]([-a-z0-9]*[a-z0-9])?",
    most=63,
)
SERVICE_NAME = text(
    "an RFC 1035 label (lower-case letters, digits and hyphens, a letter first and no hyphen last)",
    r"[a-z]([-a-z0-9]*[a-z0-9])?",
    most=63,
)
TRUST_DOMAIN = Scalar(
    (str,),
    "a SPIFFE trust domain",
    lambda value: (
        f"has {len(value)} characters, at most 255 are allowed"
        if len(value) > 255
        else _complain_of_trust_domain(value)
    ),
    {"type": "string", "pattern": "^[a-z0-9_-][a-z0-9._-]*$", "maxLength": 255},
)
PORT_NUMBER = whole("a port number from 1 to 65535", 1, 65535)
PORT_NAME = text(
    "a port name (at most 15 lower-case letters, digits and hyphens, with a letter)",
    r"(?=.*[a-z])[a-z0-9]([-a-z0-9]*[a-z0-9])?",
    most=15,
)
PORT_REF = Scalar(
    (int, str),
    "a port number or the name of a port",
    lambda value: (PORT_NUMBER if isinstance(value, int) else PORT_NAME).check(value),  # type: ignore[misc]
    {"anyOf": [PORT_NUMBER.schema, PORT_NAME.schema]},
)
PROTOCOL = choice("http", "grpc", "tcp", "tls")
_METHODS = choice("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
METHOD = replace(
    _METHODS,
    check=lambda value: (
        "is no method (leave the list out, and any is meant)" if value == "*" else _METHODS.check(value)  # type: ignore[misc]
    ),
)
PATH = Scalar(
    (str,),
    "a URL path, exact or ending with '/*'",
    _complain_of_path,
    {"type": "string", "pattern": "^/[^*?#\\s]*\\*?$"},
)
ROUTE_PATH = Scalar(
    (str,),
    "a URL path prefix without '*'",
    lambda value: "has a '*' (a route's path is a prefix already)" if "*" in value else _complain_of_path(value),
    {"type": "string", "pattern": "^/[^*?#\\s]*$"},
)
CIDR = Scalar(
    (str,), "a network in CIDR notation", _complain_of_cidr, {"type": "string", "pattern": "^[0-9a-fA-F:.]+/[0-9]+$"}
)
HOST = Scalar(
    (str,),
    "a host name",
    lambda value: "has a wildcard, which is not allowed here" if "*" in value else _complain_of_host(value),
    {"type": "string", "format": "hostname", "pattern": "^[a-z0-9.-]+$"},
)
EGRESS_HOST = Scalar(
    (str,),
    "a host name, or a wildcard such as *.example.com",
    lambda value: (
        "opens every host of the internet (name the hosts)" if value in ("*", "*.") else _complain_of_egress_host(value)
    ),
    {"type": "string", "pattern": "^(\\*\\.)?[a-z0-9.-]+$"},
)
LABEL_KEY = text(
    "a Kubernetes label key",
    r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?",
    most=317,
)
LABEL_VALUE = text(
    "a Kubernetes label value (1 to 63 characters)", r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?", most=63
)
DURATION = text("a duration such as 500ms, 10s, 5m or 1h", r"[1-9][0-9]*(ms|s|m|h)")
FLAG = Scalar((bool,), "true or false", None, {"type": "boolean"})
HEADER_NAME = text("an HTTP header name (RFC 9110 section 5.1)", r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", most=128)
HEADER_VALUE = text("an HTTP header value without line breaks", r"[\x20-\x7e]+", most=4096)
ORIGIN = text(
    "an origin such as https://example.com (scheme, host and port only; RFC 6454)", r"https?://[a-z0-9.-]+(:[0-9]+)?"
)
GROUP_ID = text("an id of an AWS security group", r"sg-[0-9a-f]{8,17}")


def _complain_of_egress_host(value: str) -> Optional[str]:
    if value.startswith("*.") and value.count(".") < 2:
        return "opens a whole top-level domain (name the hosts, or at least *.<domain>.<suffix>)"
    if "*" in value[2:] or (value.startswith("*") and not value.startswith("*.")):
        return "has a '*' that is not a whole first label"
    names = value[1:] if value.startswith("*") else f".{value}"
    if any(f".{host}".endswith(names) for host in METADATA_HOSTS):
        return "is a cloud metadata service, which hands out credentials"
    if value.endswith(".cluster.local"):
        return "is a name inside the cluster; declare the service there and call it"
    return _complain_of_host(value)


INTERNET = ("0.0.0.0/0", "::/0")

METADATA = ("169.254.0.0/16", "fd00:ec2::/32", "100.100.100.200/32")
"""Where clouds hand out credentials: link-local (RFC 3927), AWS by IPv6, Alibaba Cloud."""
"""Every address."""

METADATA_HOSTS = ("metadata.google.internal", "metadata.goog", "instance-data.ec2.internal")
