# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP to one place: a keep-alive connection a thread, TLS, proxies, and what goes wrong on the way, told apart.

    exchange(method, target, content) ─▶ connection of this thread ─▶ status, headers, bytes
                                             └ everything else is an AdminError: reason, transient

`http.client` is enough: who calls brings the threads and the retries. Seconds everywhere. What the caller authenticates
with is taken out of every error text.

Reasons: unreachable, dns, tls, timeout, connection_lost.
"""

from __future__ import annotations

import base64
import http.client
import os
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional
from urllib.parse import unquote, urlsplit

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.provider import ApplyError

#: Status, headers, body.
Answer = tuple[int, http.client.HTTPMessage, bytes]

_HIDDEN = "***"
_CUT = (http.client.BadStatusLine, http.client.IncompleteRead, ConnectionError, ssl.SSLEOFError)


@dataclass(frozen=True)
class Connection:
    """Where the Admin API is and how to get in; the suboptions of `connection`.

    url: with a path if the API is below one. ca_path: a PEM file or a directory. timeout: for connecting, and for each
    wait for an answer. use_proxy: whether `http_proxy`, `https_proxy` and `no_proxy` of the environment count.
    """

    url: str
    token: str = field(default="", repr=False)
    token_header: str = "Kong-Admin-Token"  # noqa: S105 - its name
    username: str = ""
    password: str = field(default="", repr=False)
    ca_path: str = ""
    validate_certs: bool = True
    client_cert: str = ""
    client_key: str = ""
    timeout: float = 30.0
    use_proxy: bool = True

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Connection:
        return cls(**{name: value for name, value in params.items() if value is not None})


class AdminError(ApplyError):
    """What a node, or the way to it, refused. `status` is 0 where there was no answer."""

    def __init__(
        self,
        message: str,
        reason: str,
        transient: bool = False,
        retry_after: Optional[float] = None,
        status: int = 0,
        body: Any = None,
    ) -> None:
        super().__init__(message, reason, transient, retry_after)
        self.status = status
        self.body = body


class Transport:
    """The way to one address. Bears threads. Close it.

    option: the module's option that holds the connection, for sentences.
    """

    option = "connection"

    def __init__(self, connection: Connection) -> None:
        option = self.option
        parts = urlsplit(connection.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise PlatformError(
                f"{option}.url: {_without_user(connection.url)!r} is no http:// or https:// address", "bad_option"
            )
        if parts.username or parts.password:
            raise PlatformError(
                f"{option}.url holds a user name or password; use connection.username and connection.password",
                "bad_option",
            )
        if connection.timeout <= 0:
            raise PlatformError(f"{option}.timeout: {connection.timeout:g} is not more than 0 s", "bad_option")
        self.connection = connection
        self.where = f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")
        self.requests = 0
        self.base = parts.path.rstrip("/")
        self._answered = False
        self._secure = parts.scheme == "https"
        self._host = parts.hostname
        self._port = self._port_of(parts) or (443 if self._secure else 80)
        self._proxy = _proxy(parts.scheme, parts.hostname) if connection.use_proxy else None
        self._secrets = [text for text in (connection.token, connection.password) if text]
        self._headers = self._fixed_headers()
        self._context = self._tls() if self._secure else None
        self._local = threading.local()
        self._open: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def close(self) -> None:
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()

    def certificate(self) -> bytes:
        """What the other side shows of itself, DER; empty without TLS. Raises AdminError."""
        connection = getattr(self._local, "connection", None) or self._connect()
        sock = connection.sock
        return (sock.getpeercert(binary_form=True) or b"") if isinstance(sock, ssl.SSLSocket) else b""

    def exchange(
        self,
        method: str,
        target: str,
        content: Optional[bytes] = None,
        headers: Optional[Mapping[str, str]] = None,
    ) -> Answer:
        """One call; once more on a new connection if that of this thread was found closed. Raises AdminError."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            try:
                return self._send(connection, method, target, content, headers)
            except _CUT as error:
                self._drop(connection)
                # A node may close an idle connection at any time. Whether it has read this is not known, so only what
                # can be said twice is.
                if method == "POST":
                    raise self._lost(method, target, error) from error
            except OSError as error:
                self._drop(connection)
                raise self._lost(method, target, error) from error
        connection = self._connect()
        try:
            return self._send(connection, method, target, content, headers)
        except (OSError, http.client.HTTPException) as error:
            self._drop(connection)
            raise self._lost(method, target, error) from error

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        content: Optional[bytes],
        headers: Optional[Mapping[str, str]],
    ) -> Answer:
        self.requests += 1
        sent = {**self._headers, **(headers or {})}
        if content is not None:
            sent["Content-Type"] = "application/json"
        if self._proxy is not None and not self._secure:
            target = f"http://{self._authority()}{target}"
            sent.update(self._proxy.headers)
        connection.request(method, target, content, sent)
        answer = connection.getresponse()
        body = answer.read()
        self._answered = True
        if answer.will_close:
            self._drop(connection)
        return answer.status, answer.headers, body

    def _authority(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{self._port}"

    def _connect(self) -> http.client.HTTPConnection:
        proxy = self._proxy
        host, port = (proxy.host, proxy.port) if proxy else (self._host, self._port)
        timeout = self.connection.timeout
        if self._context is not None:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=timeout, context=self._context
            )
            if proxy:
                connection.set_tunnel(self._host, self._port, proxy.headers)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=timeout)
        try:
            connection.connect()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._no_way(error, proxy) from error
        with self._lock:
            self._open.append(connection)
        self._local.connection = connection
        return connection

    def _drop(self, connection: http.client.HTTPConnection) -> None:
        connection.close()
        self._local.connection = None
        with self._lock:
            if connection in self._open:
                self._open.remove(connection)

    def _fixed_headers(self) -> dict[str, str]:
        connection = self.connection
        headers = {"Accept": "application/json", "User-Agent": "zerotrust.platform"}
        if connection.token:
            headers[connection.token_header] = connection.token
        if connection.username:
            pair = base64.b64encode(f"{connection.username}:{connection.password}".encode()).decode()
            self._secrets.append(pair)
            headers["Authorization"] = f"Basic {pair}"
        for name, value in headers.items():
            if "\n" in value or "\r" in value or not value.isascii():
                raise PlatformError(
                    f"{self.option}: what is to be sent as {name} holds a line break or a character beyond ASCII",
                    "bad_option",
                )
        return headers

    def _tls(self) -> ssl.SSLContext:
        connection = self.connection
        try:
            path = connection.ca_path
            folder = os.path.isdir(path)  # noqa: PTH112
            context = ssl.create_default_context(
                cafile=None if folder else path or None, capath=path if folder else None
            )
            if not connection.validate_certs:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
        except (OSError, ssl.SSLError) as error:
            raise PlatformError(f"{self.option}.ca_path: {path}: {_why(error)}", "bad_option") from error
        if connection.client_cert:
            try:
                # Without this an encrypted key is asked for on the terminal.
                context.load_cert_chain(connection.client_cert, connection.client_key or None, lambda: "")
            except (OSError, ssl.SSLError, ValueError) as error:
                raise PlatformError(
                    f"{self.option}.client_cert: {connection.client_cert} cannot be used: {_why(error)}", "bad_option"
                ) from error
        return context

    # -- errors ---------------------------------------------------------------------------------------------------

    def error(self, message: str, reason: str, **others: Any) -> AdminError:
        for secret in self._secrets:
            message = message.replace(secret, _HIDDEN)
        return AdminError(f"{self.where}: {message}", reason, **others)

    def _no_way(self, error: Exception, proxy: Optional[_Proxy]) -> AdminError:
        via = f" through the proxy {proxy.host}:{proxy.port}" if proxy else ""
        if isinstance(error, socket.gaierror):
            name = proxy.host if proxy else self._host
            return self.error(f"the host name {name!r} cannot be resolved ({error.strerror})", "dns")
        if isinstance(error, ssl.SSLCertVerificationError):
            return self.error(
                f"its certificate is not trusted ({error.verify_message}); set {self.option}.ca_path to the CA's file",
                "tls",
            )
        if isinstance(error, ssl.SSLError):
            plain = "WRONG_VERSION_NUMBER" in str(error) or "RECORD_LAYER_FAILURE" in str(error)
            hint = "; it seems to speak plain HTTP, try http://" if plain else ""
            return self.error(f"no TLS connection{via} ({_why(error)}){hint}", "tls")
        if isinstance(error, socket.timeout):
            waited = f"no connection{via} within {self.connection.timeout:g} s"
            return self.error(waited, "timeout", transient=self._answered)
        also = "the proxy's variable in the environment, " if proxy else ""
        return self.error(
            f"no connection{via} ({_why(error)}); check {also}{self.option}.url and that the node runs",
            "unreachable",
            # Who has answered before may be starting again.
            transient=self._answered,
        )

    def _lost(self, method: str, target: str, error: Exception) -> AdminError:
        path = target[len(self.base) :].split("?")[0]
        if isinstance(error, socket.timeout):
            return self.error(
                f"no answer to {method} {path} within {self.connection.timeout:g} s", "timeout", transient=True
            )
        if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
            return self.error(
                f"the TLS connection was refused ({_why(error)}); does the node ask for a client certificate? "
                f"Set {self.option}.client_cert",
                "tls",
            )
        return self.error(
            f"the connection was cut during {method} {path} ({_why(error)})", "connection_lost", transient=True
        )

    def _port_of(self, parts: Any) -> Optional[int]:
        try:
            port: Optional[int] = parts.port
        except ValueError as error:
            raise PlatformError(f"{self.option}.url: {error}", "bad_option") from error
        return port


