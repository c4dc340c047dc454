# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schemas of Kubernetes' own kinds and of Istio's, from packages of PyPI; nothing of them is copied here.

``kubernetes-validate`` brings Kubernetes' OpenAPI schemas of many versions, in a strict form. Its own ``validate``
reads and compiles them again for each object; here each is compiled once.

``cloudcoil-models-istio`` brings Istio's CRDs as pydantic models, which pass unknown fields over. So their JSON schema
is taken and made strict. What the models cannot say is not checked: alternatives (``oneOf``) and Istio's own webhook.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Mapping
from functools import cache, partial
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._documents.cached import cached
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError

ISTIO_MODELS = "cloudcoil.models.istio"
ISTIO_PACKAGE = "cloudcoil-models-istio"
_SHAPE = 1
"""Counts the changes of what :func:`strict` makes of a model's schema."""
ISTIO_KINDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "security.istio.io": {"security": ("AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication")},
    "networking.istio.io": {
        "networking": (
            "DestinationRule", "Gateway", "ServiceEntry", "Sidecar", "VirtualService", "WorkloadEntry", "WorkloadGroup",
        )
    },
    "telemetry.istio.io": {"telemetry": ("Telemetry",)},
}  # fmt: skip
ISTIO_VERSIONS = ("v1", "v1beta1", "v1alpha3", "v1alpha1")
"""One schema for all: an Istio kind has the same fields in each of its versions (Istio 1.22, "Upgrade Notes")."""

Schema = dict[str, Any]


class KubernetesSchemas:
    """The schemas of one version of Kubernetes, or of the newest that is known."""

    def __init__(self, version: str = "") -> None:
        self._source = metadata.version("kubernetes-validate")
        texts = cached("kubernetes-versions", self._source, _versions)
        known = {tuple(map(int, text.split(".")[:2])): text for text in texts}
        self.version = known[_closest(known, version)] if version else known[max(known)]
        self.definitions: Schema = self._read("_definitions")
        """What the schemas refer to by its ``$id``."""
        self._groups = {
            known_as["group"]
            for definition in self.definitions["$defs"].values()
            for known_as in definition.get("x-kubernetes-group-version-kind", ())
        }

    def has_group(self, api_version: str) -> bool:
        """Whether an API group is Kubernetes' own, so that its kinds must be known."""
        return api_version.rpartition("/")[0] in self._groups

    def schema(self, api_version: str, kind: str) -> Optional[Schema]:
        """The schema of a kind; None where this version has none of that name."""
        group, _slash, version = api_version.rpartition("/")
        name = "-".join(part for part in (kind.lower(), group.partition(".")[0], version) if part)
        # It becomes the name of a file, and the document may come from anybody.
        found: Optional[Schema] = self._read(name) if re.fullmatch(r"[a-z0-9-]+", name) else None
        return found

    def _read(self, name: str) -> Any:
        # The package's import brings another validator along, which takes longer than all that is done here.
        return cached(
            f"kubernetes-{self.version}-{name}", self._source, partial(_kubernetes_schema, self.version, name)
        )


def _versions() -> list[str]:
    from kubernetes_validate import utils

    return list(utils.all_versions())


def _kubernetes_schema(version: str, name: str) -> Optional[Schema]:
    from kubernetes_validate import utils

    try:
        found: Schema = utils.schema_contents(f"kubernetes-json-schema/v{version}-local-strict/{name}.json", version)
    except FileNotFoundError:
        return None
    return found


def _closest(known: Mapping[tuple[int, ...], str], version: str) -> tuple[int, ...]:
    """The newest version that is not newer than the given one."""
    try:
        major, minor = version.lstrip("v").split(".")[:2]
        wanted = (int(major), int(minor))
    except ValueError:
        raise PlatformError(f"kubernetes_version: {version!r} is not a version such as 1.31", "bad_version") from None
    older = [each for each in known if each <= wanted]
    if not older or wanted > max(known):
        text = " to ".join(".".join(map(str, each)) for each in (min(known), max(known)))
        raise PlatformError(
            f"kubernetes_version: the installed kubernetes-validate has no schemas for {version}, only for {text}",
            "unknown_version",
        )
    return max(older)


def istio_schema(api_version: str, kind: str) -> Optional[Schema]:
    """The strict schema of an Istio resource; None for a kind whose schema is not known."""
    group, _slash, version = api_version.partition("/")
    for module, kinds in ISTIO_KINDS.get(group, {}).items():
        if kind in kinds and version in ISTIO_VERSIONS:
            # Importing the models takes a second, and what comes of it is the same every time.
            source = f"{metadata.version(ISTIO_PACKAGE)} {_SHAPE}"
            schema: Schema = cached(f"istio-{kind}", source, partial(_istio_schema, module, kind))
            return schema
    return None


