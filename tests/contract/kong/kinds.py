# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of entity a node keeps: their record, address, unique values and references."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Optional

from tests.contract.kong import entities
from tests.contract.kong.entities import VAULTS
from tests.contract.kong.notation import Entity, Field, Record
from tests.contract.kong.plugin_configs import CONFIGS, plugins_with_config


@dataclass(frozen=True)
class Kind:
    """One kind of entity. `key` names one in a path; no two have the same values in all of `together`."""

    name: str
    record: Record
    key: Optional[str] = None
    together: tuple[str, ...] = ()
    path: str = ""
    nested_path: str = ""
    top_level: bool = True
    ttl: bool = False

    @functools.cached_property
    def links(self) -> dict[str, Field]:
        return {name: spec for name, spec in self.record.fields.items() if spec.target}

    @functools.cached_property
    def uniques(self) -> list[str]:
        return [name for name, spec in self.record.fields.items() if spec.unique]

    @functools.cached_property
    def has_updated_at(self) -> bool:
        return "updated_at" in self.record.fields

    @functools.cached_property
    def milliseconds(self) -> bool:
        return self.record.fields["created_at"].type == "number"


def _kind(
    name: str,
    record: Record,
    key: Optional[str] = None,
    address: str = "",
    together: tuple[str, ...] = (),
    top_level: bool = True,
    ttl: bool = False,
) -> Kind:
    """`address`: the path of the collection, and the one below a consumer, where they are not the name."""
    path, _space, nested = (address or name).partition(" ")
    return Kind(name, record, key, together, path, nested or path, top_level, ttl)


# What is referred to stands before what refers to it.
_KINDS = (
    _kind("certificates", entities.CERTIFICATES),
    _kind("ca_certificates", entities.CA_CERTIFICATES),
    _kind("consumers", entities.CONSUMERS, "username"),
    _kind("vaults", VAULTS, "prefix"),
    _kind("key_sets", entities.KEY_SETS, "name", "key-sets"),
    _kind("services", entities.SERVICES, "name"),
    _kind("routes", entities.ROUTES, "name"),
    _kind("plugins", plugins_with_config({}), "instance_name", together=("name", "route", "service", "consumer")),
    _kind("upstreams", entities.UPSTREAMS, "name"),
    _kind("targets", entities.TARGETS, "target", together=("upstream", "target"), top_level=False),
    _kind("snis", entities.SNIS, "name"),
    _kind("keys", entities.KEYS, "name", together=("kid", "set")),
    _kind("keyauth_credentials", entities.KEY_AUTH, "key", "key-auths key-auth", ttl=True),
    _kind("basicauth_credentials", entities.BASIC_AUTH, "username", "basic-auths basic-auth"),
    _kind("jwt_secrets", entities.JWT, "key", "jwts jwt"),
    _kind("acls", entities.ACLS, together=("consumer", "group")),
    _kind("hmacauth_credentials", entities.HMAC_AUTH, "username", "hmac-auths hmac-auth"),
    _kind("oauth2_credentials", entities.OAUTH2, "client_id", "oauth2"),
)


@functools.cache
def kinds(enterprise: bool = False) -> dict[str, Kind]:
    if not enterprise:
        return {kind.name: kind for kind in _KINDS}
    found = {
        kind.name: kind
        for kind in (
            _kind("consumer_groups", entities.CONSUMER_GROUPS, "name"),
            *_KINDS,
            _kind(
                "consumer_group_consumers",
                entities.CONSUMER_GROUP_CONSUMERS,
                together=("consumer_group", "consumer"),
                top_level=False,
            ),
        )
    }
    plugins = found["plugins"]
    together = (*plugins.together, "consumer_group")
    record = plugins_with_config(entities.GROUP_OF_A_PLUGIN)
    return {**found, "plugins": replace(plugins, record=record, together=together)}


def described_forms() -> dict[str, dict[str, Entity]]:
    """What `GET /schemas/plugins/{name}` and `GET /schemas/vaults/{name}` answer."""
    env = Record({"config": VAULTS.forms["env"].fields["config"]})
    return {
        "plugins": {name: record.describe() for name, record in CONFIGS.items()},
        "vaults": {"env": env.describe()},
    }
