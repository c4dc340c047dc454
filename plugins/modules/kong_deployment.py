#!/usr/bin/python

# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kong_deployment
short_description: Write the files of a hardened Kong without a database, for Kubernetes and Docker Compose
version_added: 0.1.0
description:
  - Writes what runs a Kong gateway of a service graph that starts from a file, as manifests for Kubernetes, as a file
    for Docker Compose, or both. Nothing is applied to any cluster or Docker host.
  - The node runs as a user without privileges, cannot write to its image, has no capability, and its Admin API listens
    on its own loopback interface only.
  - The pods fit the Pod Security Standard V(restricted). Network policies let the gateway reach what the graph says.
    All is held against the schemas of Kubernetes and Kong before it is written.
  - A new configuration means new pods, or a new container.
extends_documentation_fragment:
  - zerotrust.platform.graph
  - zerotrust.platform.plan
options:
  gateway:
    description: The name of the gateway in the graph. By default its only one of the kind V(kong).
    type: str
  api_keys:
    description:
      - The API keys of the gateway's consumers, as lists by consumer, each key of 32 characters or more.
      - A node that starts from a file has no other place for them, so each consumer needs one. Keep them in a vault.
    type: dict
    default: {}
  image:
    description:
      - The image, with a tag other than V(latest) or with a digest. Pin the digest where you can.
      - The default is the version that the collection is tested with.
    type: str
    default: kong:3.9.1
  workers:
    description: The number of nginx's worker processes.
    type: int
    default: 2
  kubernetes:
    description: Write V(kubernetes/kong.yml) and V(kubernetes/kong-secret.yml). An empty mapping takes the defaults.
    type: dict
    suboptions:
      replicas:
        description: The number of pods.
        type: int
        default: 2
      resources:
        description: What a pod asks for and may use at most, as Kubernetes has it.
        type: dict
        default: {requests: {cpu: 250m, memory: 512Mi}, limits: {cpu: "1", memory: 1Gi}}
      tls_secret:
        description: >-
          A Secret of the type C(kubernetes.io/tls) in the gateway's namespace, whose certificate the gateway shows on
          port 443. Without it there is no TLS, as nobody trusts the certificate that Kong makes for itself.
        type: str
      sidecar:
        description: >-
          Whether the pods get Istio's sidecar, for what the gateway calls. Services that ask for mutual TLS need it. It
          needs Istio's CNI plugin, as the other way to inject it does not fit the Pod Security Standard.
        type: bool
        default: true
  compose:
    description: Write V(compose/compose.kong.yml) and V(compose/kong.yml). An empty mapping takes the defaults.
    type: dict
    suboptions:
      address:
        description: The address of the host on which the proxy's ports are published.
        type: str
        default: 127.0.0.1
      user:
        description: >-
          The user and group of the container, as numbers. V(compose/kong.yml) can be read by its owner only, which
          therefore has to be this user.
        type: str
        default: "1000:1000"
      tls_certificate:
        description: A PEM file with the certificate that the gateway shows on port 8443. Without it there is no TLS.
        type: path
      tls_key:
        description: A PEM file with its key.
        type: path
      limits:
        description: What the container may use at most, as Compose has it under C(deploy.resources.limits).
        type: dict
        default: {cpus: "1.0", memory: 1g, pids: 100}
  kubernetes_version:
    description:
      - The version of Kubernetes, such as V(1.31), whose schemas the manifests must fit.
      - By default the newest of which C(kubernetes-validate) has schemas.
    type: str
  dest:
    description: The directory for the files. It is made if it is missing.
    type: path
    required: true
  state:
    description: With V(absent), what the module has made in O(dest) is removed.
    type: str
    choices: [present, absent]
    default: present
  adopt:
    description: Whether files that stand in the way and were not made by the module are replaced, not refused.
    type: bool
    default: false
requirements:
  - PyYAML
  - jsonschema-rs >= 0.60
  - kubernetes-validate, where O(kubernetes) is set
attributes:
  check_mode:
    support: full
    description: Can run in check mode and tell what it would change, without changing it.
  diff_mode:
    support: full
    description: Shows each file before and after, without those that hold keys.
  idempotent:
    support: full
    description: A second run with the same graph and keys changes nothing.
  platform:
    support: full
    platforms: posix
    description: Runs on any POSIX system, usually on the control node.
author:
  - zerotrust.platform contributors (@zerotrust-platform)
