# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node, as it describes itself, and the provider that fits it.

client ─▶ node_of: version, edition, database or not ─▶ provider_of: Database or Declarative
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional, Union
from urllib.parse import quote

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.client import Client
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.database import Database
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.declarative import (
    Declarative,
    Unchanged,
    configuration_hash,
    declared_text,
    refuse_to_lose,
    text_hash,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.declared import State
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.inventory import Inventory, Schemas
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.naming import Rows
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.reading import Reader
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.transport import AdminError
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.validation import refuse_bad_routes


@dataclass(frozen=True)
class Node:
    """version: such as 3.9.1. enterprise: whether it is that edition. dbless: whether it has no database.

    configuration: what it says of its settings; it leaves out the secret ones.
    """

    version: str
    enterprise: bool
    dbless: bool
    configuration: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def mode(self) -> str:
        return "dbless" if self.dbless else "database"


def node_of(client: Client, workspace: str = "") -> Node:
    """Ask the node what it is. Raises PlatformError if it is no Kong that is understood, or lacks the workspace."""
    try:
        found = client.get("/", globally=True)
    except AdminError as error:
        if error.status != 403 or not workspace:
            raise
        # A token that is good for one workspace only.
        found = client.get("/kong")
    configuration = found.get("configuration") if isinstance(found, dict) else None
    if not isinstance(configuration, dict) or not found.get("version"):
        raise AdminError(f"{client.where}: this is no Kong Admin API: GET / tells no version", "bad_response")
    version = str(found["version"])
    if not version.split(".", 1)[0].isdigit() or int(version.split(".", 1)[0]) < 3:
        raise PlatformError(f"{client.where}: this is Kong {version}; at least 3.0 is needed", "too_old")
    enterprise = found.get("edition") == "enterprise" or "enterprise" in version
    node = Node(version, enterprise, configuration.get("database") == "off", configuration)
    if workspace and workspace != "default":
        if not enterprise:
            raise PlatformError(
                f"workspace: {workspace!r}: this node is Kong {version} without the Enterprise edition, which has no "
                "workspaces; leave the option out",
                "no_workspaces",
            )
        try:
            client.get(f"/workspaces/{quote(workspace, safe='')}")
        except AdminError as error:
            if error.status != 404:
                raise
            raise PlatformError(
                f"workspace: there is no {workspace!r} on {client.where}; make it first", "no_workspace"
            ) from error
    return node


def provider_of(
    client: Client, node: Node, state: State, prunes: bool, rows: Optional[Rows] = None
) -> Union[Database, Declarative, Unchanged]:
    """Read what is there. Raises PlatformError if the node would not take what is declared, as far as it can be asked.

    prunes: whether what is no longer declared is going to be deleted. rows: what has been read already.
    """
    reader = Reader(client, state.entities, state.tags, prunes, rows)
    schemas = Schemas(client)
    if not node.dbless:
        inventory = Inventory(state.entities, state.tags, reader.first(), schemas)
        refuse_bad_routes(client, inventory)
        return Database(client, reader, inventory)
    now = configuration_hash(client)
    if now and now == text_hash(declared_text(state.entities, state.tags)):
        return Unchanged(Inventory(state.entities, state.tags, {}, schemas, ask=False).desired())
    refuse_to_lose(client)
    inventory = Inventory(state.entities, state.tags, reader.all(), schemas, whole=True)
    refuse_bad_routes(client, inventory)
    return Declarative(client, reader, inventory, now)
