# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One region of the EC2 API: how it is reached, and what its errors mean.

    options, environment ─▶ connect ─▶ Ec2.call, Ec2.pages ─▶ answers, or Ec2Error

botocore and not boto3, which is made of it: nothing of what boto3 adds is used, and it costs 0.1 CPU seconds a task.
Credentials, region and proxies are found as botocore and so every AWS tool finds them. Throttled calls and lost
connections are tried again by botocore in its adaptive mode, which also slows down the calls that follow; what is
raised here is final, unless it says that it is `transient`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.provider import ApplyError

#: Documented in the fragment `zerotrust.platform.aws`; named as amazon.aws names them.
AWS_OPTIONS: dict[str, dict[str, Any]] = {
    "region": {"type": "str", "aliases": ["aws_region", "ec2_region"]},
    "profile": {"type": "str", "aliases": ["aws_profile"]},
    "access_key": {"type": "str", "aliases": ["aws_access_key_id", "aws_access_key"], "no_log": False},
    "secret_key": {"type": "str", "aliases": ["aws_secret_access_key", "aws_secret_key"], "no_log": True},
    "session_token": {"type": "str", "aliases": ["aws_session_token"], "no_log": True},
    "endpoint_url": {"type": "str", "aliases": ["aws_endpoint_url"]},
    "aws_ca_bundle": {"type": "path"},
    "validate_certs": {"type": "bool", "default": True},
}
#: What goes with them in an argument spec.
EXCLUSIVE = [("profile", "access_key"), ("profile", "secret_key"), ("profile", "session_token")]
TOGETHER = [("access_key", "secret_key")]

#: Attempts of one call, the first one included.
ATTEMPTS = 10
CONNECT_TIMEOUT = 10
READ_TIMEOUT = 60

#: What one page of an answer holds at most, and one filter (EC2 API Reference).
PAGE = 1000
FILTER_VALUES = 200

_EXPIRED = ("RequestExpired", "ExpiredToken", "ExpiredTokenException")
_UNKNOWN = ("AuthFailure", "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch")
_THROTTLED = ("RequestLimitExceeded", "Throttling", "ThrottlingException", "EC2ThrottledException")


class Ec2Error(ApplyError):
    """A call that did not succeed. code: as the EC2 API has it, such as `InvalidGroup.NotFound`, or empty."""

    def __init__(
        self,
        message: str,
        reason: str = "refused",
        transient: bool = False,
        retry_after: Optional[float] = None,
        code: str = "",
    ) -> None:
        super().__init__(message, reason, transient, retry_after)
        self.code = code


