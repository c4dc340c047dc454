# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Kubernetes API server: JSON in and out, pages, and refusals told apart.

    call(method, path, body, query) ─▶ pool of keep-alive connections ─▶ JSON
                                           └ everything else is an ApiError: reason, transient, retry_after

`urllib3` brings connections, TLS and proxies; the engine brings the threads and the retries of writes, `get` retries
reads. Seconds everywhere.

Reasons: unreachable, dns, tls, timeout, connection_lost, unauthorised, forbidden, not_found, conflict, rate_limited,
server_error, invalid, refused, bad_response.
"""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Optional
from urllib.parse import urlencode, urlsplit

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.access import Access
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.executor import (
    ATTEMPTS,
    FIRST_WAIT,
    LONGEST_WAIT,
    PATIENCE,
    Timing,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.provider import CONFLICT, ApplyError

try:
    import urllib3

    # Where it is in urllib3 1.26 and in 2.
    from urllib3._collections import HTTPHeaderDict
except ImportError:  # pragma: no cover - the module says that urllib3 is missing before anything is read
    urllib3 = None  # type: ignore[assignment]

JSON = "application/json"
#: A server-side apply; JSON is YAML.
APPLY = "application/apply-patch+yaml"
#: Objects in a page.
PAGE = 500
#: Pages of a list are of one moment; a server forgets it after some minutes (410), and the list begins anew.
RESTARTS = 3

Query = Mapping[str, str]


class ApiError(ApplyError):
    """What the API server, or the way to it, refused. `status` is 0 where there was no answer; body: a Status."""

    def __init__(
        self,
        message: str,
        reason: str,
        transient: bool = False,
        retry_after: Optional[float] = None,
        status: int = 0,
        body: Optional[Mapping[str, Any]] = None,
    ) -> None:
        super().__init__(message, reason, transient, retry_after)
        self.status = status
        self.body = body or {}


class Client:
    """One API server. Bears threads. Close it.

    timeout: for connecting, and for each wait for an answer. connections: kept open at most. renew: tells of a token
    that has been renewed, after one was refused.
    """

    def __init__(
        self,
        access: Access,
        timeout: float = 30.0,
        connections: int = 8,
        timing: Optional[Timing] = None,
        renew: Optional[Callable[[], Access]] = None,
    ) -> None:
        parts = urlsplit(access.host)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise PlatformError(f"host: {access.host!r} is no http:// or https:// address", "bad_option")
        self.where = f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")
        self.timing = timing or Timing()
        self.requests = 0
        self._secrets = [text for text in (access.token, access.password) if text]
        self._timeout, self._renew = timeout, renew
        self._lock = threading.Lock()
        self._headers = _headers(access)
        options: dict[str, Any] = {
            "num_pools": 1,
            "maxsize": connections,
            "block": True,
            "retries": False,
            "timeout": timeout,
        }
        if parts.scheme == "https":
            options["ssl_context"] = _tls(access)
            if access.server_name:
                options |= {"server_hostname": access.server_name, "assert_hostname": access.server_name}
        if not access.validate_certs:
            # Who has said so need not be told.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        proxy = _proxy(access, parts.scheme, parts.hostname)
        self._pool = urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)

    def close(self) -> None:
        self._pool.clear()

    def get(self, path: str, query: Optional[Query] = None, accept: str = JSON) -> Any:
        return self.ask("GET", path, query=query, accept=accept)

    def ask(
        self,
        method: str,
        path: str,
        body: Optional[Mapping[str, Any]] = None,
        query: Optional[Query] = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Any:
        """What may be done twice, tried again where that may help."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return self.call(method, path, body, query, content_type, accept)
            except ApiError as error:
                if not error.transient or attempt >= ATTEMPTS or (error.retry_after or 0) > PATIENCE:
                    raise
                pause = error.retry_after
                if pause is None:
                    pause = self.timing.random() * min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (attempt - 1))
                self.timing.sleep(max(pause, 0.0))

    def find(self, path: str) -> Optional[dict[str, Any]]:
        """An object, or None where there is none."""
        try:
            found: dict[str, Any] = self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        return found

    def list(self, path: str, selector: str = "") -> list[dict[str, Any]]:
        """All objects of a collection, page by page."""
        for left in reversed(range(RESTARTS)):
            try:
                return list(self._pages(path, selector))
            except ApiError as error:
                if error.status != 410 or not left:
                    raise
        return []

    def _pages(self, path: str, selector: str) -> Iterator[dict[str, Any]]:
        query = {"limit": str(PAGE), **({"labelSelector": selector} if selector else {})}
        while True:
            page = self.get(path, query)
            items = page.get("items") if isinstance(page, Mapping) else None
            if items is None:
                raise self.error(f"{path} is no list of objects; is this a Kubernetes API server?", "bad_response")
            yield from items
            following = (page.get("metadata") or {}).get("continue")
            if not following:
                return
            query["continue"] = following

    def call(
        self,
        method: str,
        path: str,
        body: Optional[Mapping[str, Any]] = None,
        query: Optional[Query] = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Any:
        """The answer's JSON; ApiError for everything but a success."""
        headers = self._headers
        try:
            return self._call(headers, method, path, body, query, content_type, accept)
        except ApiError as error:
            # What was not let in was not done.
            if error.status != 401 or not self._renewed(headers):
                raise
        return self._call(self._headers, method, path, body, query, content_type, accept)

    def _renewed(self, used: HTTPHeaderDict) -> bool:
        """Whether there is another token than the one that was used: its file, or who makes it, may have a new one."""
        with self._lock:
            if self._renew is not None and self._headers is used:
                access = self._renew()
                self._secrets += [text for text in (access.token, access.password) if text]
                renewed = _headers(access)
                if renewed != used:
                    self._headers = renewed
            return self._headers is not used

    def _call(
        self,
        headers: HTTPHeaderDict,
        method: str,
        path: str,
        body: Optional[Mapping[str, Any]],
        query: Optional[Query],
        content_type: str,
        accept: str,
    ) -> Any:
        headers = headers.copy()
        headers["Accept"] = accept
        content = None
        if body is not None:
            content = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
            headers["Content-Type"] = content_type
        url = self.where + path + (f"?{urlencode(query)}" if query else "")
        self.requests += 1
        try:
            answer = self._pool.request(method, url, body=content, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise self._no_answer(method, path, error) from error
        try:
            found = json.loads(answer.data) if answer.data else None
        except ValueError:
            found = None
            if answer.status < 500:
                raise self.error(
                    f"{method} {path} was answered with something that is no JSON (status {answer.status}); is this a "
                    "Kubernetes API server?",
                    "bad_response",
                    status=answer.status,
                ) from None
        if answer.status < 300:
            return found
        raise self._refusal(method, path, answer.status, found, answer.headers.get("retry-after"))

    def error(self, message: str, reason: str, **others: Any) -> ApiError:
        for secret in self._secrets:
            message = message.replace(secret, "***")
        return ApiError(message, reason, **others)

    def _refusal(self, method: str, path: str, status: int, body: Any, retry_after: Optional[str]) -> ApiError:
        found = body if isinstance(body, Mapping) else {}
        text = str(found.get("message") or f"{method} {path}: status {status}")
        told: dict[str, Any] = {"status": status, "body": found}
        if status == 401:
            return self.error(
                f"{self.where}: not let in: {text}; the token or certificate is wrong or has expired",
                "unauthorised",
                **told,
            )
        if status == 403:
            # The server's authorizer names user, verb, resource and namespace; admission says other things.
            if re.search(r'User "[^"]*" cannot \w+ (resource|path) ', text):
                text += "; give this user that right by a role and its binding, or use an account that has it"
            return self.error(text, "forbidden", **told)
        if status == 429 or status >= 500:
            told["retry_after"] = float(retry_after) if retry_after and retry_after.strip().isdigit() else None
            # A webhook that does not answer is a 500 as well, and may be back in a moment.
            return self.error(text, "rate_limited" if status == 429 else "server_error", transient=True, **told)
        reasons = {400: "invalid", 404: "not_found", 409: CONFLICT, 415: "invalid", 422: "invalid"}
        return self.error(text, reasons.get(status, "refused"), **told)

    def _no_answer(self, method: str, path: str, error: Exception) -> ApiError:
        reason = getattr(error, "reason", error)
        cause = reason if isinstance(reason, Exception) else error
        told = f"{self.where}: "
        if isinstance(cause.__cause__ or cause.__context__, socket.gaierror):
            return self.error(f"{told}the host name cannot be resolved; check host", "dns")
        if isinstance(cause, (urllib3.exceptions.SSLError, ssl.SSLError)):
            return self.error(
                f"{told}no TLS connection ({_why(cause)}); set ca_cert to the CA's file, or client_cert and client_key",
                "tls",
            )
        # In urllib3 2 the first is a kind of the second.
        if isinstance(cause, urllib3.exceptions.NewConnectionError):
            return self.error(
                f"{told}no connection ({_why(cause)}); check host and that the server runs", "unreachable"
            )
        if isinstance(cause, urllib3.exceptions.ConnectTimeoutError):
            return self.error(f"{told}no connection within {self._timeout:g} s", "timeout")
        if isinstance(cause, urllib3.exceptions.ReadTimeoutError):
            return self.error(
                f"{told}no answer to {method} {path} within {self._timeout:g} s", "timeout", transient=True
            )
        return self.error(
            f"{told}the connection was cut during {method} {path} ({_why(cause)})", "connection_lost", transient=True
        )


def _why(error: BaseException) -> str:
    inner = error.__cause__ or error.__context__
    if isinstance(error, ssl.SSLError):
        return error.reason or str(error)
    if isinstance(inner, OSError):
        return getattr(inner, "verify_message", "") or inner.strerror or str(inner)
    return str(error).rpartition(": ")[2] or type(error).__name__


def _headers(access: Access) -> HTTPHeaderDict:
    headers = HTTPHeaderDict({"User-Agent": "zerotrust.platform"})
    if access.token:
        headers["Authorization"] = f"Bearer {access.token}"
    elif access.username:
        pair = f"{access.username}:{access.password}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    if access.impersonate_user:
        headers["Impersonate-User"] = access.impersonate_user
    for group in access.impersonate_groups:
        headers.add("Impersonate-Group", group)
    return headers


def _tls(access: Access) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=access.ca or None)
        if not access.validate_certs:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif not hasattr(urllib3, "HTTPHeaderDict"):
            # 1.26 names no addresses to OpenSSL, and holds the certificate against the name or address by itself.
            context.check_hostname = False
    except ssl.SSLError as error:
        raise PlatformError(f"ca_cert: is no PEM certificate ({error.reason or error})", "bad_option") from error
    if access.client_cert:
        # OpenSSL takes a key by its file only. This one is for us alone (0600), and gone before anything else is done.
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(access.client_cert + "\n" + access.client_key)
            file.flush()
            try:
                # Without this an encrypted key is asked for on the terminal.
                context.load_cert_chain(file.name, password=lambda: "")
            except (ssl.SSLError, ValueError) as error:
                raise PlatformError(f"client_cert: cannot be used with its key ({error})", "bad_option") from error
    return context


def _proxy(access: Access, scheme: str, host: str) -> str:
    """The proxy that is named by the option, else by the environment."""
    for item in (access.no_proxy or os.environ.get("no_proxy", "")).lower().split(","):
        item = item.strip().lstrip(".")
        if item == "*" or (item and (host == item or host.endswith(f".{item}"))):
            return ""
    return access.proxy or os.environ.get(f"{scheme}_proxy", "")