@dataclass(frozen=True)
class _Proxy:
    host: str
    port: int
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)


def _proxy(scheme: str, host: str) -> Optional[_Proxy]:
    """The proxy that the environment names, as curl and Python's own client read it."""
    if _excepted(host, os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""):
        return None
    # HTTP_PROXY in capitals is what a CGI server makes of a client's header "Proxy".
    names = ("http_proxy",) if scheme == "http" else ("https_proxy", "HTTPS_PROXY")
    found = next((os.environ[name] for name in names if os.environ.get(name)), "")
    if not found:
        return None
    parts = urlsplit(found if "://" in found else f"http://{found}")
    if parts.scheme != "http" or not parts.hostname:
        raise PlatformError(
            f"{names[0]}: {_without_user(found)!r} is no http:// proxy; without one: connection.use_proxy: false",
            "bad_option",
        )
    headers = {}
    if parts.username:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    try:
        port = parts.port or 80
    except ValueError as error:
        raise PlatformError(f"{names[0]}: {error}", "bad_option") from error
    return _Proxy(parts.hostname, port, headers)


def _excepted(host: str, exceptions: str) -> bool:
    for item in exceptions.lower().split(","):
        item = item.strip().lstrip(".")
        if item == "*" or (item and (host == item or host.endswith(f".{item}"))):
            return True
    return False


def _without_user(url: str) -> str:
    head, at, tail = url.rpartition("@")
    return f"{_HIDDEN}@{tail}" if at and head else url


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or str(error)
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return str(error) or type(error).__name__