@cache
def _istio_schema(module: str, kind: str) -> Schema:
    schema = getattr(_models(module), kind).model_json_schema(by_alias=True)
    made = strict(schema, schema["$defs"])
    # The models know one version, and which is meant has been decided; metadata is judged for all kinds alike.
    made["properties"].update({"apiVersion": {"type": "string"}, "metadata": {"type": "object"}})
    found: Schema = made
    return found


@cache
def _models(module: str) -> ModuleType:
    """One file of models. Importing the package would load all of its versions, which takes 2 s."""
    found = importlib.util.find_spec(ISTIO_MODELS)
    folder = next(iter(found.submodule_search_locations or ())) if found else ""
    name = f"{ISTIO_MODELS}.{module}_v1"
    spec = importlib.util.spec_from_file_location(name, Path(folder) / module / "v1.py")
    if spec is None or spec.loader is None:
        raise PlatformError(f"the installed cloudcoil-models-istio has no models of {module} v1", "missing_library")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded  # the models' annotations are resolved there
    spec.loader.exec_module(loaded)
    return loaded


def strict(schema: Any, definitions: Mapping[str, Schema]) -> Any:
    """A model's JSON schema without unknown fields, without null, and with messages in sight.

    The models write alternatives as a union of equal records that differ in what is required, the first of which
    requires nothing: so that one says the same.
    """
    if isinstance(schema, list):
        return [strict(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        key: {name: strict(item, definitions) for name, item in value.items()}
        if key in ("properties", "$defs")
        else strict(value, definitions)
        for key, value in schema.items()
        if key not in ("title", "default", "description")
    }
    options = [option for option in made.pop("anyOf", ()) if option != {"type": "null"}]
    fields = [_fields(option, definitions) for option in options]
    if options and (len(options) == 1 or (fields[0] and all(each == fields[0] for each in fields))):
        made.update(options[0])
    elif options:
        made["anyOf"] = options
    if "properties" in made:
        made.setdefault("additionalProperties", False)
    return made


def _fields(option: Schema, definitions: Mapping[str, Schema]) -> frozenset[str]:
    referred = definitions.get(option.get("$ref", "").rpartition("/")[2], {})
    return frozenset(referred.get("properties", ()))


_META_TYPES = {
    "creationTimestamp": "string",
    "deletionGracePeriodSeconds": "integer",
    "deletionTimestamp": "string",
    "finalizers": "array",
    "generateName": "string",
    "generation": "integer",
    "managedFields": "array",
    "ownerReferences": "array",
    "resourceVersion": "string",
    "selfLink": "string",
    "uid": "string",
}


def _metadata(name: Schema) -> Schema:
    word = "([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)"
    subdomain = "[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*"
    texts = ["object", "null"]
    key = {"pattern": f"^(?:({subdomain}/)?{word})$", "maxLength": 317, "title": "a label or annotation key"}
    label = {
        "type": "string",
        "pattern": f"^{word}?$",
        "maxLength": 63,
        "title": "a label's value (letters, digits, '-', '_', '.')",
    }
    namespace = {
        "type": ["string", "null"],
        "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
        "maxLength": 63,
        "title": "a namespace's name",
    }
    return {
        "type": "object",
        "required": ["metadata"],
        "properties": {
            "metadata": {
                "type": "object",
                "properties": {
                    **{field: {"type": [kind, "null"]} for field, kind in _META_TYPES.items()},
                    "name": name,
                    "namespace": namespace,
                    "labels": {"type": texts, "propertyNames": key, "additionalProperties": label},
                    "annotations": {"type": texts, "propertyNames": key, "additionalProperties": {"type": "string"}},
                },
                "additionalProperties": False,
                "anyOf": [{"required": ["name"]}, {"required": ["generateName"]}],
                "title": "a name",
            }
        },
    }


METADATA = _metadata(
    {
        "type": "string",
        "pattern": "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$",
        "maxLength": 253,
        "title": "a name of lower-case letters, digits, '-' and '.', at most 253",
    }
)
"""What the API server asks of an object's metadata beyond its type (Kubernetes, "Object Names and IDs", "Labels")."""

METADATA_OF_RBAC = _metadata({"type": "string", "pattern": "^[^/%]+$", "title": "a name without '/' and '%'"})
"""Roles and their bindings have freer names, such as system:node."""
