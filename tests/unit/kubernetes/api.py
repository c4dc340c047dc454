# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An HTTP server with the few manners of a Kubernetes API server on which troubles are played out.

    with api() as server: Client(Access(server.url))
    server.objects["/api/v1/namespaces/shop/configmaps/a"]

It keeps what is applied, all fields of all lists as one, and gives pages, uids and ends with finalizers. What a server
really answers is proved on a real one (tests/live). `server.controllers` are called with the objects before each read,
as those of a cluster come and go between two looks.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Objects = dict[str, dict[str, Any]]

#: Group and version -> kind -> (plural, whether it has a namespace).
KINDS: dict[str, dict[str, tuple[str, bool]]] = {
    "v1": {"Namespace": ("namespaces", False), "ConfigMap": ("configmaps", True), "Secret": ("secrets", True)},
    "apps/v1": {"Deployment": ("deployments", True)},
    "apiextensions.k8s.io/v1": {"CustomResourceDefinition": ("customresourcedefinitions", False)},
    "admissionregistration.k8s.io/v1": {"ValidatingWebhookConfiguration": ("validatingwebhookconfigurations", False)},
    "discovery.k8s.io/v1": {"EndpointSlice": ("endpointslices", True)},
    "example.org/v1": {"Thing": ("things", True)},
}


def status(code: int, message: str, reason: str = "", *causes: dict[str, str]) -> bytes:
    """A Status, as API servers refuse."""
    return json.dumps(
        {
            "kind": "Status",
            "status": "Failure",
            "code": code,
            "message": message,
            "reason": reason,
            "details": {"causes": list(causes)},
        }
    ).encode()


@dataclass
class Api:
    """objects: by their paths. token: who is let in, if it is set. seen: headers of each request."""

    url: str = ""
    objects: Objects = field(default_factory=dict)
    kinds: dict[str, dict[str, tuple[str, bool]]] = field(default_factory=lambda: {**KINDS})
    token: str = ""
    seen: list[dict[str, str]] = field(default_factory=list)
    controllers: list[Callable[[Objects], None]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    uids: int = 0

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        if method == "GET":
            for controller in self.controllers:
                controller(self.objects)
            return self.get(path, query)
        if method == "PATCH":
            return self.apply(path, query, body)
        return self.delete(path, body)

    def get(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        if path in ("/api", "/apis"):
            return 200, self.discovery(path == "/api")
        if path in self.objects:
            return 200, self.objects[path]
        found = self.collection(path)
        if found is None:
            return 404, {"message": f"{path} not found"}
        name, _equals, value = query.get("labelSelector", "").partition("=")
        items = [one for one in found if not name or one["metadata"].get("labels", {}).get(name) == value]
        start, limit = int(query.get("continue") or 0), int(query.get("limit") or 500)
        rest = {"continue": str(start + limit)} if start + limit < len(items) else {}
        return 200, {"kind": "List", "metadata": rest, "items": items[start : start + limit]}

    def collection(self, path: str) -> Any:
        """The objects of one namespace or of all; None if there is no such kind."""
        for api, kinds in self.kinds.items():
            base = f"/apis/{api}" if "/" in api else f"/api/{api}"
            for plural, _namespaced in kinds.values():
                if path.startswith(f"{base}/") and path.endswith(f"/{plural}"):
                    within = path.removesuffix(plural)
                    return [
                        one
                        for key, one in self.objects.items()
                        if key.startswith(within) and key.split("/")[-2] == plural
                    ]
        return None

    def discovery(self, core: bool) -> dict[str, Any]:
        groups: dict[str, Any] = {}
        for api, kinds in self.kinds.items():
            if ("/" not in api) == core:
                group, _slash, version = api.rpartition("/")
                resources = [
                    {
                        "resource": plural,
                        "responseKind": {"kind": kind},
                        "scope": "Namespaced" if namespaced else "Cluster",
                        "verbs": ["get", "list"],
                    }
                    for kind, (plural, namespaced) in kinds.items()
                ]
                groups[group] = {
                    "metadata": {"name": group},
                    "versions": [{"version": version, "resources": resources}],
                }
        return {"kind": "APIGroupDiscoveryList", "items": list(groups.values())}

    def apply(self, path: str, query: dict[str, str], body: dict[str, Any]) -> tuple[int, Any]:
        there = self.in_any_version(path)
        uid = body["metadata"].pop("uid", None)
        if uid is not None and (there is None or there["metadata"]["uid"] != uid):
            return 409, {"reason": "Conflict", "message": f"uid mismatch: the provided object specified uid {uid}"}
        if any("unknown" in part for part in body.get("spec") or ()):
            return 400, {"reason": "BadRequest", "message": ".spec.unknown: field not declared in schema"}
        made: dict[str, Any] = json.loads(json.dumps(body))
        with self.lock:
            self.uids += 1
            made["metadata"]["uid"] = there["metadata"]["uid"] if there else f"uid-{self.uids}"
        for key in ("deletionTimestamp", "finalizers"):
            if there and key in there["metadata"]:
                made["metadata"][key] = there["metadata"][key]
        if there and "status" in there:
            made["status"] = there["status"]
        account = {"manager": query["fieldManager"], "operation": "Apply", "fieldsV1": fields(body)}
        made["metadata"]["managedFields"] = [account]
        if "dryRun" not in query:
            self.objects[path] = made
        return 200, made

    def in_any_version(self, path: str) -> Any:
        parts = path.split("/")
        found = (
            one for key, one in self.objects.items() if key.split("/")[:3] == parts[:3] and key.endswith(parts[-1])
        )
        return self.objects.get(path) or (next(found, None) if parts[1] == "apis" else None)

    def delete(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        there = self.objects.get(path)
        if there is None:
            return 404, {"reason": "NotFound", "message": "not found"}
        if body["preconditions"]["uid"] != there["metadata"]["uid"]:
            return 409, {"reason": "Conflict", "message": "Precondition failed: UID"}
        if there["metadata"].get("finalizers"):
            there["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            return 200, there
        del self.objects[path]
        return 200, {"kind": "Status", "status": "Success"}


def fields(value: dict[str, Any], top: bool = True) -> dict[str, Any]:
    """FieldsV1 of a declaration, each list one value."""
    names = [name for name in value if not (top and name in ("apiVersion", "kind"))]
    found = {}
    for name in names:
        below = value[name]
        if top and name == "metadata":
            below = {key: one for key, one in below.items() if key not in ("name", "namespace")}
        found[f"f:{name}"] = fields(below, top=False) if isinstance(below, dict) else {}
    return found


@contextlib.contextmanager
def api() -> Iterator[Api]:
    server = Api()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # A head and a body that are sent one by one wait for each other's receipt.
        wbufsize = -1

        def log_message(self, *_args: Any) -> None:
            pass

        def serve(self) -> None:
            parts = urlsplit(self.path)
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            server.seen.append({name.lower(): ",".join(self.headers.get_all(name) or ()) for name in self.headers})
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            if server.token and self.headers.get("Authorization") != f"Bearer {server.token}":
                code, body = 401, {"kind": "Status", "message": "Unauthorized"}
            else:
                given = json.loads(content) if content else None
                code, body = server.answer(self.command, parts.path, query, given)
            answer = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
            self.wfile.flush()

        do_GET = do_PATCH = do_DELETE = serve  # noqa: N815

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        server.url = f"http://127.0.0.1:{listener.server_address[1]}"
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown()
            thread.join()
