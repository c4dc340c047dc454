# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kong's Admin API over HTTP: one keep-alive connection a thread, and errors told apart.

    call(method, path, body) ─▶ connection of this thread ─▶ status, headers, JSON
                                     └ everything else is an AdminError: reason, transient, retry_after

`http.client` is enough: the engine brings the threads and the retries of writes, `get` retries reads. Seconds
everywhere. What the caller authenticates with is taken out of every error text.

Reasons: unauthorised, forbidden, rate_limited, server_error, conflict, schema_violation, foreign_key, not_found,
not_allowed, bad_response; unreachable, dns, tls, timeout, connection_lost.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Optional
from urllib.parse import quote, unquote, urlsplit

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.executor import (
    ATTEMPTS,
    FIRST_WAIT,
    LONGEST_WAIT,
    PATIENCE,
    Timing,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.provider import CONFLICT, ApplyError

#: The largest page a node gives.
PAGE = 1000

#: Status, headers, body.
_Answer = tuple[int, http.client.HTTPMessage, bytes]

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
    """What the node, or the way to it, refused. `status` is 0 where there was no answer."""

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


class Client:
    """One node, or one workspace of it. Bears threads. Close it."""

    def __init__(self, connection: Connection, workspace: str = "", timing: Optional[Timing] = None) -> None:
        parts = urlsplit(connection.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise PlatformError(
                f"connection.url: {_without_user(connection.url)!r} is no http:// or https:// address", "bad_option"
            )
        if parts.username or parts.password:
            raise PlatformError(
                "connection.url holds a user name or password; use connection.username and connection.password",
                "bad_option",
            )
        self.connection = connection
        self.timing = timing or Timing()
        self.where = f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")
        self.requests = 0
        self._answered = False
        self._secure = parts.scheme == "https"
        self._host = parts.hostname
        self._port = _port(parts) or (443 if self._secure else 80)
        self._base = parts.path.rstrip("/")
        self._workspace = f"/{quote(workspace, safe='')}" if workspace else ""
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

    def get(self, path: str, globally: bool = False) -> Any:
        """A read, tried again where that may help."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return self.call("GET", path, globally=globally)[1]
            except AdminError as error:
                if not error.transient or attempt >= ATTEMPTS or (error.retry_after or 0) > PATIENCE:
                    raise
                pause = error.retry_after
                if pause is None:
                    pause = self.timing.random() * min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (attempt - 1))
                self.timing.sleep(max(pause, 0.0))

    def pages(self, path: str) -> Iterator[dict[str, Any]]:
        """Every entity of a collection. An offset that comes back ends in an error, not in a loop."""
        seen: set[str] = set()
        offset = ""
        while True:
            page = self.get(f"{path}?size={PAGE}" + (f"&offset={quote(offset, safe='')}" if offset else ""))
            data = page.get("data") if isinstance(page, dict) else None
            # An empty list is an empty object where Lua writes JSON.
            if not isinstance(data, list) and data != {}:
                raise self._error(f"{path} is no list of entities; is this a Kong Admin API?", "bad_response")
            yield from data
            offset = page.get("offset") or ""
            if not offset:
                return
            if offset in seen:
                raise self._error(f"the pages of {path} repeat themselves (offset {offset})", "bad_response")
            seen.add(offset)

    def call(self, method: str, path: str, body: Any = None, globally: bool = False) -> tuple[int, Any]:
        """(status, JSON or None) of a success or of 304; AdminError for everything else."""
        target = f"{self._base}{'' if globally else self._workspace}{path}"
        content = None if body is None else json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        status, headers, answer = self._exchange(method, target, content)
        if status == 304 or (200 <= status < 300 and not answer):
            return status, None
        try:
            found = json.loads(answer) if answer else None
        except ValueError:
            if 200 <= status < 500 and status != 429:
                raise self._error(
                    f"{method} {path} was answered with something that is no JSON (status {status}, "
                    f"{headers.get('content-type') or 'no content type'}); is this a Kong Admin API?",
                    "bad_response",
                    status=status,
                ) from None
            found = None
        if 200 <= status < 300:
            return status, found
        raise self._refusal(method, path, status, found, headers.get("retry-after"))

    def _exchange(
        self, method: str, target: str, content: Optional[bytes]
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            try:
                return self._send(connection, method, target, content)
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
            return self._send(connection, method, target, content)
        except (OSError, http.client.HTTPException) as error:
            self._drop(connection)
            raise self._lost(method, target, error) from error

    def _send(
        self, connection: http.client.HTTPConnection, method: str, target: str, content: Optional[bytes]
    ) -> _Answer:
        self.requests += 1
        headers = self._headers if content is None else {**self._headers, "Content-Type": "application/json"}
        if self._proxy is not None and not self._secure:
            target = f"http://{self._authority()}{target}"
            headers = {**headers, **self._proxy.headers}
        connection.request(method, target, content, headers)
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
                    f"connection: what is to be sent as {name} holds a line break or a character beyond ASCII",
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
            raise PlatformError(f"connection.ca_path: {path}: {_why(error)}", "bad_option") from error
        if connection.client_cert:
            try:
                # Without this an encrypted key is asked for on the terminal.
                context.load_cert_chain(connection.client_cert, connection.client_key or None, lambda: "")
            except (OSError, ssl.SSLError, ValueError) as error:
                raise PlatformError(
                    f"connection.client_cert: {connection.client_cert} cannot be used: {_why(error)}", "bad_option"
                ) from error
        return context

    # -- errors ---------------------------------------------------------------------------------------------------

    def _error(self, message: str, reason: str, **others: Any) -> AdminError:
        for secret in self._secrets:
            message = message.replace(secret, _HIDDEN)
        return AdminError(f"{self.where}: {message}", reason, **others)

    def _no_way(self, error: Exception, proxy: Optional[_Proxy]) -> AdminError:
        via = f" through the proxy {proxy.host}:{proxy.port}" if proxy else ""
        if isinstance(error, socket.gaierror):
            name = proxy.host if proxy else self._host
            return self._error(f"the host name {name!r} cannot be resolved ({error.strerror})", "dns")
        if isinstance(error, ssl.SSLCertVerificationError):
            return self._error(
                f"its certificate is not trusted ({error.verify_message}); set connection.ca_path to the CA's file",
                "tls",
            )
        if isinstance(error, ssl.SSLError):
            plain = "WRONG_VERSION_NUMBER" in str(error) or "RECORD_LAYER_FAILURE" in str(error)
            hint = "; it seems to speak plain HTTP, try http://" if plain else ""
            return self._error(f"no TLS connection{via} ({_why(error)}){hint}", "tls")
        if isinstance(error, socket.timeout):
            waited = f"no connection{via} within {self.connection.timeout:g} s"
            return self._error(waited, "timeout", transient=self._answered)
        return self._error(
            f"no connection{via} ({_why(error)}); check connection.url and that the node runs",
            "unreachable",
            # Who has answered before may be starting again.
            transient=self._answered,
        )

    def _lost(self, method: str, target: str, error: Exception) -> AdminError:
        path = target[len(self._base) :].split("?")[0]
        if isinstance(error, socket.timeout):
            return self._error(
                f"no answer to {method} {path} within {self.connection.timeout:g} s", "timeout", transient=True
            )
        if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
            return self._error(
                f"the TLS connection was refused ({_why(error)}); does the node ask for a client certificate? "
                "Set connection.client_cert",
                "tls",
            )
        return self._error(
            f"the connection was cut during {method} {path} ({_why(error)})", "connection_lost", transient=True
        )

    def _refusal(self, method: str, path: str, status: int, body: Any, retry_after: Optional[str]) -> AdminError:
        found = body if isinstance(body, dict) else {}
        text = str(found.get("message") or f"status {status}")
        told = {"status": status, "body": body}
        if status == 401:
            return self._error(f"not let in: {text}; check connection.token", "unauthorised", **told)
        if status == 403:
            return self._error(
                f"{text}; the token's role must allow {method} {path.split('?')[0]}", "forbidden", **told
            )
        if status == 429:
            pause = _seconds(retry_after, self.timing.time())
            return self._error(text, "rate_limited", transient=True, retry_after=pause, **told)
        if status >= 500:
            return self._error(
                f"{method} {path.split('?')[0]}: {text} (status {status})",
                "server_error",
                transient=status in (500, 502, 503, 504),
                retry_after=_seconds(retry_after, self.timing.time()),
                **told,
            )
        reasons = {404: "not_found", 405: "not_allowed", 409: CONFLICT}
        codes = {2: "schema_violation", 4: "foreign_key", 13: "foreign_key", 19: "foreign_key", 14: "schema_violation"}
        reason = reasons.get(status) or codes.get(found.get("code") or 0, "refused")
        return self._error(text, reason, **told)


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
    return _Proxy(parts.hostname, _port(parts) or 80, headers)


def _excepted(host: str, exceptions: str) -> bool:
    for item in exceptions.lower().split(","):
        item = item.strip().lstrip(".")
        if item == "*" or (item and (host == item or host.endswith(f".{item}"))):
            return True
    return False


def _port(parts: Any) -> Optional[int]:
    try:
        port: Optional[int] = parts.port
    except ValueError as error:
        raise PlatformError(f"connection.url: {error}", "bad_option") from error
    return port


def _without_user(url: str) -> str:
    head, at, tail = url.rpartition("@")
    return f"{_HIDDEN}@{tail}" if at and head else url


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or str(error)
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return str(error) or type(error).__name__


def _seconds(text: Optional[str], now: float) -> Optional[float]:
    """`Retry-After` (RFC 9110, section 10.2.3): seconds or a date."""
    if not text:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        then = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=timezone.utc)
    return max(then.timestamp() - datetime.fromtimestamp(now, timezone.utc).timestamp(), 0.0)
