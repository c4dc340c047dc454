# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the plugins of a node take as `config`, in the notation of `notation.py`.

Only these plugins are enabled on the stand-in. Source: the defaults in `recorded/kong-3.9.1.jsonl`, its
`GET /schemas/plugins/key-auth`, and the plugins' configuration references for Kong Gateway 3.9.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from tests.contract.kong import values
from tests.contract.kong.entities import PATH, PLUGINS
from tests.contract.kong.notation import (
    Field,
    Record,
    Rule,
    at_least_one,
    boolean,
    exactly_one,
    integer,
    link,
    listing,
    mapping,
    needed_when,
    not_both,
    number,
    one_of,
    random_string,
    record,
    rule,
    secret,
    set_of,
    text,
)

_HTTP = ("grpc", "grpcs", "http", "https")
_ALL = (*_HTTP, "tcp", "tls", "tls_passthrough", "udp")
_METHODS = ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT"]


def _plugin(
    config: Mapping[str, Field],
    *rules: Rule,
    consumer: bool = True,
    protocols: tuple[str, ...] = _HTTP,
    default: tuple[str, ...] = _HTTP,
    renamed: Optional[Mapping[str, str]] = None,
) -> Record:
    """Rules name fields as `config.x`; `consumer`: whether it may be put on one; `default`: of its protocols."""
    taken = set_of(one_of(*protocols, required=True), default=list(default), required=True)
    inside = Field("record", record=Record(config, renamed=renamed), required=True)
    alone = {} if consumer else {"consumer": link("consumers", empty=True)}
    return Record({**alone, "protocols": taken, "config": inside}, *rules)


def _names(*default: str, **more: Any) -> Field:
    return listing(text(), default=list(default), **more)


# -- who may call -----------------------------------------------------------------------------------------------------

_KEY_AUTH = _plugin(
    {
        "key_names": _names("apikey", required=True),
        "hide_credentials": boolean(False),
        "anonymous": text(),
        "key_in_header": boolean(True),
        "key_in_query": boolean(True),
        "key_in_body": boolean(False),
        "run_on_preflight": boolean(True),
        "realm": text(required=False),
    },
    consumer=False,
)
_BASIC_AUTH = _plugin(
    {
        "anonymous": text(),
        "hide_credentials": boolean(False),
        "realm": text(default="service", required=True),
    },
    consumer=False,
)
_JWT = _plugin(
    {
        "uri_param_names": _names("jwt"),
        "cookie_names": _names(),
        "header_names": _names("authorization"),
        "key_claim_name": text(default="iss"),
        "secret_is_base64": boolean(False),
        "claims_to_verify": set_of(one_of("exp", "nbf")),
        "anonymous": text(),
        "run_on_preflight": boolean(True),
        "maximum_expiration": number(0, 31536000, default=0),
        "realm": text(required=False),
    },
    consumer=False,
)
_HMAC = ["hmac-sha1", "hmac-sha256", "hmac-sha384", "hmac-sha512"]
_HMAC_AUTH = _plugin(
    {
        "hide_credentials": boolean(False),
        "clock_skew": number(0, default=300),
        "anonymous": text(),
        "validate_request_body": boolean(False),
        "enforce_headers": _names(),
        "algorithms": listing(one_of(*_HMAC), default=_HMAC),
        "realm": text(required=False),
    },
    consumer=False,
)
_FLOWS = ("authorization_code", "implicit_grant", "client_credentials", "password_grant")


def _has_a_flow(plugin: dict[str, Any]) -> Optional[str]:
    flows = [f"enable_{flow}" for flow in _FLOWS]
    return None if any(plugin["config"][flow] for flow in flows) else f"one of {', '.join(flows)} must be true"


_OAUTH2 = _plugin(
    {
        "scopes": listing(text()),
        "mandatory_scope": boolean(False),
        "provision_key": text(auto=True, make=random_string, required=True),
        "token_expiration": number(default=7200, required=True),
        **{f"enable_{flow}": boolean(False) for flow in _FLOWS},
        "hide_credentials": boolean(False),
        "accept_http_if_already_terminated": boolean(False),
        "anonymous": text(),
        "global_credentials": boolean(False),
        "auth_header_name": text(default="authorization"),
        "refresh_token_ttl": number(0, 100000000, default=1209600, required=True),
        "reuse_refresh_token": boolean(False),
        "persistent_refresh_token": boolean(False),
        "pkce": one_of("none", "lax", "strict", default="lax"),
        "realm": text(required=False),
    },
    rule(_has_a_flow),
    needed_when("config.scopes", "config.mandatory_scope", one_of=(True,)),
    consumer=False,
)
_ACL = _plugin(
    {
        "allow": listing(text()),
        "deny": listing(text()),
        "hide_groups_header": boolean(False),
        "include_consumer_groups": boolean(False),
        "always_use_authenticated_groups": boolean(False),
    },
    exactly_one("config.allow", "config.deny"),
    consumer=False,
)
_IP_RESTRICTION = _plugin(
    {
        "allow": listing(text(values.network)),
        "deny": listing(text(values.network)),
        "status": number(),
        "message": text(),
    },
    at_least_one("config.allow", "config.deny"),
    protocols=_ALL,
    default=(*_HTTP, "tcp", "tls"),
)

# -- how much ---------------------------------------------------------------------------------------------------------