class Ec2:
    """A client for one region, to be shared by threads. calls: how many calls were made."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = threading.Lock()
        self.calls = 0
        self.region = str(client.meta.region_name)

    def call(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        """One call, such as `call("CreateTags", Resources=[…], Tags=[…])`. Raises Ec2Error."""
        from botocore import xform_name  # pylint: disable=import-outside-toplevel
        from botocore.exceptions import BotoCoreError, ClientError  # pylint: disable=import-outside-toplevel

        with self._lock:
            self.calls += 1
        try:
            answer: Mapping[str, Any] = getattr(self._client, xform_name(operation))(**arguments)
        except ClientError as error:
            raise _refused(operation, error.response.get("Error") or {}) from error
        except BotoCoreError as error:
            raise _failed(error) from error
        return answer

    def pages(self, operation: str, key: str, page: int = PAGE, **arguments: Any) -> Iterator[Any]:
        """All items of a list, page by page."""
        token = ""
        while True:
            answer = self.call(operation, **arguments, MaxResults=page, **({"NextToken": token} if token else {}))
            yield from answer.get(key) or ()
            following = answer.get("NextToken") or ""
            if not following:
                return
            if following == token:
                raise Ec2Error(f"{operation} answers the same page again and again", "bad_response")
            token = following

    def filtered(self, operation: str, key: str, name: str, values: Sequence[str], page: int = PAGE) -> Iterator[Any]:
        """All items of which a filter has one of these values, in as few calls as filters have room for."""
        for at in range(0, len(values), FILTER_VALUES):
            part = [{"Name": name, "Values": list(values[at : at + FILTER_VALUES])}]
            yield from self.pages(operation, key, page, Filters=part)

    def allows(self, operation: str, **arguments: Any) -> bool:
        """Whether the credentials have the permission for a call, which is not made (`DryRun`)."""
        try:
            self.call(operation, DryRun=True, **arguments)
        except Ec2Error as error:
            if error.code == "DryRunOperation":
                return True
            if error.reason != "unauthorized":
                raise
        return False

    def close(self) -> None:
        self._client.close()


def connect(params: Mapping[str, Any], connections: int = 8) -> Ec2:
    """A client as a module's options say. Calls nothing. Raises Ec2Error."""
    # Nothing else of a run needs it, and it takes 0.4 CPU seconds.
    from botocore import session as sessions  # pylint: disable=import-outside-toplevel
    from botocore.config import Config  # pylint: disable=import-outside-toplevel
    from botocore.exceptions import BotoCoreError  # pylint: disable=import-outside-toplevel

    # botocore knows AWS_DEFAULT_REGION only.
    region = params.get("region") or os.environ.get("AWS_REGION") or None
    given = {key: params.get(key) or None for key in AWS_OPTIONS}
    try:
        session = sessions.Session(profile=given["profile"])
        if given["access_key"]:
            session.set_credentials(given["access_key"], given["secret_key"], given["session_token"])
        verify: Any = params["validate_certs"]
        if verify:
            # None leaves the environment's AWS_CA_BUNDLE and the profile's ca_bundle in force.
            verify = given["aws_ca_bundle"]
        config = Config(
            retries={"mode": "adaptive", "total_max_attempts": ATTEMPTS},
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            max_pool_connections=connections,
            parameter_validation=False,
        )
        return Ec2(
            session.create_client(
                "ec2", region_name=region, endpoint_url=given["endpoint_url"], verify=verify, config=config
            )
        )
    except (BotoCoreError, ValueError) as error:
        raise _failed(error) from error


def _refused(operation: str, error: Mapping[str, Any]) -> Ec2Error:
    code, message = str(error.get("Code") or ""), str(error.get("Message") or "").rstrip(".")
    action = f"ec2:{operation}"
    if code == "UnauthorizedOperation":
        text = f"AWS refuses {action}: the credentials lack this permission; allow the IAM action {action}"
        return Ec2Error(text, "unauthorized", code=code)
    if code in _EXPIRED:
        return Ec2Error(
            f"AWS refuses {action}: the credentials have expired; renew them ({code})", "expired", code=code
        )
    if code in _UNKNOWN:
        text = f"AWS refuses {action}: it does not know the credentials ({code}); check key, secret and session token"
        return Ec2Error(text, "bad_credentials", code=code)
    if code in _THROTTLED:
        text = (
            f"AWS still limits the rate of {action} after {ATTEMPTS} attempts ({code}); lower concurrency, or run again"
        )
        return Ec2Error(text, "throttled", code=code)
    return Ec2Error(f"AWS refuses {action}: {message or 'no reason given'} ({code or 'no code'})", "refused", code=code)


def _failed(error: Exception) -> Ec2Error:
    """What botocore itself found, before a call or on its way."""
    kind, text = type(error).__name__, str(error).rstrip(".")
    if kind in ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"):
        hint = "set profile, or access_key and secret_key, or the environment's AWS_PROFILE or AWS_ACCESS_KEY_ID"
        return Ec2Error(f"No AWS credentials ({text}); {hint}", "no_credentials")
    if kind == "NoRegionError":
        return Ec2Error("No AWS region; set region, the environment's AWS_REGION, or the profile's region", "no_region")
    if kind == "ProfileNotFound":
        return Ec2Error(f"{text}; check profile, or the environment's AWS_PROFILE", "bad_option")
    if kind in ("UnauthorizedSSOTokenError", "SSOTokenLoadError", "TokenRetrievalError"):
        return Ec2Error(f"The AWS credentials have expired ({text}); sign in again", "expired")
    if kind in ("InvalidRegionError", "ValueError", "InvalidConfigError", "ConfigParseError"):
        return Ec2Error(f"The AWS options are not valid: {text}", "bad_option")
    return Ec2Error(f"AWS cannot be reached: {text} ({kind})", "unreachable")
