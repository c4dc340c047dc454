# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guide's accounts on a real API server: made and bound by its administrator, and what they are granted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.live.api_server import ApiServer

FILE = Path(__file__).resolve().parents[2] / "roles" / "istio" / "files" / "rights.yml"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
#: The namespace of the accounts, which keeps the sets of what they make.
HOME = "zerotrust"

Right = tuple[str, str, str]


def documents() -> Sequence[dict[str, Any]]:
    found: Sequence[dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["items"]
    return found


def user(account: str) -> str:
    return f"system:serviceaccount:{HOME}:{account}"


def make_accounts(server: ApiServer) -> None:
    for one in documents():
        group = "/api/v1" if one["apiVersion"] == "v1" else f"/apis/{one['apiVersion']}"
        where = f"/namespaces/{one['metadata']['namespace']}" if "namespace" in one["metadata"] else ""
        server.call("POST", f"{group}{where}/{one['kind'].lower()}s", one)


def bind(server: ApiServer, account: str, role: str, namespace: str) -> None:
    subject = {"kind": "ServiceAccount", "name": account, "namespace": HOME}
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    body = {"metadata": {"name": account}, "roleRef": ref, "subjects": [subject]}
    server.call("POST", f"{RBAC}/namespaces/{namespace}/rolebindings", body)


def take_away(server: ApiServer, role: str, resource: str, verb: str) -> None:
    """A verb of one rule of a ClusterRole."""
    found = server.call("GET", f"{RBAC}/clusterroles/{role}")
    for rule in found["rules"]:
        if resource in rule["resources"]:
            rule["verbs"].remove(verb)
    server.call("PUT", f"{RBAC}/clusterroles/{role}", found)


def give_back(server: ApiServer, role: str) -> None:
    (wanted,) = (one for one in documents() if (one["kind"], one["metadata"]["name"]) == ("ClusterRole", role))
    server.call("PUT", f"{RBAC}/clusterroles/{role}", wanted)


def until(server: ApiServer, account: str, allowed: bool, right: Right, namespace: str) -> None:
    """The server's authorizer hears of a change a moment later."""
    verb, group, resource = right
    attributes = {"verb": verb, "group": group, "resource": resource, "namespace": namespace}
    body = {"spec": {"user": user(account), "resourceAttributes": attributes}}
    end = time.monotonic() + 30
    while (
        server.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body)["status"]["allowed"] != allowed
    ):
        assert time.monotonic() < end, (account, right, namespace)
        time.sleep(0.02)


def granted(*roles: str) -> set[Right]:
    """What roles and cluster roles of these names hold: verb, group and resource."""
    return {
        (verb, group, resource)
        for one in documents()
        if one["kind"] in ("Role", "ClusterRole") and one["metadata"]["name"] in roles
        for rule in one["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
