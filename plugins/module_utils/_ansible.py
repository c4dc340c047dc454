# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place that knows AnsibleModule.

A module's `main` declares its options and hands a body to `run`:

    main() ─▶ run(module, body) ─▶ body(module.params…) ─▶ Work(plan, apply, result)
                                   plan_fingerprint, plan_file, check mode, --diff are dealt with here
                                   PlatformError ─▶ fail_json(msg, reason, errors, what was done)

The body only reads. What it wants to change is its plan and the `apply` it returns, which `run` calls unless in check
mode or there is nothing to do. So check mode, the diff, the returned plan and the apply cannot differ.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule, env_fallback, missing_required_lib
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import write_atomic
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import Change, Plan

#: What a result shows of a plan, and a diff of its changes. The whole plan goes to `plan_file`.
SHOWN_CHANGES = 100

#: Documented in the fragment `zerotrust.platform.graph`.
GRAPH_OPTIONS: dict[str, dict[str, Any]] = {
    "src": {"type": "path", "required": True},
    "overrides": {"type": "dict"},
}

#: Documented in the fragment `zerotrust.platform.plan`.
PLAN_OPTIONS: dict[str, dict[str, Any]] = {
    "plan_file": {"type": "path"},
    "plan_fingerprint": {"type": "str"},
}

#: Documented in the fragment `zerotrust.platform.sync`, which goes with `zerotrust.platform.plan`.
SYNC_OPTIONS: dict[str, dict[str, Any]] = {
    **PLAN_OPTIONS,
    "policy": {"type": "str", "choices": ["sync", "upsert_only", "create_only"], "default": "sync"},
    "purge": {"type": "bool", "default": False},
    "adopt": {"type": "bool", "default": False},
    "limits": {
        "type": "dict",
        "options": {
            "delete": {"type": "int", "default": 30},
            "update": {"type": "int", "default": 30},
            "objects": {"type": "int", "default": 10},
            "allow_empty": {"type": "bool", "default": False},
        },
    },
    "on_failure": {"type": "str", "choices": ["stop", "rollback"], "default": "stop"},
    "concurrency": {"type": "int", "default": 8},
    "journal_file": {"type": "path"},
}


class Module(AnsibleModule):  # type: ignore[misc]
    """An AnsibleModule whose line in the system's log leaves out options that hold others, of which some may be secret.

    Ansible writes such options as Python shows them, and then looks for the secrets as they are. One with a backslash
    or with quotes is not found again, as it is written with more backslashes.
    """

    params: dict[str, Any]

    def _log_invocation(self) -> None:
        whole = self.params
        self.params = {name: value for name, value in whole.items() if not isinstance(value, (dict, list))}
        try:
            super()._log_invocation()
        finally:
            self.params = whole


@dataclass(frozen=True)
class Work:
    """What a body found, and how to do what its plan says.

    plan: None for a module that only looks.
    apply: does it; what it returns replaces items of `result`.
    result: what the module returns beside the plan.
    msg: one sentence; by default the plan's counts.
    failure: why the task fails although the body did its work (and `apply` is called): what a module that judges says
        of what it has judged.
    close: gives back what the body holds, such as a lock; called at the end, whatever happened.
    finish: waits for what takes its time, whether this run has changed anything or not; not in check mode.
    """

    plan: Optional[Plan] = None
    apply: Optional[Callable[[], Optional[Mapping[str, Any]]]] = None
    result: Mapping[str, Any] = field(default_factory=dict)
    msg: str = ""
    warnings: Sequence[str] = ()
    failure: str = ""
    close: Callable[[], None] = lambda: None
    finish: Callable[[], None] = lambda: None


def require(module: AnsibleModule, *libraries: tuple[str, str]) -> None:
    """Fail unless each library can be imported. Each is (name to import, name to install)."""
    for name, distribution in libraries:
        try:
            importlib.import_module(name)
        except ImportError:
            module.fail_json(
                msg=missing_required_lib(distribution), reason="missing_library", exception=traceback.format_exc()
            )


