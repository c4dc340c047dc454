# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of entity of a Kong node: where they stand in a state file and in the Admin API, and what names them.

A table; everything that treats kinds alike reads it. Source: Kong 3.9's `kong/db/schema/entities` and the Admin API
(`GET /schemas/{plural}`), which this repeats only where it must be known before a node is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Path

#: A consumer in a consumer group.
MEMBER = "consumer_group_consumer"


@dataclass(frozen=True)
class Kind:
    """One kind.

    name: as plans show it.
    plural: its list in a state file, its schema, and its name under `/tags`.
    path: its collection in the Admin API. Targets have none of their own: they are below their upstream.
    below: its collection below a consumer, where a credential is written.
    tagged: whether it has tags, and an id. What has not is whose the first thing is that it refers to.
    enterprise: whether only nodes of the Enterprise edition have it.
    label: the field that names it, if there is one.
    unique: fields of which no two entities have the same value.
    refs: (field, kind) of what it refers to. What is in `nested_in` may hold it in a state file.
    level: what is made before what; recorded as safe, and needed as a plugin is refused where no route fits it.
    auto: fields that the node makes up if they are left out, and that therefore stay as they are.
    optional: unique fields that may be null.
    """

    name: str
    plural: str
    path: str
    label: str = "name"
    unique: tuple[str, ...] = ()
    refs: Mapping[str, str] = field(default_factory=dict)
    nested_in: tuple[str, ...] = ()
    level: int = 1
    secrets: tuple[Path, ...] = ()
    auto: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    below: str = ""
    tagged: bool = True
    enterprise: bool = False


def _credential(name: str, plural: str, path: str, label: str, secret: str = "", auto: tuple[str, ...] = ()) -> Kind:
    unique = () if label == "group" else (label,)
    secrets = ((secret,),) if secret else ()
    below = "acls" if name == "acl" else name
    return Kind(name, plural, path, label, unique, {"consumer": "consumer"}, ("consumer",), 2, secrets, auto, (), below)


_ALL = (
    Kind("certificate", "certificates", "certificates", "", secrets=(("key",), ("key_alt",))),
    Kind("ca_certificate", "ca_certificates", "ca_certificates", ""),
    Kind(
        "consumer",
        "consumers",
        "consumers",
        "username",
        ("username", "custom_id"),
        optional=("username", "custom_id"),
    ),
    Kind("consumer_group", "consumer_groups", "consumer_groups", "name", ("name",), enterprise=True),
    Kind("vault", "vaults", "vaults", "prefix", ("prefix",)),
    Kind("key_set", "key_sets", "key-sets", "name", ("name",), optional=("name",)),
    Kind("sni", "snis", "snis", "name", ("name",), {"certificate": "certificate"}, ("certificate",), 2),
    Kind(
        "service",
        "services",
        "services",
        "name",
        ("name",),
        {"client_certificate": "certificate"},
        level=2,
        optional=("name",),
    ),
    Kind("upstream", "upstreams", "upstreams", "name", ("name",), {"client_certificate": "certificate"}, level=2),
    Kind(
        "key",
        "keys",
        "keys",
        "name",
        ("name",),
        {"set": "key_set"},
        ("key_set",),
        2,
        (("jwk",), ("pem", "private_key")),
        optional=("name",),
    ),
    _credential("key-auth", "keyauth_credentials", "key-auths", "key", "key"),
    _credential("basic-auth", "basicauth_credentials", "basic-auths", "username", "password"),
    _credential("jwt", "jwt_secrets", "jwts", "key", "secret", ("secret",)),
    _credential("hmac-auth", "hmacauth_credentials", "hmac-auths", "username", "secret", ("secret",)),
    _credential("oauth2", "oauth2_credentials", "oauth2", "client_id", "client_secret", ("client_secret",)),
    _credential("acl", "acls", "acls", "group"),
    Kind(
        MEMBER,
        "consumer_group_consumers",
        "",
        "",
        refs={"consumer_group": "consumer_group", "consumer": "consumer"},
        level=2,
        tagged=False,
        enterprise=True,
    ),
    Kind("route", "routes", "routes", "name", ("name",), {"service": "service"}, ("service",), 3, optional=("name",)),
    Kind("target", "targets", "", "target", (), {"upstream": "upstream"}, ("upstream",), 3),
    Kind(
        "plugin",
        "plugins",
        "plugins",
        "",
        ("instance_name",),
        {"service": "service", "route": "route", "consumer": "consumer", "consumer_group": "consumer_group"},
        ("service", "route", "consumer", "consumer_group"),
        4,
        optional=("instance_name",),
    ),
)

#: By name; what is referred to before what refers to it.
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _ALL}
PLURALS: Mapping[str, Kind] = {kind.plural: kind for kind in _ALL}
#: By kind: the lists that an entity of it may hold in a state file.
NESTED: Mapping[str, Mapping[str, Kind]] = {
    name: {kind.plural: kind for kind in _ALL if name in kind.nested_in} for name in KINDS
}
#: By kind: the kinds that refer to it, and of which something would be lost with it.
REFERRERS: Mapping[str, tuple[str, ...]] = {
    name: tuple(kind.name for kind in _ALL if name in kind.refs.values() and kind.tagged) for name in KINDS
}
#: By kind: the list of the others in a membership, as a state file has it on either side; and what these are.
MEMBERS: Mapping[str, tuple[str, str]] = {
    "consumer_group": ("consumers", "consumer"),
    "consumer": ("groups", "consumer_group"),
}
#: What the node keeps of an entity for itself.
KEPT_BY_NODE = frozenset(("id", "created_at", "updated_at", "cert_digest", "ws_id"))

#: Parts of decK's and Kong's formats that are known, and not done here.
UNSUPPORTED: Mapping[str, str] = {
    "consumer_group_plugins": "plugins of consumer groups in the form of Kong before 3.4",
    "mtls_auth_credentials": "mtls-auth credentials, which are Enterprise",
    "rbac_roles": "RBAC roles",
    "rbac_endpoint_permissions": "RBAC roles",
    "filter_chains": "WebAssembly filter chains",
    "licenses": "licences",
    "partials": "partials, which are Enterprise",
    "degraphql_routes": "DeGraphQL routes, which are Enterprise",
    "graphql_ratelimiting_cost_decorations": "GraphQL rate limiting, which is Enterprise",
    "custom_entities": "custom entities",
    "service_packages": "Konnect's service packages",
    "control_planes": "Konnect",
    "_konnect": "Konnect",
}
