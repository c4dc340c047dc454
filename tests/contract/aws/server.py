# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The EC2 API on loopback: moto, held to what AWS documents where the two differ, and with faults.

    python server.py ── prints its port

What is put right here, by the EC2 API Reference of each action:

- DescribeSecurityGroups, DescribeSecurityGroupRules and DescribeNetworkInterfaces answer pages (`MaxResults`).
- AuthorizeSecurityGroup* take all rules of a call or none; a rule that differs in its description only is a duplicate.
- Descriptions of rules are told and changed whatever their other end is.
- DeleteSecurityGroup refuses a group that another group or a network interface uses (`DependencyViolation`).

Beside the API there are `POST /standin/faults`, a list of `Fault`s as mappings, and `POST /standin/calls`, the calls
since the last time, as the parameters that were sent.
"""

from __future__ import annotations

import copy
import io
import json
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Optional
from urllib.parse import parse_qsl

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError, InvalidSecurityGroupRuleIdNotFoundError
from moto.ec2.models import security_groups as model
from moto.ec2.responses.elastic_network_interfaces import ElasticNetworkInterfaces
from moto.ec2.responses.security_groups import SecurityGroups
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

SMALLEST_PAGE = 5


@dataclass
class Fault:
    """What the next calls of an action get instead of an answer.

    contains: only calls with this text in their parameters. skip, times: which of them, -1 for all that follow.
    status, code, message: the error.
    done: the call is done, and its answer is lost.
    """

    action: str
    code: str = ""
    message: str = "a fault of the test"
    status: int = 400
    contains: str = ""
    skip: int = 0
    times: int = 1
    done: bool = False


class Front:
    """Before moto."""

    def __init__(self, application: Any) -> None:
        self.application = application
        self.lock = threading.Lock()
        # What moto keeps is not made for several threads: now and then one of them is told of an error of the server.
        self.turn = threading.Lock()
        self.faults: list[Fault] = []
        self.calls: list[dict[str, str]] = []

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        if environ["PATH_INFO"].startswith("/standin/"):
            return self.control(environ["PATH_INFO"], body, start)
        told = dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True))
        fault = self.fault_of(told, body.decode("utf-8"))
        environ["wsgi.input"] = io.BytesIO(body)
        if fault is None:
            return self.answer(environ, start)
        if fault.done:
            self.answer(environ, _ignore)
        start(f"{fault.status} Fault", [("Content-Type", "text/xml")])
        text = (
            f"<Response><Errors><Error><Code>{fault.code}</Code><Message>{fault.message}</Message></Error></Errors>"
            "<RequestID>standin</RequestID></Response>"
        )
        return [text.encode("utf-8")]

    def answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        with self.turn:
            return list(self.application(environ, start))

    def fault_of(self, told: dict[str, str], text: str) -> Optional[Fault]:
        with self.lock:
            self.calls.append(told)
            for fault in self.faults:
                if fault.action == told.get("Action") and fault.contains in text and fault.times:
                    if fault.skip:
                        fault.skip -= 1
                        continue
                    fault.times -= 1
                    return copy.copy(fault)
        return None

    def control(self, path: str, body: bytes, start: Callable[..., Any]) -> Iterable[bytes]:
        with self.lock:
            if path == "/standin/faults":
                self.faults = [Fault(**one) for one in json.loads(body)]
                answer: Any = [asdict(fault) for fault in self.faults]
            else:
                answer, self.calls = self.calls, []
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(answer).encode("utf-8")]


def _ignore(*_arguments: Any) -> Callable[[bytes], None]:
    return lambda _data: None


class DependencyError(EC2ClientError):
    def __init__(self, group: str) -> None:
        super().__init__("DependencyViolation", f"resource {group} has a dependent object")


def paged(original: Callable[[Any], ActionResult], key: str) -> Callable[[Any], ActionResult]:
    def describe(self: Any) -> ActionResult:
        answer = original(self)
        most = self._get_param("MaxResults")
        if most is None:
            return answer
        most = int(most)
        if not SMALLEST_PAGE <= most <= 1000:
            raise EC2ClientError("InvalidParameterValue", f"MaxResults {most} is not from {SMALLEST_PAGE} to 1000")
        items = list(answer._result[key])  # type: ignore[index]
        at = int(self._get_param("NextToken") or 0)
        more = {"NextToken": str(at + most)} if at + most < len(items) else {}
        return ActionResult({key: items[at : at + most], **more})

    return describe


def atomic(original: Callable[[Any], ActionResult], rules: str) -> Callable[[Any], ActionResult]:
    def authorize(self: Any) -> ActionResult:
        group = self.ec2_backend.get_security_group_by_name_or_id(self._get_param("GroupId"))
        before = list(getattr(group, rules)) if group else []
        try:
            return original(self)
        except Exception:
            if group:
                setattr(group, rules, before)
            raise

    return authorize


def identity(rule: model.SecurityGroupRule) -> tuple[Any, ...]:
    return (
        rule.ip_protocol,
        rule.from_port,
        rule.to_port,
        rule.ip_range.get("CidrIp"),
        rule.ip_range.get("CidrIpv6"),
        rule.source_group.get("GroupId"),
        rule.prefix_list_id,
    )


def described(rule: model.SecurityGroupRule) -> dict[str, str]:
    """Where the description is."""
    if rule.prefix_list_id:
        return rule.__dict__.setdefault("prefix_list_entry", {})  # type: ignore[no-any-return]
    return rule.source_group or rule.ip_range


def with_prefix_list(original: Callable[..., None]) -> Callable[..., None]:
    def init(self: Any, *arguments: Any, **named: Any) -> None:
        original(self, *arguments, **named)
        entry = named.get("prefix_list_id") or (arguments[7] if len(arguments) > 7 else None)
        if entry:
            self.prefix_list_entry = dict(entry)

    return init


def modify(self: Any, group_id: str, rules: dict[str, dict[str, Any]]) -> None:
    group = self.get_security_group_by_name_or_id(group_id)
    for ident, told in rules.items():
        rule = group.get_rule(ident)
        if rule is None:
            raise InvalidSecurityGroupRuleIdNotFoundError(ident)
        described(rule)["Description"] = told.get("Description") or ""


def delete(original: Callable[..., None]) -> Callable[..., None]:
    def delete_group(self: Any, name: Any = None, group_id: Any = None) -> None:
        group = self.get_security_group_from_id(group_id)
        if group is not None:
            others = [one for one in self.groups[group.vpc_id].values() if one is not group]
            rules = [rule for one in others for rule in (*one.ingress_rules, *one.egress_rules)]
            named = any(rule.source_group.get("GroupId") == group_id for rule in rules)
            used = any(group in eni.group_set for eni in self.enis.values())
            if named or used:
                raise DependencyError(group_id)
        original(self, name, group_id)

    return delete_group


def hold_to_the_documentation() -> None:
    rule: Any = model.SecurityGroupRule
    rule.__init__ = with_prefix_list(rule.__init__)
    rule.__eq__ = lambda self, other: identity(self) == identity(other)
    rule.description = property(lambda self: described(self).get("Description") or None)
    backend: Any = model.SecurityGroupBackend
    backend.modify_security_group_rules = modify
    backend.delete_security_group = delete(backend.delete_security_group)
    answers: Any = SecurityGroups
    for name, key in (
        ("describe_security_groups", "SecurityGroups"),
        ("describe_security_group_rules", "SecurityGroupRules"),
    ):
        setattr(answers, name, paged(getattr(answers, name), key))
    for name, rules in (("ingress", "ingress_rules"), ("egress", "egress_rules")):
        name = f"authorize_security_group_{name}"
        setattr(answers, name, atomic(getattr(answers, name), rules))
    interfaces: Any = ElasticNetworkInterfaces
    interfaces.describe_network_interfaces = paged(interfaces.describe_network_interfaces, "NetworkInterfaces")


def main() -> None:
    hold_to_the_documentation()
    front = Front(DomainDispatcherApplication(create_backend_app))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        port = listener.getsockname()[1]
        server = make_server("127.0.0.1", port, front, threaded=True, fd=listener.fileno())
        print(port, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
