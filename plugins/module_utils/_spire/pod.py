# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server's command in a Kubernetes pod, by an exec through the API server.

A replica is as good as any other, as all work on one datastore: the first pod that is ready is taken, and kept as long
as it answers.

The end of stdin is a message of the protocol's version 5 (KEP-4006). API servers speak it from Kubernetes 1.30 on; with
version 4 the command would wait for more for ever.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._spire.transport import CallError, Deadline, Ran

_CHUNK = 32 * 1024
_STDIN, _STDOUT, _STDERR, _ERROR = range(4)


@dataclass(frozen=True)
class Place:
    """Which pods: by name, or the first that is ready of those with these labels.

    kubeconfig, context: as kubectl takes them; without a kubeconfig, a pod's own service account is tried first.
    """

    namespace: str = "spire"
    name: str = ""
    selector: str = ""
    container: str = ""
    kubeconfig: str = ""
    context: str = ""


class Pod:
    def __init__(self, command: Sequence[str], timeout: float, place: Place) -> None:
        self.command, self.timeout, self.place = tuple(command), timeout, place
        self.where = f"{command[0]} in pod {place.namespace}/{place.name or f'with {place.selector}'}"
        self._lock = threading.Lock()
        self._core: Any = None
        self._pod = place.name

    def run(self, arguments: Sequence[str], stdin: bytes = b"") -> Ran:
        import urllib3
        import websocket
        from kubernetes.client.exceptions import ApiException
        from kubernetes.config import ConfigException

        deadline = Deadline(self.timeout)
        began = False
        try:
            stream = self._open(arguments, bool(stdin), deadline)
            began = True
            return self._talk(stream, stdin, deadline)
        except ConfigException as error:
            raise CallError(f"{self.where}: no way to a cluster is known ({error})", "bad_kubeconfig") from error
        except (ApiException, AttributeError) as error:
            # Up to its release 36 the library stumbles over an exception of its own that has no body.
            refused = error if isinstance(error, ApiException) else error.__context__
            if not isinstance(refused, ApiException):
                raise
            self._forget()
            raise CallError(f"{self.where}: {_refusal(refused)}", "refused") from error
        except (urllib3.exceptions.HTTPError, websocket.WebSocketException, OSError) as error:
            self._forget()
            message = f"{self.where}: the connection failed ({' '.join(str(error).split())})"
            raise CallError(message, "unreachable", began, transient=not began) from error

    def _forget(self) -> None:
        """Another replica may answer."""
        self._pod = self.place.name

    def _open(self, arguments: Sequence[str], stdin: bool, deadline: Deadline) -> Any:
        from kubernetes.stream import stream

        # For the time of the handshake the client is made to speak another protocol, so one thread at a time.
        with self._lock:
            core = self._api()
            self._pod = self._pod or self._ready(core, deadline)
            container = {"container": self.place.container} if self.place.container else {}
            opened = stream(
                core.connect_get_namespaced_pod_exec,
                self._pod,
                self.place.namespace,
                **container,
                command=[*self.command, *arguments],
                stdin=stdin,
                stdout=True,
                stderr=True,
                tty=False,
                binary=True,
                _preload_content=False,
                _request_timeout=deadline.left,
            )
        if stdin and opened.subprotocol != "v5.channel.k8s.io":
            _close(opened)
            raise CallError(
                f"{self.where}: this API server cannot tell a command the end of its input (it speaks "
                f"{opened.subprotocol}); Kubernetes 1.30 or later is needed",
                "too_old",
            )
        return opened

    def _api(self) -> Any:
        from kubernetes import client, config

        if self._core is None:
            place = self.place
            if place.kubeconfig or place.context:
                made = config.new_client_from_config(place.kubeconfig or None, place.context or None)
            else:
                config.load_config()
                made = client.ApiClient()
            self._core = client.CoreV1Api(made)
        return self._core

    def _ready(self, core: Any, deadline: Deadline) -> str:
        place = self.place
        found = core.list_namespaced_pod(
            place.namespace, label_selector=place.selector, _request_timeout=deadline.left
        ).items
        for pod in sorted(found, key=lambda pod: str(pod.metadata.name)):
            conditions = pod.status.conditions or ()
            if any(condition.type == "Ready" and condition.status == "True" for condition in conditions):
                return str(pod.metadata.name)
        raise CallError(f"{self.where}: none of {len(found)} pods is ready", "no_pod", transient=bool(found))

    def _talk(self, stream: Any, stdin: bytes, deadline: Deadline) -> Ran:
        parts: dict[int, list[bytes]] = {_STDOUT: [], _STDERR: [], _ERROR: []}
        try:
            for at in range(0, len(stdin), _CHUNK):
                stream.write_channel(_STDIN, stdin[at : at + _CHUNK])
            if stdin:
                stream.close_channel(_STDIN)
            while stream.is_open():
                if not deadline.left:
                    raise deadline.missed(self.where)
                stream.update(timeout=deadline.left)
                _drain(stream, parts)
            _drain(stream, parts)
        finally:
            _close(stream)
        return Ran(self._status(b"".join(parts[_ERROR])), *(b"".join(parts[at]) for at in (_STDOUT, _STDERR)))

    def _status(self, text: bytes) -> int:
        """The command's, out of the Status object that ends an exec."""
        try:
            told = json.loads(text)
        except ValueError:
            raise CallError(
                f"{self.where}: the connection ended before the command", "unreachable", began=True
            ) from None
        if told.get("status") == "Success":
            return 0
        for cause in (told.get("details") or {}).get("causes") or ():
            if cause.get("reason") == "ExitCode":
                return int(cause["message"])
        raise CallError(f"{self.where}: cannot be run ({told.get('message')})", "no_command")

    def close(self) -> None:
        if self._core is not None:
            self._core.api_client.close()


def _drain(stream: Any, parts: dict[int, list[bytes]]) -> None:
    for channel, into in parts.items():
        found = stream._channels.pop(channel, b"")
        if found:
            into.append(found)


def _close(stream: Any) -> None:
    """At once, also where the other side says nothing any more; and where it has gone, which `close` alone does not."""
    stream.close(timeout=0)
    stream.sock.shutdown()


def _refusal(error: Any) -> str:
    """What the API server says: in the body of an answer, or at the end of the text of a failed handshake."""
    reason, _mark, rest = str(error.reason or "").partition(" -+-+- ")
    try:
        return str(json.loads(error.body or rest.rpartition(" -+-+- ")[2])["message"])
    except (TypeError, ValueError, KeyError):
        return " ".join(f"{error.status or ''} {reason}".split())