_PERIODS = ("second", "minute", "hour", "day", "month", "year")
_REDIS = {
    "host": text(values.host),
    "port": integer(0, 65535, default=6379),
    "timeout": integer(0, 2147483646, default=2000),
    "username": secret(),
    "password": secret(),
    "database": integer(default=0),
    "ssl": boolean(False),
    "ssl_verify": boolean(False),
    "server_name": text(values.host_name),
}
_RATE_LIMITING = _plugin(
    {
        **{period: number(0) for period in _PERIODS},
        "limit_by": one_of(
            "consumer", "credential", "ip", "service", "header", "path", "consumer-group", default="consumer"
        ),
        "header_name": text(values.header),
        "path": PATH,
        "policy": one_of("local", "cluster", "redis", default="local"),
        "fault_tolerant": boolean(True),
        "redis": record(_REDIS),
        "hide_client_headers": boolean(False),
        "error_code": number(0, default=429),
        "error_message": text(default="API rate limit exceeded"),
        "sync_rate": number(default=-1, required=True),
    },
    at_least_one(*(f"config.{period}" for period in _PERIODS)),
    needed_when("config.redis.host", "config.policy", one_of=("redis",)),
    needed_when("config.header_name", "config.limit_by", one_of=("header",)),
    needed_when("config.path", "config.limit_by", one_of=("path",)),
    renamed={f"redis_{name}": f"redis.{name}" for name in _REDIS},
)

# -- what is passed on ------------------------------------------------------------------------------------------------

_CORS = _plugin(
    {
        "origins": listing(text()),
        "headers": listing(text()),
        "exposed_headers": listing(text()),
        "methods": listing(one_of(*_METHODS), default=_METHODS),
        "max_age": number(),
        "credentials": boolean(False),
        "private_network": boolean(False),
        "preflight_continue": boolean(False),
    },
    consumer=False,
)


def _changes(*parts: str, **more: Field) -> Field:
    """Lists of what is to be done to the parts of a message."""
    return record({**{part: listing(text(), default=[], required=True) for part in parts}, **more})


_REQUEST = ("headers", "querystring", "body")
_REQUEST_TRANSFORMER = _plugin(
    {
        "http_method": text(lambda v: None if v.isupper() else f"invalid value: {v}"),
        **{change: _changes(*_REQUEST) for change in ("add", "append", "remove", "rename")},
        "replace": _changes(*_REQUEST, uri=text()),
    },
)


def _typed() -> Field:
    types = listing(one_of("boolean", "number", "string"), default=[], required=True)
    return _changes("headers", "json", json_types=types)


_RESPONSE_TRANSFORMER = _plugin(
    {
        **{change: _typed() for change in ("add", "append", "replace")},
        **{change: _changes("headers", "json") for change in ("remove", "rename")},
    },
)
_REQUEST_TERMINATION = _plugin(
    {
        "status_code": integer(100, 599, default=503, required=True),
        "message": text(),
        "content_type": text(),
        "body": text(),
        "echo": boolean(False),
        "trigger": text(values.header),
    },
    not_both("config.message", "config.body"),
    not_both("config.message", "config.content_type"),
)
_CORRELATION_ID = _plugin(
    {
        "header_name": text(values.header, default="Kong-Request-ID"),
        "generator": one_of("uuid", "uuid#counter", "tracker", default="uuid#counter", required=True),
        "echo_downstream": boolean(False),
    },
)

# -- what is told -----------------------------------------------------------------------------------------------------

_METRICS = ("status_code", "latency", "bandwidth", "upstream_health", "ai")
_PROMETHEUS = _plugin(
    {
        "per_consumer": boolean(False),
        **{f"{kind}_metrics": boolean(False) for kind in _METRICS},
    },
    protocols=_ALL,
)
_QUEUE = {
    "max_batch_size": integer(1, 1000000, default=1),
    "max_coalescing_delay": number(0, 3600, default=1),
    "max_entries": integer(1, 1000000, default=10000),
    "max_bytes": integer(),
    "max_retry_time": number(default=60),
    "initial_retry_delay": number(0.001, 1000000, default=0.01),
    "max_retry_delay": number(0.001, 1000000, default=60),
    "concurrency_limit": one_of(-1, 1, type="integer", default=1),
}
_HTTP_LOG = _plugin(
    {
        "http_endpoint": secret(values.url, required=True),
        "method": one_of("POST", "PUT", "PATCH", default="POST"),
        "content_type": one_of("application/json", "application/json; charset=utf-8", default="application/json"),
        "timeout": number(default=10000),
        "keepalive": number(default=60000),
        "retry_count": integer(),
        "queue_size": integer(),
        "flush_timeout": number(),
        "headers": mapping(text(values.header), text()),
        "queue": record(_QUEUE),
        "custom_fields_by_lua": mapping(text(), text()),
    },
    protocols=_ALL,
)

CONFIGS: dict[str, Record] = {
    "acl": _ACL,
    "basic-auth": _BASIC_AUTH,
    "correlation-id": _CORRELATION_ID,
    "cors": _CORS,
    "hmac-auth": _HMAC_AUTH,
    "http-log": _HTTP_LOG,
    "ip-restriction": _IP_RESTRICTION,
    "jwt": _JWT,
    "key-auth": _KEY_AUTH,
    "oauth2": _OAUTH2,
    "prometheus": _PROMETHEUS,
    "rate-limiting": _RATE_LIMITING,
    "request-termination": _REQUEST_TERMINATION,
    "request-transformer": _REQUEST_TRANSFORMER,
    "response-transformer": _RESPONSE_TRANSFORMER,
}


def plugins_with_config(more: Mapping[str, Field]) -> Record:
    """What there is to a plugin: its fields, some more, and the configuration that its name says."""
    return Record({**PLUGINS.fields, **more, "config": Field("record")}).with_forms(
        "name", CONFIGS, "plugin '%s' not enabled; add it to the 'plugins' configuration property"
    )