def by_environment(options: Mapping[str, tuple[str, dict[str, Any]]], prefix: str) -> dict[str, dict[str, Any]]:
    """Options that the environment may set: name -> (variable without its prefix, spec)."""
    return {
        name: {**spec, "fallback": (env_fallback, [prefix + variable])} for name, (variable, spec) in options.items()
    }


def refuse_missing(distributions: Sequence[str]) -> None:
    """Raise :class:`PlatformError` for the first library that turned out to be missing when it was needed."""
    for distribution in distributions:
        raise PlatformError(missing_required_lib(distribution), "missing_library")


def run(module: AnsibleModule, body: Callable[[AnsibleModule], Work]) -> None:
    """Run a module's body to its end: exit_json or fail_json."""
    # A module's process ends in a moment, and what it holds are trees without cycles: walking them again and again
    # for garbage is half of the CPU time of a graph of 5,000 services, and frees nothing.
    gc.disable()
    try:
        work = body(module)
        try:
            result = _done(module, work)
        finally:
            work.close()
    except PlatformError as error:
        details = {"errors": list(error.details)} if error.details else {}
        module.fail_json(**{**error.result, "msg": error.message, "reason": error.reason, **details})
    except OSError as error:
        # No expected error of ours carries a traceback; a system's error says enough by itself.
        place = f"{error.filename}: " if error.filename else ""
        module.fail_json(msg=f"{place}{error.strerror or error}", reason="os_error")
    else:
        if work.failure:
            module.fail_json(**{**result, "msg": work.failure})
        module.exit_json(**result)


def _done(module: AnsibleModule, work: Work) -> dict[str, Any]:
    for warning in work.warnings:
        module.warn(warning)
    plan = work.plan
    if plan is None:
        return {"changed": False, "msg": work.msg, **work.result}
    _check_fingerprint(plan, module.params.get("plan_fingerprint"))
    if module.params.get("plan_file"):
        write_plan_file(plan, module.params["plan_file"])
    result: dict[str, Any] = {
        "changed": plan.changed,
        "plan": plan.to_data(SHOWN_CHANGES),
        "msg": work.msg or summary(plan, module.check_mode),
        **work.result,
    }
    if module._diff:
        result["diff"] = [_diff(change) for change in plan.changes[:SHOWN_CHANGES]]
    if plan.changed and work.apply is not None and not module.check_mode:
        try:
            result.update(work.apply() or {})
        except PlatformError as error:
            # An apply that tells how far it got is told together with what it was to do.
            if error.result:
                error.result = {**result, **error.result}
            raise
    if not module.check_mode:
        try:
            work.finish()
        except PlatformError as error:
            error.result = {**result, **error.result}
            raise
    return result


def _check_fingerprint(plan: Plan, approved: Optional[str]) -> None:
    # With nothing left to do, what was approved has been done: a second run is no error.
    if approved and plan.changed and plan.fingerprint != approved.strip().lower():
        raise PlatformError(
            f"The plan is not the one that was approved: plan_fingerprint is {approved}, this plan's is "
            f"{plan.fingerprint}. Nothing was changed. Look at the new plan and approve that",
            "plan_changed",
        )


def write_plan_file(plan: Plan, path: str) -> None:
    # In check mode too: a plan is asked for there more than anywhere. It is no part of what the module manages.
    content = (json.dumps(plan.to_data(-1), indent=2, sort_keys=True) + "\n").encode("utf-8")
    write_atomic(os.path.expanduser(path), content)  # noqa: PTH111


def summary(plan: Plan, check_mode: bool = False) -> str:
    """The plan's counts as a sentence."""
    counts = plan.counts
    if not plan.changed:
        return f"Nothing to change, {counts['unchanged']} as declared."
    done = ("to create", "to update", "to delete") if check_mode else ("created", "updated", "deleted")
    parts = [f"{counts[action]} {word}" for action, word in zip(("create", "update", "delete"), done) if counts[action]]
    return f"{', '.join(parts)}, {counts['unchanged']} unchanged."


def _diff(change: Change) -> dict[str, str]:
    header = f"{change.kind} {change.name}"
    because = f" ({', '.join(change.reasons)})" if change.reasons else ""
    return {
        "before_header": header,
        "after_header": header + because,
        "before": _text(change.before),
        "after": _text(change.after),
    }


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
