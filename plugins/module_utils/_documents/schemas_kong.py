# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of Kong's declarative configuration: what Kong 3.9 says of its entities, in the nesting of decK's files.

Entities are strict: Kong refuses a field that it does not know. The configuration of the plugins that are rendered here
is strict too; of other plugins only the envelope is known, as each brings a schema of its own.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._documents.schema_words import (
    ANY,
    FLAG,
    OBJECT,
    Schema,
    choice,
    list_of,
    map_of,
    nullable,
    number,
    record,
    text,
    whole,
)

METHOD = text("an HTTP method in upper case", r"[A-Z]+")
HEADER = text("an HTTP header name", r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
TIMEOUT = whole(1, 2147483646)
UUID = text("a UUID", r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
NAME = text("a name of letters, digits, '.', '-', '_' and '~'", r"[\p{L}\p{N}._~-]+")
ROUTE_PATH = text("a path that begins with / (a prefix) or ~/ (a regular expression)", r"~?/.*")
HOST = text("a host name, with one * at either end at most", r"(\*\.)?[A-Za-z0-9_.-]+(\.\*)?(:[0-9]+)?")
SERVER = text("a host name or an address", r"[A-Za-z0-9_.:-]+|\[[0-9a-fA-F:.]+\]|\{vault://[^ ]+\}")
PROTOCOLS = ("grpc", "grpcs", "http", "https", "tcp", "tls", "tls_passthrough", "udp")

COMMON: dict[str, Schema] = {
    "id": UUID,
    "created_at": {"type": "number"},
    "updated_at": {"type": "number"},
    "tags": list_of(text("a tag without ',' and '/'", r"[^,/]+"), unique=True),
    "_comment": text(least=0),
    "_ignore": list_of(ANY),
}


def reference(*keys: str) -> Schema:
    """Another entity: its name, or a mapping of the name or id."""
    return {"type": ["string", "object"], "properties": dict.fromkeys(keys, text()), "additionalProperties": False}


SERVICE_REF, ROUTE_REF, CONSUMER_REF = reference("name", "id"), reference("name", "id"), reference("username", "id")
GROUP_REF, UPSTREAM_REF = reference("name", "id"), reference("name", "id")
CERTIFICATE_REF, KEY_SET_REF = reference("id"), reference("name", "id")


def entity(properties: dict[str, Schema], required: tuple[str, ...] = ()) -> Schema:
    return record({**COMMON, **properties}, required)


_LISTED = record({"body": list_of(text()), "headers": list_of(text()), "querystring": list_of(text())})
_PAIRS = record(
    {
        "body": list_of(text("name:value", r"[^:]+:.*")),
        "headers": list_of(text("name:value", r"[^:]+:.*")),
        "querystring": list_of(text("name:value", r"[^:]+:.*")),
    }
)
_REDIS = record(
    {
        "host": SERVER,
        "port": whole(0, 65535),
        "timeout": whole(0, 2147483646),
        "username": text(),
        "password": text(),
        "database": whole(0, 2**31 - 1),
        "ssl": FLAG,
        "ssl_verify": FLAG,
        "server_name": text(),
    }
)
_LIMITS = ("second", "minute", "hour", "day", "month", "year")

PLUGIN_CONFIGS: dict[str, Schema] = {
    "cors": record(
        {
            "origins": list_of(text()),
            "methods": list_of(
                choice("GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT"), unique=True
            ),
            "headers": list_of(HEADER),
            "exposed_headers": list_of(HEADER),
            "max_age": {"type": "number"},
            "credentials": FLAG,
            "private_network": FLAG,
            "preflight_continue": FLAG,
            "allow_origin_absent": FLAG,
        }
    ),
    "key-auth": record(
        {
            "key_names": list_of(text("a name of letters, digits, '-' and '_'", r"[A-Za-z0-9_-]+"), least=1),
            "hide_credentials": FLAG,
            "anonymous": text(),
            "key_in_header": FLAG,
            "key_in_query": FLAG,
            "key_in_body": FLAG,
            "run_on_preflight": FLAG,
            "realm": text(),
            "identity_realms": list_of(OBJECT),
        }
    ),
    "rate-limiting": {
        **record(
            {
                **dict.fromkeys(_LIMITS, number(0)),
                "limit_by": choice("consumer", "credential", "ip", "service", "header", "path", "consumer-group"),
                "header_name": HEADER,
                "path": text("a path", r"/.*"),
                "policy": choice("local", "cluster", "redis"),
                "fault_tolerant": FLAG,
                "redis": _REDIS,
                "hide_client_headers": FLAG,
                "error_code": {"type": "number"},
                "error_message": text(),
                "sync_rate": {"type": "number"},
                # What the first versions called the keys of redis.
                **{
                    f"redis_{key}": {"type": ["string", "integer", "boolean"]}
                    for key in (
                        "host",
                        "port",
                        "password",
                        "username",
                        "ssl",
                        "ssl_verify",
                        "server_name",
                        "timeout",
                        "database",
                    )
                },
            }
        ),
        "anyOf": [{"required": [limit]} for limit in _LIMITS],
        "title": "a limit: one of " + ", ".join(_LIMITS),
    },
    "request-transformer": record(
        {
            "http_method": METHOD,
            "remove": _LISTED,
            "rename": _PAIRS,
            "replace": {**_PAIRS, "properties": {**_PAIRS["properties"], "uri": {"type": ["string", "null"]}}},
            "add": _PAIRS,
            "append": _PAIRS,
        }
    ),
    "request-termination": record(
        {
            "status_code": whole(100, 599),
            "message": text(),
            "content_type": text(),
            "body": text(),
            "echo": FLAG,
            "trigger": HEADER,
        }
    ),
}

PLUGIN: Schema = {
    **entity(
        {
            "name": text(),
            "instance_name": NAME,
            "enabled": FLAG,
            "protocols": list_of(choice(*PROTOCOLS, "ws", "wss"), least=1, unique=True),
            "config": OBJECT,
            "_config": text(),
            "service": SERVICE_REF,
            "route": ROUTE_REF,
            "consumer": CONSUMER_REF,
            "consumer_group": GROUP_REF,
            "ordering": OBJECT,
            "partials": list_of(OBJECT),
        },
        ("name",),
    ),
    "allOf": [
        {
            "if": {"properties": {"name": {"const": name}}, "required": ["name"]},
            "then": {"properties": {"config": nullable(config)}},
        }
        for name, config in PLUGIN_CONFIGS.items()
    ],
}
PLUGINS = list_of(PLUGIN)

_ADDRESSES = list_of(
    record({"ip": text("an address or network", r"[0-9a-fA-F:.]+(/[0-9]{1,3})?"), "port": whole(0, 65535)})
)
ROUTE: Schema = {
    **entity(
        {
            "name": NAME,
            "protocols": list_of(choice(*PROTOCOLS, "ws", "wss"), least=1, unique=True),
            "methods": list_of(METHOD, unique=True),
            "hosts": list_of(HOST),
            "paths": list_of(ROUTE_PATH),
            "headers": map_of(list_of(text())),
            "snis": list_of(HOST),
            "sources": _ADDRESSES,
            "destinations": _ADDRESSES,
            "https_redirect_status_code": choice(426, 301, 302, 307, 308),
            "regex_priority": {"type": "integer"},
            "strip_path": FLAG,
            "path_handling": choice("v0", "v1"),
            "preserve_host": FLAG,
            "request_buffering": FLAG,
            "response_buffering": FLAG,
            "expression": text(),
            "priority": {"type": "integer"},
            "service": SERVICE_REF,
            "plugins": PLUGINS,
        }
    ),
    "allOf": [
        {
            "title": "something to match: methods, hosts, headers, paths, snis, sources, destinations or expression",
            "anyOf": [
                {"required": [key], "properties": {key: {"minItems": 1, "minProperties": 1, "type": kind}}}
                for key, kind in (
                    *((key, "array") for key in ("methods", "hosts", "paths", "snis", "sources", "destinations")),
                    ("headers", "object"),
                    ("expression", "string"),
                )
            ],
        },
        {
            "if": {"properties": {"protocols": {"contains": {"enum": ["grpc", "grpcs"]}}}, "required": ["protocols"]},
            "then": {
                "properties": {
                    "methods": {"type": "null", "title": "empty, as it has to be in a gRPC route"},
                    "strip_path": {"enum": [False, None], "title": "false, as it has to be in a gRPC route"},
                }
            },
        },
    ],
}

SERVICE: Schema = {
    **entity(
        {
            "name": NAME,
            "url": text("a URL", r"[a-z_]+://[^ ]+"),
            "protocol": choice(*PROTOCOLS, "ws", "wss"),
            "host": SERVER,
            "port": whole(0, 65535),
            "path": text("a path without //", r"/([^/]+/)*[^/]*"),
            "retries": whole(0, 32767),
            "connect_timeout": TIMEOUT,
            "write_timeout": TIMEOUT,
            "read_timeout": TIMEOUT,
            "client_certificate": CERTIFICATE_REF,
            "tls_verify": FLAG,
            "tls_verify_depth": whole(0, 64),
            "tls_sans": OBJECT,
            "ca_certificates": list_of(UUID),
            "enabled": FLAG,
            "routes": list_of(ROUTE),
            "plugins": PLUGINS,
        }
    ),
    "anyOf": [{"required": ["host"]}, {"required": ["url"]}],
    "title": "a host or a url",
}

CREDENTIALS: dict[str, Schema] = {
    "keyauth_credentials": entity({"key": text(), "ttl": whole(0, 100000000), "consumer": CONSUMER_REF}),
    "basicauth_credentials": entity(
        {"username": text(), "password": text(), "skip_hash": FLAG, "consumer": CONSUMER_REF}, ("username",)
    ),
    "jwt_secrets": entity(
        {
            "key": text(),
            "secret": text(),
            "rsa_public_key": text(),
            "algorithm": text("a JWT algorithm", r"(HS|RS|ES|PS)(256|384|512)|EdDSA"),
            "consumer": CONSUMER_REF,
        }
    ),
    "acls": entity({"group": text(), "consumer": CONSUMER_REF}, ("group",)),
    "hmacauth_credentials": entity({"username": text(), "secret": text(), "consumer": CONSUMER_REF}, ("username",)),
    "oauth2_credentials": entity(
        {
            "name": text(),
            "client_id": text(),
            "client_secret": text(),
            "hash_secret": FLAG,
            "redirect_uris": list_of(text()),
            "client_type": choice("confidential", "public"),
            "consumer": CONSUMER_REF,
        },
        ("name",),
    ),
    "mtls_auth_credentials": entity(
        {"subject_name": text(), "ca_certificate": CERTIFICATE_REF, "consumer": CONSUMER_REF}
    ),
}

CONSUMER: Schema = {
    **entity(
        {
            "username": text(),
            "custom_id": text(),
            "groups": list_of({"anyOf": [text(), record({"name": text(), "id": UUID})]}),
            "plugins": PLUGINS,
            **{name: list_of(schema) for name, schema in CREDENTIALS.items()},
        }
    ),
    "anyOf": [{"required": ["username"]}, {"required": ["custom_id"]}, {"required": ["id"]}],
    "title": "a username or a custom_id",
}

TARGET = entity(
    {"target": text("host:port", r"[^ /]+"), "weight": whole(0, 65535), "upstream": UPSTREAM_REF}, ("target",)
)
_STATUSES = list_of(whole(100, 999))
_HEALTHY = {"http_statuses": _STATUSES, "successes": whole(0, 255)}
_UNHEALTHY = {
    "http_statuses": _STATUSES,
    "http_failures": whole(0, 255),
    "tcp_failures": whole(0, 255),
    "timeouts": whole(0, 255),
}
_INTERVAL: dict[str, Schema] = {"interval": {"type": "number", "minimum": 0, "maximum": 65535}}
_HASH = choice("none", "consumer", "ip", "header", "cookie", "path", "query_arg", "uri_capture")
UPSTREAM = entity(
    {
        "name": text("a host name", r"[A-Za-z0-9_.:-]+"),
        "algorithm": choice("round-robin", "consistent-hashing", "least-connections", "latency", "sticky-sessions"),
        "hash_on": _HASH,
        "hash_fallback": _HASH,
        **{
            key: text()
            for key in (
                "hash_on_header", "hash_fallback_header", "hash_on_cookie", "hash_on_cookie_path", "hash_on_query_arg",
                "hash_fallback_query_arg", "hash_on_uri_capture", "hash_fallback_uri_capture", "host_header",
                "sticky_sessions_cookie", "sticky_sessions_cookie_path",
            )
        },
        "slots": whole(10, 65536),
        "use_srv_name": FLAG,
        "client_certificate": CERTIFICATE_REF,
        "healthchecks": record(
            {
                "threshold": {"type": "number", "minimum": 0, "maximum": 100},
                "active": record(
                    {
                        "type": choice("tcp", "http", "https", "grpc", "grpcs"),
                        "timeout": {"type": "number", "minimum": 0, "maximum": 65535},
                        "concurrency": whole(1, 2147483648),
                        "http_path": text("a path", r"/.*"),
                        "https_sni": HOST,
                        "https_verify_certificate": FLAG,
                        "headers": map_of(list_of(text())),
                        "healthy": record({**_HEALTHY, **_INTERVAL}),
                        "unhealthy": record({**_UNHEALTHY, **_INTERVAL}),
                    }
                ),
                "passive": record(
                    {
                        "type": choice("tcp", "http", "https", "grpc", "grpcs"),
                        "healthy": record(_HEALTHY),
                        "unhealthy": record(_UNHEALTHY),
                    }
                ),
            }
        ),
        "targets": list_of(TARGET),
    },
    ("name",),
)  # fmt: skip

SNI = entity({"name": HOST, "certificate": CERTIFICATE_REF}, ("name",))
KEY = entity(
    {
        "name": text(),
        "kid": text(),
        "jwk": {"type": ["string", "object"]},
        "pem": record({"private_key": text(), "public_key": text()}),
        "set": KEY_SET_REF,
        "x5t": text(),
    },
    ("kid",),
)

TOP_LEVEL: dict[str, Schema] = {
    "services": SERVICE,
    "routes": ROUTE,
    "consumers": CONSUMER,
    "consumer_groups": entity({"name": text(), "plugins": PLUGINS, "consumers": list_of(CONSUMER_REF)}, ("name",)),
    "plugins": PLUGIN,
    "upstreams": UPSTREAM,
    "targets": TARGET,
    "certificates": entity(
        {
            "cert": text(),
            "key": text(),
            "cert_alt": text(),
            "key_alt": text(),
            "snis": list_of({"anyOf": [text(), SNI]}),
        },
        ("cert", "key"),
    ),
    "snis": SNI,
    "ca_certificates": entity({"cert": text(), "cert_digest": text()}, ("cert",)),
    "vaults": entity(
        {
            "name": text(),
            "prefix": text("a prefix", r"[a-z][a-z0-9-]*[a-z0-9]+"),
            "description": text(),
            "config": OBJECT,
        },
        ("name", "prefix"),
    ),
    "keys": KEY,
    "key_sets": entity({"name": text(), "keys": list_of(KEY)}),
    **CREDENTIALS,
}

_PREAMBLE: dict[str, Any] = {
    "_format_version": choice("1.1", "2.1", "3.0"),
    "_transform": FLAG,
    "_comment": text(least=0),
    "_ignore": list_of(ANY),
    "_workspace": text(),
    "_konnect": OBJECT,
    "_plugin_configs": map_of(OBJECT),
    "_info": record(
        {
            "select_tags": COMMON["tags"],
            "defaults": OBJECT,
            "default_lookup_tags": OBJECT,
            "consumer_group_policy_overrides": FLAG,
        }
    ),
}

KONG: Schema = record(
    {**_PREAMBLE, **{name: list_of(schema) for name, schema in TOP_LEVEL.items()}}, ("_format_version",)
)
