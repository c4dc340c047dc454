# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The entities of a node: services, routes, consumers and what belongs to them, in the notation of `notation.py`.

Source: the defaults in `recorded/kong-3.9.1.jsonl`, its `GET /schemas/services`, and the Admin API reference of Kong
Gateway 3.9. Units: milliseconds for a service's timeouts, seconds elsewhere.
"""

from __future__ import annotations

from typing import Optional
from urllib.parse import urlsplit

from tests.contract.kong import values
from tests.contract.kong.notation import (
    Entity,
    Field,
    Record,
    Rule,
    at_least_one,
    boolean,
    empty_when,
    generated,
    integer,
    link,
    listing,
    mapping,
    needed_when,
    number,
    one_of,
    random_string,
    record,
    rule,
    secret,
    set_of,
    text,
)

ID = Field("string", {"uuid": True}, (lambda v: None if values.is_uuid(v) else "expected a valid UUID",), auto=True)
TIME = Field("integer", {"timestamp": True}, auto=True)
PRECISE_TIME = Field("number", {"timestamp": True}, auto=True)
TAGS = set_of(text(values.tag, required=True))
UUIDS = listing(Field("string", {"uuid": True}, ID.checks))
NAME = text(values.name, unique=True)
SNI_NAMES = set_of(text(values.host_name))
PATH = text(
    values.path,
    facts={"starts_with": "/", "match_none": [{"err": "must not have empty segments", "pattern": "//"}]},
)
PROTOCOLS = ("grpc", "grpcs", "http", "https", "tcp", "tls", "tls_passthrough", "udp")


def _entity(*rules: Rule, updated: bool = True, time: Field = TIME, **fields: Field) -> Record:
    """Fields that every entity has, and these; `updated`: it tells when it was changed last."""
    stamps = {"id": ID, "created_at": time, **({"updated_at": time} if updated else {})}
    return Record({**stamps, **fields, **({} if "tags" in fields else {"tags": TAGS})}, *rules)


# -- services and routes ----------------------------------------------------------------------------------------------


def _split_url(url: str) -> Entity:
    parsed = urlsplit(url)
    port = parsed.port or {"http": 80, "https": 443}.get(parsed.scheme, 80)
    return {"protocol": parsed.scheme, "host": parsed.hostname, "port": port, "path": parsed.path or None}


def _milliseconds() -> Field:
    return integer(1, 2147483646, default=60000)


_NO_TLS = {"not_one_of": ("https", "tls")}

SERVICES = _entity(
    empty_when("path", "protocol", one_of=("tcp", "tls", "udp", "grpc", "grpcs")),
    *(empty_when(f, "protocol", **_NO_TLS) for f in ("client_certificate", "tls_verify", "tls_verify_depth")),
    empty_when("ca_certificates", "protocol", **_NO_TLS),
    name=NAME,
    retries=integer(0, 32767, default=5),
    protocol=one_of(*PROTOCOLS, default="http", required=True),
    host=text(values.host, required=True),
    port=integer(0, 65535, default=80, required=True),
    path=PATH,
    connect_timeout=_milliseconds(),
    write_timeout=_milliseconds(),
    read_timeout=_milliseconds(),
    tags=TAGS,
    client_certificate=link("certificates"),
    tls_verify=boolean(),
    tls_verify_depth=integer(0, 64, default=None),
    ca_certificates=UUIDS,
    enabled=boolean(True),
)
SERVICES.split["url"] = _split_url

# What a route of a protocol can go by, the protocols that know most first: one of several is enough for the route.
_MATCHED = {
    "https": ("methods", "hosts", "headers", "paths", "snis"),
    "http": ("methods", "hosts", "headers", "paths"),
    "grpcs": ("hosts", "headers", "paths", "snis"),
    "grpc": ("hosts", "headers", "paths"),
    "tls": ("sources", "destinations", "snis"),
    "tcp": ("sources", "destinations"),
    "udp": ("sources", "destinations"),
    "tls_passthrough": ("snis",),
}


def _goes_by_something(route: Entity) -> Optional[str]:
    protocol = next((name for name in _MATCHED if name in (route.get("protocols") or ())), "https")
    if any(route.get(name) for name in _MATCHED[protocol]):
        return None
    names = ", ".join(f"'{name}'" for name in _MATCHED[protocol])
    return f"must set one of {names} when 'protocols' is '{protocol}'"


def _ends() -> Field:
    return set_of(record({"ip": text(values.network), "port": integer(0, 65535)}))


ROUTES = _entity(
    rule(_goes_by_something),
    name=NAME,
    protocols=set_of(one_of(*PROTOCOLS), default=["http", "https"], required=True),
    methods=set_of(text(lambda v: None if v.isupper() else f"invalid value: {v}")),
    hosts=listing(text(values.route_host)),
    paths=listing(text(values.route_path)),
    headers=mapping(text(values.header), listing(text())),
    https_redirect_status_code=one_of(426, 301, 302, 307, 308, type="integer", default=426, required=True),
    regex_priority=integer(default=0),
    strip_path=boolean(True),
    path_handling=one_of("v0", "v1", default="v0"),
    preserve_host=boolean(False),
    request_buffering=boolean(True),
    response_buffering=boolean(True),
    snis=set_of(text(values.host_name)),
    sources=_ends(),
    destinations=_ends(),
    service=link("services"),
)

# `config` and the rest of it: `plugin_configs.py`.
PLUGINS = _entity(
    name=text(required=True),
    instance_name=text(values.name, unique=True),
    route=link("routes", cascade=True),
    service=link("services", cascade=True),
    consumer=link("consumers", cascade=True),
    protocols=set_of(one_of(*PROTOCOLS), required=True),
    enabled=boolean(True),
)

# -- consumers and their credentials ----------------------------------------------------------------------------------

CONSUMERS = _entity(
    at_least_one("custom_id", "username"), username=text(values.name, unique=True), custom_id=text(unique=True)
)

_CONSUMER = link("consumers", cascade=True, required=True)

# Of the Enterprise edition: from its documentation, not recorded.
CONSUMER_GROUPS = _entity(name=text(values.name, unique=True, required=True))
CONSUMER_GROUP_CONSUMERS = _entity(
    updated=False, consumer_group=link("consumer_groups", cascade=True, required=True), consumer=_CONSUMER
)
GROUP_OF_A_PLUGIN = {"consumer_group": link("consumer_groups", cascade=True)}

KEY_AUTH = _entity(updated=False, consumer=_CONSUMER, key=generated())
BASIC_AUTH = _entity(
    updated=False, consumer=_CONSUMER, username=text(unique=True, required=True), password=text(required=True)
)
_SIGNED = tuple(f"{family}{bits}" for family in ("RS", "ES", "PS") for bits in (256, 384, 512))
JWT = _entity(
    needed_when("rsa_public_key", "algorithm", one_of=_SIGNED),
    updated=False,
    consumer=_CONSUMER,
    key=generated(),
    secret=text(auto=True, make=random_string),
    rsa_public_key=text(values.public_key),
    algorithm=one_of("HS256", "HS384", "HS512", *_SIGNED, "EdDSA", default="HS256"),
)
ACLS = _entity(updated=False, consumer=_CONSUMER, group=text(required=True))
HMAC_AUTH = _entity(
    updated=False,
    consumer=_CONSUMER,
    username=text(unique=True, required=True),
    secret=text(auto=True, make=random_string),
)
OAUTH2 = _entity(
    updated=False,
    consumer=_CONSUMER,
    name=text(required=True),
    client_id=generated(),
    client_secret=text(auto=True, make=random_string),
    hash_secret=boolean(False),
    redirect_uris=listing(text(values.url)),
    client_type=one_of("confidential", "public", default="confidential", required=True),
)

# -- upstreams --------------------------------------------------------------------------------------------------------

_HASHED = ("none", "consumer", "ip", "header", "cookie", "path", "query_arg", "uri_capture")


def _count() -> Field:
    return integer(0, 255, default=0)


def _statuses(*codes: int) -> Field:
    return set_of(integer(100, 999), default=list(codes))


def _seconds() -> Field:
    return number(0, 65535, default=0)


_CHECKED = ("tcp", "http", "https", "grpc", "grpcs")
_HEALTHCHECKS = {
    "active": record(
        {
            "type": one_of(*_CHECKED, default="http"),
            "timeout": number(0, 65535, default=1),
            "concurrency": integer(1, 2147483648, default=10),
            "http_path": text(values.path, default="/"),
            "https_sni": text(values.host_name),
            "https_verify_certificate": boolean(True),
            "headers": mapping(text(values.header), listing(text())),
            "healthy": record({"interval": _seconds(), "successes": _count(), "http_statuses": _statuses(200, 302)}),
            "unhealthy": record(
                {
                    "interval": _seconds(),
                    "http_failures": _count(),
                    "tcp_failures": _count(),
                    "timeouts": _count(),
                    "http_statuses": _statuses(429, 404, 500, 501, 502, 503, 504, 505),
                }
            ),
        }
    ),
    "passive": record(
        {
            "type": one_of(*_CHECKED, default="http"),
            "healthy": record(
                {"successes": _count(), "http_statuses": _statuses(*range(200, 209), 226, *range(300, 309))}
            ),
            "unhealthy": record(
                {
                    "http_failures": _count(),
                    "tcp_failures": _count(),
                    "timeouts": _count(),
                    "http_statuses": _statuses(429, 500, 503),
                }
            ),
        }
    ),
    "threshold": number(0, 100, default=0),
}

UPSTREAMS = _entity(
    needed_when("hash_on_header", "hash_on", one_of=("header",)),
    needed_when("hash_fallback_header", "hash_fallback", one_of=("header",)),
    name=text(values.host_name, unique=True, required=True),
    algorithm=one_of("round-robin", "consistent-hashing", "least-connections", "latency", default="round-robin"),
    hash_on=one_of(*_HASHED, default="none"),
    hash_fallback=one_of(*_HASHED, default="none"),
    hash_on_header=text(values.header),
    hash_fallback_header=text(values.header),
    hash_on_cookie=text(),
    hash_on_cookie_path=text(values.path, default="/"),
    hash_on_query_arg=text(),
    hash_fallback_query_arg=text(),
    hash_on_uri_capture=text(),
    hash_fallback_uri_capture=text(),
    slots=integer(10, 65536, default=10000),
    healthchecks=record(_HEALTHCHECKS),
    host_header=text(values.host),
    client_certificate=link("certificates"),
    use_srv_name=boolean(False),
)
TARGETS = _entity(
    time=PRECISE_TIME,
    upstream=link("upstreams", cascade=True, required=True),
    target=text(values.target, required=True),
    weight=integer(0, 65535, default=100),
)

# -- certificates, keys, vaults ---------------------------------------------------------------------------------------


def _key_fits(certificate: Entity) -> Optional[str]:
    return None if values.key_fits(certificate["cert"], certificate["key"]) else "certificate does not match key"


def _is_authority(certificate: Entity) -> Optional[str]:
    return None if values.is_authority(certificate["cert"]) else "this is not the certificate of an authority"


CERTIFICATES = _entity(
    rule(_key_fits),
    cert=secret(values.certificate, required=True),
    key=secret(values.private_key, required=True),
    cert_alt=secret(values.certificate),
    key_alt=secret(values.private_key),
)
SNIS = _entity(
    name=text(values.host_pattern, unique=True, required=True),
    certificate=link("certificates", cascade=True, required=True),
)
CA_CERTIFICATES = _entity(
    rule(_is_authority), cert=text(values.certificate, required=True), cert_digest=text(unique=True)
)
KEY_SETS = _entity(name=text(unique=True))
KEYS = _entity(
    at_least_one("jwk", "pem"),
    set=link("key_sets", cascade=True),
    name=text(unique=True),
    kid=text(required=True),
    jwk=secret(),
    pem=record({"private_key": secret(values.private_key), "public_key": secret(values.public_key)}, required=None),
)

VAULTS = _entity(
    prefix=text(unique=True, required=True), name=text(required=True), description=text(), config=Field("record")
).with_forms(
    "name",
    {"env": Record({"config": record({"prefix": text()})})},
    "vault '%s' is not known to this node",
)
