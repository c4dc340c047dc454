#!/usr/bin/python

# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container_audit
short_description: Say how well containers are confined, with the evidence
version_added: 0.1.0
description:
  - Inspects containers of a Docker engine, of any stack, and judges each by ten features and by the runtime checks of
    the CIS Docker Benchmark v1.6.0, section 5. Each judgement has its evidence, the value that was seen.
  - A score is the share of what passed among what passed or failed, in per cent, rounded down. What is not applicable
    or can be told by a person alone counts for nothing.
  - The features are C(non_root_user), C(read_only_root), C(capabilities_dropped), C(no_new_privileges),
    C(resource_limits), C(health_check), C(secrets_as_files), C(host_isolation), C(network_isolation) and
    C(image_pinned). The checks are C(5.1) to C(5.32), where C(5.1) is the engine's.
  - Secrets in the environment are shown by the variable's name and the rule that told it, never by their value.
extends_documentation_fragment:
  - zerotrust.platform.docker
options:
  containers:
    description: Names or ids of the containers to judge, whether they run or not. One that is not there is an error.
    type: list
    elements: str
    default: []
  project:
    description: Judge the containers of a project of Docker Compose.
    type: str
  stopped:
    description: Whether containers that do not run are judged too. Those of O(containers) always are.
    type: bool
    default: false
  report_file:
    description: A JSON file for the whole answer, with a row for each container and check.
    type: path
  fail_on:
    description:
      - What makes the task fail, if it failed and no exception accepts it. C(features), C(cis), or ids of checks.
      - An empty list reports only.
    type: list
    elements: str
    default: [features]
  minimum_score:
    description: The task fails if a container's score of features is below. Exceptions do not help here.
    type: int
    default: 0
  exceptions:
    description:
      - Failures that are accepted. They are shown with their reason, do not fail the task, and leave the score as it
        is.
    type: list
    elements: dict
    default: []
    suboptions:
      check:
        description: The id of the check.
        type: str
        required: true
      container:
        description: The container's name; V(*) for all.
        type: str
        required: true
      reason:
        description: Why the failure is accepted.
        type: str
        required: true
      expires:
        description: The last day on which the exception holds, UTC, such as V(2027-01-31).
        type: str
attributes:
  check_mode:
    support: full
    description: Judges as always; O(report_file) is compared and not written.
  diff_mode:
    support: full
    description: Shows O(report_file) before and after.
  idempotent:
    support: full
    description: The same containers give the same answer.
  action_group:
    support: full
    description: Use C(group/zerotrust.platform.docker) in C(module_defaults) to set the options of the connection.
    membership:
      - zerotrust.platform.docker
  platform:
    support: full
    platforms: posix
    description: Runs where the engine's address leads to it, usually on its machine.
author:
  - zerotrust.platform contributors (@zerotrust-platform)
"""

EXAMPLES = r"""
- name: Judge all containers that run, and go on whatever they are like
  zerotrust.platform.container_audit:
    fail_on: []
  register: audit

- name: Show each finding
  ansible.builtin.debug:
    msg: "{{ audit.findings | map(attribute='text') }}"

- name: Ask for all features of a stack, but for one container's socket
  zerotrust.platform.container_audit:
    project: shop
    fail_on: [features, "5.22"]
    report_file: /var/log/container-audit.json
    exceptions:
      - check: host_isolation
        container: shop-docker-socket-proxy-1
        reason: It is the one that may ask the engine, and lets four requests through.
        expires: "2027-12-31"
"""

RETURN = r"""
score:
  description: The features of all containers.
  returned: success
  type: dict
  contains:
    passed:
      description: How many passed.
      type: int
    applicable:
      description: How many passed or failed.
      type: int
    score:
      description: The share in per cent, rounded down. Null if none is applicable.
      type: int
cis_score:
  description: The same of the checks of CIS, with the engine's.
  returned: success
  type: dict
containers:
  description: By container, the scores C(features) and C(cis).
  returned: success
  type: dict
counts:
  description: How many checks had each outcome.
  returned: success
  type: dict
  sample: {pass: 38, fail: 1, not_applicable: 3, manual: 2}
findings:
  description: The first hundred failures. All checks are in O(report_file).
  returned: success
  type: list
  elements: dict
  contains:
    container:
      description: Its name; C((engine)) for the engine.
      type: str
    group:
      description: C(features) or C(cis).
      type: str
    check:
      description: The id of the check.
      type: str
    title:
      description: What should be so.
      type: str
    outcome:
      description: C(fail).
      type: str
    evidence:
      description: What was seen.
      type: str
    exception:
      description: Why the failure is accepted; empty if it is not.
      type: str
    text:
      description: The finding in one sentence.
      type: str
  sample:
    - container: web
      group: features
      check: read_only_root
      title: The root filesystem is read-only
      outcome: fail
      evidence: ReadonlyRootfs=false
      exception: ""
      text: "web: read_only_root (The root filesystem is read-only) fail: ReadonlyRootfs=false"
notes:
  description: What could not be looked at, and exceptions that have expired or are not needed.
  returned: success
  type: list
  elements: str
"""

import json
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.zerotrust.platform.plugins.module_utils._ansible import Work, by_environment, require, run
from ansible_collections.zerotrust.platform.plugins.module_utils._containers.audit import (
    CIS_IDS,
    FEATURE_IDS,
    audit,
    failure,
    verdict,
    waivers,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._containers.engine import DOCKER_OPTIONS, Engine
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import refuse
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.single import apply_file, plan_file

SHOWN_FINDINGS = 100


def body(module: AnsibleModule) -> Work:
    params = module.params
    known = ["features", "cis", *FEATURE_IDS, *CIS_IDS]
    refuse([f"fail_on: there is no check {name}" for name in params["fail_on"] if name not in known], "bad_option")
    accepted = waivers(params["exceptions"])
    engine = Engine(params, os.environ.get("DOCKER_CERT_PATH", ""))
    try:
        seen = engine.read(params["containers"], params["project"] or "", params["stopped"])
    finally:
        engine.close()
    found = audit(seen.subjects, seen.info, accepted, notes=seen.notes)
    result, said = found.to_data(SHOWN_FINDINGS), verdict(found)
    failed = failure(found, params["fail_on"], params["minimum_score"])
    path = params["report_file"]
    if not path:
        return Work(result=result, msg=said, failure=failed)
    content = (json.dumps(found.to_data(), indent=1) + "\n").encode("utf-8")
    return Work(plan_file(path, content), lambda: apply_file(path, content), result, msg=said, failure=failed)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **by_environment(DOCKER_OPTIONS, "DOCKER_"),
            "containers": {"type": "list", "elements": "str", "default": []},
            "project": {"type": "str"},
            "stopped": {"type": "bool", "default": False},
            "report_file": {"type": "path"},
            "fail_on": {"type": "list", "elements": "str", "default": ["features"]},
            "minimum_score": {"type": "int", "default": 0},
            "exceptions": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "check": {"type": "str", "required": True},
                    "container": {"type": "str", "required": True},
                    "reason": {"type": "str", "required": True},
                    "expires": {"type": "str"},
                },
            },
        },
        mutually_exclusive=[("containers", "project")],
        supports_check_mode=True,
    )
    require(module, ("docker", "docker"))
    run(module, body)


if __name__ == "__main__":
    main()
