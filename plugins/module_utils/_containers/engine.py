# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Docker engine says of itself, its containers and their images. Reads only.

options, with the names that community.docker has ─▶ docker.APIClient ─▶ info, list, inspect, top ─▶ Subjects
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._containers.model import Document, Subject
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError

#: Option -> the environment's variable after DOCKER_, and its spec. Documented in the fragment
#: `zerotrust.platform.docker`.
DOCKER_OPTIONS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "docker_host": ("HOST", {"type": "str", "default": "unix:///var/run/docker.sock", "aliases": ["docker_url"]}),
    "api_version": ("API_VERSION", {"type": "str", "default": "auto", "aliases": ["docker_api_version"]}),
    "timeout": ("TIMEOUT", {"type": "int", "default": 60}),
    "tls": ("TLS", {"type": "bool", "default": False}),
    "validate_certs": ("TLS_VERIFY", {"type": "bool", "default": False, "aliases": ["tls_verify"]}),
    "ca_path": ("CA_PATH", {"type": "path", "aliases": ["ca_cert", "tls_ca_cert", "cacert_path"]}),
    "client_cert": ("CLIENT_CERT", {"type": "path", "aliases": ["tls_client_cert", "cert_path"]}),
    "client_key": ("CLIENT_KEY", {"type": "path", "aliases": ["tls_client_key", "key_path"], "no_log": False}),
}


@dataclass(frozen=True)
class Seen:
    """notes: what could not be looked at, and why."""

    info: Document
    subjects: Sequence[Subject]
    notes: Sequence[str] = ()


class Engine:
    """certificates: a directory with ca.pem, cert.pem and key.pem, for files that no option names."""

    def __init__(self, params: Mapping[str, Any], certificates: str = "") -> None:
        self.where = f"Docker at {params['docker_host']}"
        self._notes: list[str] = []
        with self._explained():
            self._client = _client(params, certificates)

    def close(self) -> None:
        self._client.close()

    def read(self, names: Sequence[str] = (), project: str = "", stopped: bool = False) -> Seen:
        """names: of containers, or ids; one that is not there is an error. project: of Docker Compose."""
        with self._explained():
            info = self._client.info()
            ids = list(names) or self._listed(project, stopped)
            images: dict[str, Document] = {}
            subjects = []
            for at in ids:
                subject = self._subject(at, info, images)
                if subject is not None:
                    subjects.append(subject)
                elif names:
                    raise PlatformError(f"{self.where}: there is no container {at}", "no_container")
                else:
                    self._notes.append(f"Container {at[:12]} went away while it was looked at.")
        if not subjects:
            which = f"of the project {project}" if project else "that run" if not stopped else "at all"
            raise PlatformError(f"{self.where}: there are no containers {which}; nothing was judged", "no_container")
        return Seen(info, sorted(subjects, key=lambda subject: subject.name), self._notes)

    def _listed(self, project: str, stopped: bool) -> list[str]:
        filters = {"label": f"com.docker.compose.project={project}"} if project else {}
        return [item["Id"] for item in self._client.containers(all=stopped, filters=filters)]

    def _subject(self, name: str, info: Document, images: dict[str, Document]) -> Optional[Subject]:
        container = self._found(self._client.inspect_container, name)
        if container is None:
            return None
        image = container.get("Image") or ""
        if image and image not in images:
            images[image] = self._found(self._client.inspect_image, image) or {}
        execs = [self._found(self._client.exec_inspect, execution) for execution in container.get("ExecIDs") or ()]
        return Subject(
            container,
            images.get(image, {}),
            info,
            self._processes(container),
            [execution for execution in execs if execution],
        )

    def _found(self, call: Any, name: str) -> Any:
        import docker.errors

        try:
            return call(name)
        except docker.errors.NotFound:
            return None

    def _processes(self, container: Document) -> Optional[list[str]]:
        import docker.errors

        if not (container.get("State") or {}).get("Running"):
            return None
        try:
            found = self._client.top(container["Id"])
        except docker.errors.APIError:
            # It has ended meanwhile, or the engine's machine has no `ps`.
            return None
        # The last column is the command, whatever the `ps` of the engine's machine.
        return [str(row[-1]) for row in found.get("Processes") or () if row]

    @contextmanager
    def _explained(self) -> Iterator[None]:
        import docker.errors

        try:
            yield
        except docker.errors.TLSParameterError as error:
            raise PlatformError(f"{self.where}: {str(error).splitlines()[0]}", "bad_option") from error
        except docker.errors.APIError as error:
            raise PlatformError(
                f"{self.where}: the engine answers {error.status_code}: {error.explanation or error}", "refused"
            ) from error
        except (docker.errors.DockerException, OSError) as error:
            raise PlatformError(f"{self.where}: cannot be talked to ({_reason(error)})", "unreachable") from error


def _reason(error: BaseException) -> str:
    """The system's own words, of an error within errors."""
    seen: Optional[BaseException] = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            hint = "; let the user into the group of the socket, or become root" if seen.errno == 13 else ""
            return f"{seen.strerror}{hint}"
        seen = seen.__cause__ or seen.__context__
    return str(error)


def _client(params: Mapping[str, Any], certificates: str) -> Any:
    import docker
    import docker.tls

    host, tls = params["docker_host"], None
    if params["tls"] or params["validate_certs"]:
        files = {"ca_path": "ca.pem", "client_cert": "cert.pem", "client_key": "key.pem"}
        paths = {
            option: params.get(option) or (posixpath.join(certificates, name) if certificates else None)
            for option, name in files.items()
        }
        pair = (paths["client_cert"], paths["client_key"])
        tls = docker.tls.TLSConfig(
            client_cert=pair if all(pair) else None,
            ca_cert=paths["ca_path"] if params["validate_certs"] else None,
            verify=bool(params["validate_certs"]),
        )
    return docker.APIClient(base_url=host, version=params["api_version"], timeout=params["timeout"], tls=tls or False)