"""

EXAMPLES = r"""
- name: Write the manifests of the gateway
  zerotrust.platform.kong_deployment:
    src: service_graph.yml
    api_keys: "{{ kong_api_keys }}"
    image: kong:3.9.1@{{ kong_image_digest }}
    kubernetes:
      replicas: 3
      tls_secret: shop-example-com-tls
    dest: build/kong

- name: Write a service for the compose file of a developer
  zerotrust.platform.kong_deployment:
    src: service_graph.yml
    api_keys: "{{ kong_api_keys }}"
    compose: {}
    dest: build/kong
"""

RETURN = r"""
plan:
  description: What is, or in check mode would be, done to the directory.
  returned: success
  type: dict
reason:
  description: A code for what stopped the run.
  returned: failure
  type: str
  sample: missing_keys
errors:
  description: Every mistake, one sentence each.
  returned: when there are several
  type: list
  elements: str
"""

from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.zerotrust.platform.plugins.module_utils._ansible import (
    GRAPH_OPTIONS,
    PLAN_OPTIONS,
    Module,
    Work,
    refuse_missing,
    require,
    run,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._api_keys.given import given_keys, given_secrets
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.files import dump
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.validate import (
    missing_libraries,
    refuse_invalid,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Rendered, sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.kong import gateway_of
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.source import read_graph
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.deployment import (
    SECRET_FILES,
    UNCHECKED_FILES,
    Compose,
    Kubernetes,
    Node,
    render,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.files import apply_tree, plan_tree


def body(module: AnsibleModule) -> Work:
    params = module.params
    # Names of consumers are no secrets.
    module.no_log_values = given_secrets(params["api_keys"])
    graph = read_graph(params["src"], params["overrides"])
    files: Rendered = {}
    if params["state"] == "present":
        files = render(
            graph,
            gateway_of(graph, params["gateway"] or None),
            given_keys(params["api_keys"], "api_keys"),
            Node(params["image"], params["workers"]),
            _of(Kubernetes, params["kubernetes"]),
            _of(Compose, params["compose"]),
        )
        documents = sourced({name: found for name, found in files.items() if name not in UNCHECKED_FILES})
        refuse_missing(missing_libraries(documents))
        refuse_invalid(documents, params["kubernetes_version"] or "")
    tree = plan_tree(
        params["dest"],
        dump(files, graph.name),
        graph.name,
        modes=dict.fromkeys(SECRET_FILES, 0o600),
        adopt=params["adopt"],
    )
    return Work(tree.plan, lambda: apply_tree(tree))


def _of(kind: type, options: Optional[dict]) -> Any:
    if options is None:
        return None
    return kind(**{name: value for name, value in options.items() if value is not None})


def main() -> None:
    module = Module(
        argument_spec={
            **GRAPH_OPTIONS,
            **PLAN_OPTIONS,
            "gateway": {"type": "str"},
            "api_keys": {"type": "dict", "default": {}, "no_log": True},
            "image": {"type": "str", "default": "kong:3.9.1"},
            "workers": {"type": "int", "default": 2},
            "kubernetes": {
                "type": "dict",
                "options": {
                    "replicas": {"type": "int", "default": 2},
                    "resources": {
                        "type": "dict",
                        "default": {
                            "requests": {"cpu": "250m", "memory": "512Mi"},
                            "limits": {"cpu": "1", "memory": "1Gi"},
                        },
                    },
                    "tls_secret": {"type": "str", "no_log": False},
                    "sidecar": {"type": "bool", "default": True},
                },
            },
            "compose": {
                "type": "dict",
                "options": {
                    "address": {"type": "str", "default": "127.0.0.1"},
                    "user": {"type": "str", "default": "1000:1000"},
                    "tls_certificate": {"type": "path"},
                    "tls_key": {"type": "path", "no_log": False},
                    "limits": {"type": "dict", "default": {"cpus": "1.0", "memory": "1g", "pids": 100}},
                },
                "required_together": [("tls_certificate", "tls_key")],
            },
            "kubernetes_version": {"type": "str"},
            "dest": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "adopt": {"type": "bool", "default": False},
        },
        required_if=[("state", "present", ("kubernetes", "compose"), True)],
        supports_check_mode=True,
    )
    require(module, ("yaml", "PyYAML"))
    run(module, body)


if __name__ == "__main__":
    main()
