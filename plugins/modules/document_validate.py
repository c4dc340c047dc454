#!/usr/bin/python

# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: document_validate
short_description: Validate Kubernetes, Istio, Kong, SPIRE and AWS documents against their schemas
version_added: 0.1.0
description:
  - Reads a file or a directory of YAML and JSON documents, whoever wrote them, and reports every mistake in one run,
    each with file, object and path.
  - Kubernetes' own kinds are validated strictly, so that unknown fields are mistakes, against the schemas that
    C(kubernetes-validate) brings.
  - Istio resources are validated strictly against the schemas of Istio 1.24, which C(cloudcoil-models-istio) brings.
  - Kong's declarative configuration, in the form of Kong and of decK, is validated with the configuration of the
    plugins C(cors), C(key-auth), C(rate-limiting), C(request-transformer) and C(request-termination). Of other plugins
    only the envelope is.
  - The files that C(spire-server entry create -data) reads, and AWS security groups as C(DescribeSecurityGroups) gives
    them, are validated too.
  - Repeated keys, two objects of one name and references to nothing are mistakes as well.
  - Custom resources of which no schema is known are counted in RV(unchecked), and a warning names them.
  - Compose files are counted there too. C(docker compose config) validates them.
options:
  path:
    description:
      - The file or directory. Of a directory all files below it are read that end with C(.yml), C(.yaml) or C(.json);
        hidden files and directories are passed over.
    type: path
    required: true
  kubernetes_version:
    description:
      - The version of Kubernetes that will read the documents, such as V(1.31).
      - By default the newest of which C(kubernetes-validate) has schemas.
    type: str
  fail_on_problems:
    description: Whether the module fails where there are problems. With V(false) it returns them only.
    type: bool
    default: true
requirements:
  - PyYAML
  - jsonschema-rs >= 0.60
  - kubernetes-validate, where there are Kubernetes objects
  - cloudcoil-models-istio, where there are Istio resources
attributes:
  check_mode:
    support: full
    description: Reads only, and so does the same in check mode.
  diff_mode:
    support: N/A
    description: Changes nothing.
  idempotent:
    support: full
    description: Changes nothing.
  platform:
    support: full
    platforms: posix
    description: Runs on any POSIX system, usually on the control node.
author:
  - zerotrust.platform contributors (@zerotrust-platform)
"""

EXAMPLES = r"""
- name: Validate what was rendered
  zerotrust.platform.document_validate:
    path: build/local/rendered

- name: Validate manifests for the cluster's version, and go on whatever they are like
  zerotrust.platform.document_validate:
    path: manifests
    kubernetes_version: "1.31"
    fail_on_problems: false
  register: manifests
"""

RETURN = r"""
counts:
  description: What was validated, by kind. Of a list, such as SPIRE's entries, its items are counted.
  returned: success
  type: dict
  sample: {AuthorizationPolicy: 6, Kong configuration: 1, NetworkPolicy: 8, SPIRE entry: 6}
unchecked:
  description: The number of documents of which no schema is known, by version and kind.
  returned: success
  type: dict
  sample: {gateway.networking.k8s.io/v1 HTTPRoute: 1}
problems:
  description: Every mistake, one sentence each.
  returned: success
  type: list
  elements: str
  sample:
    - "web.yml: NetworkPolicy shop/web: spec.ingress[0].ports[0].protocl: is not a known field"
errors:
  description: The same, where the module fails because of them.
  returned: failure
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.zerotrust.platform.plugins.module_utils._ansible import Work, refuse_missing, require, run
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.files import scan
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.validate import (
    COMPOSE_FILE,
    missing_libraries,
    validate,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError


def body(module: AnsibleModule) -> Work:
    path = module.params["path"]
    documents, unreadable = scan(path)
    refuse_missing(missing_libraries(documents))
    report = validate(documents, module.params["kubernetes_version"] or "")
    problems = [*unreadable, *report.problems]
    if problems and module.params["fail_on_problems"]:
        more = f" (and {len(problems) - 1} more, see errors)" if len(problems) > 1 else ""
        raise PlatformError(f"{path}: {problems[0]}{more}", "invalid_document", problems)
    warnings = [
        f"{path}: {count} of {kind} not validated, no schema is known"
        for kind, count in report.unchecked.items()
        if kind != COMPOSE_FILE
    ]
    return Work(
        result={"counts": dict(report.counts), "unchecked": dict(report.unchecked), "problems": problems},
        msg=f"{len(documents)} documents, {len(problems)} problems.",
        warnings=warnings,
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "kubernetes_version": {"type": "str"},
            "fail_on_problems": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    require(module, ("yaml", "PyYAML"))
    run(module, body)


if __name__ == "__main__":
    main()
