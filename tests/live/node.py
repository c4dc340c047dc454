# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that runs the containers of real Pods as processes of this machine, without images.

It does what scheduler, kubelet and kube-proxy do as far as a mesh needs it: each pod has a network of its own, each
container a root of its own; volumes and accounts' tokens come from the API; init containers, sidecars, probes, status
and deletion. An image stands for directories and a command.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Optional

from tests.live.api_server import ApiServer

CONTAINER = Path(__file__).with_name("container.py")
STRATEGIC = "application/strategic-merge-patch+json"
NODE = "node-0"
CONTROL_PLANE = "istio-system"
LINK = "169.254.1.1"
UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9}
LIMITS = {"cpu": "2", "memory": "2Gi"}

Document = dict[str, Any]


@dataclass(frozen=True)
class Image:
    """layers: directories laid upon the machine's files. user: whom it runs as if the pod says nothing."""

    command: Sequence[str]
    layers: Sequence[str] = ()
    user: int = 1337


def run(*command: object) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command}: {done.stderr.strip()}")


class Pod:
    """A pod that runs. `pid` is that of a process that holds its network."""

    def __init__(self, node: Node, document: Document, number: int) -> None:
        self.node, self.document, self.number = node, document, number
        meta = document["metadata"]
        self.namespace, self.name, self.uid = meta["namespace"], meta["name"], meta["uid"]
        self.address = f"10.244.0.{number}"
        self.folder = node.folder / "pods" / f"{self.namespace}_{self.name}"
        self.pid = 0
        self.ready = False
        self.problem = ""
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stopped = threading.Event()
        self._pause: Optional[subprocess.Popen[bytes]] = None

    # -- network ---------------------------------------------------------------------------------------------------

    def _network(self) -> None:
        self._pause = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        self.pid = self._pause.pid
        own = os.readlink("/proc/thread-self/ns/net")
        while os.readlink(f"/proc/{self.pid}/ns/net") == own:
            time.sleep(0.01)
        link = f"pod{self.number}"
        run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", self.pid)
        run("ip", "addr", "add", f"{LINK}/32", "dev", link)
        run("ip", "link", "set", link, "up")
        run("ip", "route", "add", f"{self.address}/32", "dev", link)
        inside = (
            f"ip link set lo up; ip addr add {self.address}/32 dev eth0; ip link set eth0 up; "
            f"ip route add {LINK} dev eth0 scope link; ip route add default via {LINK} src {self.address}"
        )
        run("nsenter", "-t", self.pid, "-n", "sh", "-ec", inside)

    # -- volumes ---------------------------------------------------------------------------------------------------

    def _content(self, plural: str, name: str, optional: bool = False) -> dict[str, bytes]:
        while not self._stopped.is_set():
            found = self.node.server.call("GET", f"/api/v1/namespaces/{self.namespace}/{plural}/{name}")
            if found or optional:
                data = (found or {}).get("data") or {}
                return {
                    key: base64.b64decode(text) if plural == "secrets" else text.encode() for key, text in data.items()
                }
            time.sleep(0.2)
        return {}

    def _source(self, source: Mapping[str, Any]) -> dict[str, bytes]:
        def picked(data: dict[str, bytes], items: Optional[Sequence[Mapping[str, Any]]]) -> dict[str, bytes]:
            return {item["path"]: data[item["key"]] for item in items if item["key"] in data} if items else data

        if "configMap" in source:
            own = source["configMap"]
            found = self._content("configmaps", own["name"], own.get("optional", False))
            return picked(found, own.get("items"))
        if "secret" in source:
            own = source["secret"]
            found = self._content("secrets", own.get("secretName") or own["name"], own.get("optional", False))
            return picked(found, own.get("items"))
        if "serviceAccountToken" in source:
            return {source["serviceAccountToken"]["path"]: self._token(source["serviceAccountToken"])}
        items = (source.get("downwardAPI") or {}).get("items") or ()
        return {
            item["path"]: (
                self._field(item["fieldRef"]["fieldPath"])
                if "fieldRef" in item
                else self._resource({}, item["resourceFieldRef"])
            ).encode()
            for item in items
        }

    def _token(self, source: Mapping[str, Any]) -> bytes:
        account = self.document["spec"].get("serviceAccountName", "default")
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {
                "audiences": [source["audience"]] if source.get("audience") else [],
                "expirationSeconds": max(600, source.get("expirationSeconds", 3600)),
                "boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": self.name, "uid": self.uid},
            },
        }
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{account}/token"
        return str(self.node.server.call("POST", path, body)["status"]["token"]).encode()

    def _volumes(self) -> None:
        for volume in self.document["spec"].get("volumes", ()):
            folder = self.folder / "volumes" / volume["name"]
            driver = volume.get("csi", {}).get("driver")
            if driver:
                folder.parent.mkdir(parents=True, exist_ok=True)
                folder.symlink_to(self.node.drivers[driver](self))
                continue
            folder.mkdir(parents=True)
            folder.chmod(0o777)
            sources = volume["projected"]["sources"] if "projected" in volume else [volume]
            for source in sources:
                for name, content in self._source(source).items():
                    path = folder / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
                    path.chmod(0o644)

    # -- containers ------------------------------------------------------------------------------------------------

    def _field(self, path: str) -> str:
        if path in ("status.podIP", "status.podIPs"):
            return self.address
        if path in ("status.hostIP", "status.hostIPs"):
            return self.node.address
        if path.startswith(("metadata.labels", "metadata.annotations")):
            values = self.document["metadata"].get(path.split(".")[1].split("[")[0]) or {}
            if "[" in path:
                return str(values.get(path.partition("[")[2].strip("]'\""), ""))
            return "\n".join(f"{key}={json.dumps(value)}" for key, value in sorted(values.items()))
        found: Any = self.document
        for part in path.split("."):
            found = found.get(part, "")
        return str(found)

    def _resource(self, container: Mapping[str, Any], ref: Mapping[str, Any]) -> str:
        kind, _dot, name = ref["resource"].partition(".")
        amount = (container.get("resources", {}).get(kind) or {}).get(name) or LIMITS.get(name, "0")
        divisor = ref.get("divisor", "1")
        value = quantity(amount) / (quantity(divisor) or 1)
        return str(int(-(-value // 1)))

    def _environment(self, container: Mapping[str, Any]) -> dict[str, str]:
        port = urllib.parse.urlsplit(self.node.server.url).port
        found = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/",
            "HOSTNAME": self.name,
            "KUBERNETES_SERVICE_HOST": self.node.address,
            "KUBERNETES_SERVICE_PORT": str(port),
        }
        for item in container.get("env", ()):
            source = item.get("valueFrom") or {}
            if "fieldRef" in source:
                value = self._field(source["fieldRef"]["fieldPath"])
            elif "resourceFieldRef" in source:
                value = self._resource(container, source["resourceFieldRef"])
            elif source:
                (kind, ref) = next(iter(source.items()))
                plural = "secrets" if kind == "secretKeyRef" else "configmaps"
                value = self._content(plural, ref["name"], ref.get("optional", False)).get(ref["key"], b"").decode()
            else:
                value = expanded(item.get("value", ""), found)
            found[item["name"]] = value
        return found

    def _log(self, container: Mapping[str, Any]) -> Path:
        return self.node.folder / f"{self.namespace}_{self.name}_{container['name']}.log"

    def _start(self, container: Mapping[str, Any]) -> subprocess.Popen[bytes]:
        name = container["image"].partition("@")[0].rpartition("/")[2].partition(":")[0]
        image = self.node.images[name]
        environment = self._environment(container)
        command = container.get("command") or image.command
        command = [expanded(part, environment) for part in (*command, *container.get("args", ()))]
        context = {**(self.document["spec"].get("securityContext") or {}), **(container.get("securityContext") or {})}
        folder = self.folder / container["name"]
        folder.mkdir(parents=True, exist_ok=True)
        volumes = self.folder / "volumes"
        spec = {
            "folder": str(folder),
            "image": [str(layer) for layer in image.layers],
            "environment": environment,
            "command": command,
            "user": context.get("runAsUser", image.user),
            "hosts": str(self.node.hosts),
            "mounts": [
                (str(volumes / item["name"] / item.get("subPath", "")).rstrip("/"), item["mountPath"])
                for item in container.get("volumeMounts", ())
            ],
        }
        path = self.folder / f"{container['name']}.json"
        path.write_text(json.dumps(spec), encoding="utf-8")
        log = self._log(container)
        log.touch()
        # Envoy opens /dev/stdout again, as another user.
        log.chmod(0o666)
        with self.node.lock, log.open("ab") as output:
            if self._stopped.is_set():
                raise RuntimeError("the pod ends")
            process = subprocess.Popen(
                ["nsenter", "-t", str(self.pid), "-n", "unshare", "--mount", sys.executable, str(CONTAINER), str(path)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            self._processes[container["name"]] = process
        return process

    def _probe(self, container: Mapping[str, Any], kind: str) -> bool:
        probe = (container.get(kind) or {}).get("httpGet")
        if not probe:
            return True
        port = probe["port"]
        if isinstance(port, str):
            port = next(one["containerPort"] for one in container["ports"] if one.get("name") == port)
        secure = ssl._create_unverified_context() if probe.get("scheme") == "HTTPS" else None
        try:
            made = http.client.HTTPSConnection if secure else http.client.HTTPConnection
            connection = made(self.address, port, timeout=3, **({"context": secure} if secure else {}))
            with contextlib.closing(connection):
                connection.request("GET", probe.get("path", "/"))
                return 200 <= connection.getresponse().status < 400
        except (OSError, http.client.HTTPException):
            return False

    def run(self) -> None:
        try:
            self._network()
            self._volumes()
            self._patch("Pending")
            spec = self.document["spec"]
            lasting = list(spec["containers"])
            for container in spec.get("initContainers", ()):
                process = self._start(container)
                if container.get("restartPolicy") == "Always":
                    lasting.append(container)
                    while process.poll() is None and not self._probe(container, "startupProbe"):
                        time.sleep(0.2)
                elif process.wait() != 0:
                    said = self._log(container).read_text(encoding="utf-8", errors="replace")
                    raise RuntimeError(f"init container {container['name']}: {said[-1500:]}")
            for container in spec["containers"]:
                self._start(container)
            told = None
            while not self._stopped.wait(0.2):
                running = all(self._processes[one["name"]].poll() is None for one in lasting)
                for one in lasting:
                    if self._processes[one["name"]].poll() is not None:
                        self._start(one)
                self.ready = running and all(self._probe(one, "readinessProbe") for one in lasting)
                if told != self.ready:
                    self._patch("Running")
                    told = self.ready
        except Exception as error:
            self.problem = str(error)

    def _patch(self, phase: str) -> None:
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        states = {"PodScheduled": True, "Initialized": phase == "Running"}
        states.update(ContainersReady=self.ready, Ready=self.ready)
        conditions = [{"type": name, "status": str(value), "lastTransitionTime": now} for name, value in states.items()]
        status = {"phase": phase, "podIP": self.address, "podIPs": [{"ip": self.address}], "startTime": now}
        path = f"/api/v1/namespaces/{self.namespace}/pods/{self.name}/status"
        body = {"status": {**status, "hostIP": self.node.address, "conditions": conditions}}
        self.node.server.call("PATCH", path, body, STRATEGIC)

    def stop(self) -> None:
        with self.node.lock:
            self._stopped.set()
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if self._pause:
            self._pause.kill()
            self._pause.wait()
        # The overlay ended with its mount namespace.
        shutil.rmtree(self.folder, ignore_errors=True)


def quantity(text: object) -> float:
    text = str(text)
    for unit, factor in UNITS.items():
        if text.endswith(unit):
            return float(text[: -len(unit)]) * factor
    return float(text)


def expanded(text: str, environment: Mapping[str, str]) -> str:
    for name, value in environment.items():
        text = text.replace(f"$({name})", value)
    return text


class Node:
    """Runs pods until it is closed. Start it in the network in which the API server is."""

    def __init__(self, server: ApiServer, folder: Path, address: str, images: Mapping[str, Image]) -> None:
        self.server, self.folder, self.address, self.images = server, folder, address, images
        self.hosts = folder / "hosts"
        self.lock = threading.RLock()
        self.pods: dict[str, Pod] = {}
        #: CSI drivers, by name: the directory that a pod's volume is.
        self.drivers: dict[str, Callable[[Pod], Path]] = {}
        self.problems: list[str] = []
        self._numbers: Iterator[int] = iter(range(10, 250))
        self._stopped = threading.Event()
        folder.mkdir(parents=True)
        self.hosts.touch()
        labels = {"kubernetes.io/os": "linux", "kubernetes.io/hostname": NODE}
        server.call("POST", "/api/v1/nodes", {"kind": "Node", "metadata": {"name": NODE, "labels": labels}})
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    def _loop(self) -> None:
        while not self._stopped.wait(0.2):
            try:
                self._look()
            except (AssertionError, OSError) as error:
                self.problems.append(str(error))

    def _look(self) -> None:
        self._write_hosts()
        there = {pod["metadata"]["uid"]: pod for pod in self.server.call("GET", "/api/v1/pods")["items"]}
        for uid, pod in there.items():
            path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
            if pod["metadata"].get("deletionTimestamp"):
                if uid in self.pods:
                    self.pods.pop(uid).stop()
                self.server.call("DELETE", f"{path}?gracePeriodSeconds=0")
            elif uid not in self.pods:
                target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
                binding = {"kind": "Binding", "metadata": {"name": pod["metadata"]["name"]}, "target": target}
                self.server.call("POST", f"{path}/binding", binding)
                self.pods[uid] = Pod(self, pod, next(self._numbers))
                threading.Thread(target=self.pods[uid].run, daemon=True).start()
        for uid in set(self.pods) - set(there):
            self.pods.pop(uid).stop()

    def _write_hosts(self) -> None:
        """Names of Services, with their cluster's addresses, which sidecars understand.

        Nobody else here does, so those of the control plane have the address of a ready pod.
        """
        ready: dict[tuple[str, str], str] = {}
        for part in self.server.call("GET", "/apis/discovery.k8s.io/v1/endpointslices")["items"]:
            owner = part["metadata"]["namespace"], part["metadata"].get("labels", {}).get("kubernetes.io/service-name")
            for endpoint in part.get("endpoints") or ():
                if endpoint["conditions"].get("ready"):
                    ready.setdefault(owner, endpoint["addresses"][0])
        lines = ["127.0.0.1 localhost"]
        for service in self.server.call("GET", "/api/v1/services")["items"]:
            namespace, name = service["metadata"]["namespace"], service["metadata"]["name"]
            address = ready.get((namespace, name)) if namespace == CONTROL_PLANE else service["spec"]["clusterIP"]
            if address:
                lines.append(f"{address} {name}.{namespace}.svc.cluster.local {name}.{namespace}.svc")
        text = "\n".join(lines) + "\n"
        if self.hosts.read_text(encoding="ascii") != text:
            # In place: containers have this very file.
            self.hosts.write_text(text, encoding="ascii")

    def pod(self, namespace: str, app: str) -> Pod:
        """The pod with this label `app` that is there."""
        for pod in self.pods.values():
            if (pod.namespace, pod.document["metadata"].get("labels", {}).get("app")) == (namespace, app):
                return pod
        raise AssertionError(f"no pod {namespace}/{app}: {sorted(one.name for one in self.pods.values())}")

    def until_ready(self, number: int, seconds: float = 120) -> None:
        """So many pods are there, and ready."""
        end = time.monotonic() + seconds
        while sum(pod.ready for pod in list(self.pods.values())) < number:
            problems = [f"{pod.namespace}/{pod.name}: {pod.problem}" for pod in self.pods.values() if pod.problem]
            waiting = [f"{pod.namespace}/{pod.name}" for pod in self.pods.values() if not pod.ready]
            assert not problems, problems
            assert time.monotonic() < end, f"not ready: {waiting}; {self.problems[-3:]}; logs in {self.folder}"
            time.sleep(0.2)

    def close(self) -> None:
        self._stopped.set()
        self._thread.join()
        for pod in self.pods.values():
            pod.stop()
