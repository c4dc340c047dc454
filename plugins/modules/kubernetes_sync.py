#!/usr/bin/python

# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubernetes_sync
short_description: Make a cluster's objects as files declare them
version_added: 0.1.0
description:
  - Makes any number of Kubernetes objects as declared, in one task, by server-side apply, and deletes those of its own
    that are no longer declared.
  - Reads each kind once, by pages, and compares. What is surely as it was applied is not sent. What is not sure the
    server judges by a dry run, so that check mode, plan and run say the same.
  - Unknown fields are refused, not dropped. A field that another manager holds is refused with that manager's name.
  - Objects that are ours carry the label of an ApplySet (KEP-3659), whose parent is a Secret; C(kubectl) understands
    it. Objects of others are never changed or deleted.
  - Creates and updates go in the order of custom resource definitions, namespaces, accounts and roles, configuration
    and Services, workloads, webhooks, all others; deletes go the other way round.
  - For a single odd object M(kubernetes.core.k8s) is the tool. This module takes many objects in one call.
extends_documentation_fragment:
  - zerotrust.platform.kubernetes
  - zerotrust.platform.plan
  - zerotrust.platform.sync
options:
  src:
    description:
      - Files, or directories of files, of YAML and JSON documents, on the machine where the module runs.
      - Below a directory, all files are read that end with C(.yml), C(.yaml) or C(.json).
    type: list
    elements: path
  definition:
    description: Objects, inline. For a few; use O(src) for more.
    type: list
    elements: dict
  graph:
    description: A service graph, whose objects are made as M(zerotrust.platform.service_graph) renders them.
    type: dict
    suboptions:
      src:
        description: The service graph's file, on the machine where the module runs.
        type: path
        required: true
      overrides:
        description: Values that are laid upon the file, mappings key by key. A value that is null removes the key.
        type: dict
      points:
        description: The enforcement points whose objects are made.
        type: list
        elements: str
        choices: [istio, network_policy]
        default: [istio, network_policy]
      pending:
        description:
          - Namespaces of a running system in which Istio is to refuse nothing yet. Mutual TLS is permissive there and
            for the mesh, and there are neither Sidecars nor AuthorizationPolicies.
        type: list
        elements: str
        default: []
      mesh_default:
        description:
          - Whether Istio's PeerAuthentication of the whole mesh is made. Of several graphs in one mesh one makes it.
        type: bool
        default: true
      dry_run:
        description: Whether AuthorizationPolicies are there in these namespaces, and only tell what they would refuse.
        type: bool
        default: false
  apply_set:
    description:
      - The name of the set that the objects belong to, which is that of a Secret without data.
      - What carries its label is ours.
    type: str
    required: true
  apply_set_namespace:
    description: The namespace of that Secret. It must be there.
    type: str
    default: default
  namespace:
    description: The namespace of objects that name none and need one.
    type: str
    default: default
  field_manager:
    description: The name under which the server keeps account of our fields.
    type: str
    default: zerotrust.platform
  force_conflicts:
    description: Whether fields that other managers hold are taken from them. Otherwise such a plan is refused.
    type: bool
    default: false
  expected:
    description:
      - What another task makes before this one. In check mode nothing has made it yet, and what needs it would be
        refused. What belongs in a namespace or is of a kind that is expected, and not there yet, is then planned
        without the server's judgement. Outside of check mode this means nothing.
    type: dict
    suboptions:
      src:
        description: Files whose custom resource definitions are expected, as O(src) has them.
        type: list
        elements: path
        default: []
      namespaces:
        description: Namespaces.
        type: list
        elements: str
        default: []
      graph_namespaces:
        description: Whether those of O(graph) are expected too, and the mesh's.
        type: bool
        default: false
  wait:
    description:
      - Whether to wait for what is declared. Deployments, StatefulSets and DaemonSets have to be rolled out, Jobs to
        be complete, API services to be available, and webhooks to have a C(caBundle) and a Service that answers.
      - They are waited for before anything that comes later in the order is written, and whether this run has changed
        them or not. In check mode nothing is waited for.
      - A new custom resource definition is waited for in any case, and so is the end of what is deleted.
    type: bool
    default: false
  wait_for:
    description: What else to wait for, of declared objects and of others.
    type: list
    elements: dict
    suboptions:
      kind:
        description:
          - The kind, with its group if the server has several of that name, such as V(Certificate.cert-manager.io).
        type: str
        required: true
      name:
        description: The object's name.
        type: str
        required: true
      namespace:
        description: Its namespace, by default O(namespace).
        type: str
      condition:
        description:
          - A condition of its status that is to be true, such as V(Ready), or else, such as V(Stalled=False).
        type: str
      jsonpath:
        description:
          - A path to a value that is to be there, as C(kubectl wait) has it, such as
            V({.status.loadBalancer.ingress[0].ip}).
          - Names, C([0]), C([*]), C(['key']) and C([?(@.type=="Ready"\)]) are understood.
        type: str
      value:
        description: What the value at O(wait_for[].jsonpath) is to be.
        type: str
  wait_timeout:
    description: How many seconds to wait each time.
    type: float
    default: 120
  confirm:
    description:
      - Commands, without a shell, that succeed as long as what must work works, such as a probe of a declared flow.
      - After each stage of writes all of them have to succeed, five times in a row with a second between, as what was
        written takes a moment to be in force. Otherwise the stage has failed; with O(on_failure=rollback) all is
        brought back.
    type: list
    elements: str
    default: []
  confirm_timeout:
    description: How many seconds they may take to do so.
    type: float
    default: 60
requirements:
  - PyYAML >= 6.0
  - urllib3 >= 1.26.16
  - kubernetes, where a kubeconfig lets its user in by a program or a provider
attributes:
  check_mode:
    support: full
    description: Can run in check mode and tell what it would change, without changing it.
  diff_mode:
    support: full
    description: Shows each object before and after, our fields only, without secrets.
  idempotent:
    support: full
    description: A second run with the same declaration changes nothing.
  action_group:
    support: full
    description: Use C(group/zerotrust.platform.kubernetes) in C(module_defaults) to set the options of the connection.
    membership:
      - zerotrust.platform.kubernetes
  platform:
    support: full
    platforms: posix
    description: Runs on any POSIX system that reaches the API server.
author:
  - zerotrust.platform contributors (@zerotrust-platform)
"""

EXAMPLES = r"""
- name: Apply what a service graph asks for, and delete what it no longer calls for
  zerotrust.platform.kubernetes_sync:
    context: staging
    graph:
      src: service_graph.yml
    apply_set: shop
    purge: true

- name: Apply files
  zerotrust.platform.kubernetes_sync:
    src: [manifests/]
    apply_set: shop-workloads

- name: Make a namespace and a service account
  zerotrust.platform.kubernetes_sync:
    apply_set: shop-base
    definition:
      - apiVersion: v1
        kind: Namespace
        metadata:
          name: shop
      - apiVersion: v1
        kind: ServiceAccount
        metadata:
          name: web
          namespace: shop
"""

RETURN = r"""
plan:
  description: What is, or in check mode would be, done.
  returned: success
  type: dict
outcome:
  description: What became of each write.
  returned: when something was written
  type: dict
requests:
  description: How many requests were made, up to the end of the run.
  returned: success
  type: int
  sample: 6
reason:
  description: A code for what stopped the run.
  returned: failure
  type: str
  sample: field_conflict
errors:
  description: Every mistake, one sentence each.
  returned: when there are several
  type: list
  elements: str
"""

from dataclasses import replace
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.zerotrust.platform.plugins.module_utils._ansible import (
    GRAPH_OPTIONS,
    SYNC_OPTIONS,
    Module,
    Work,
    by_environment,
    require,
    run,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.files import read
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Sourced, sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.istio_rollout import (
    staged,
    without_mesh_default,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.points import render
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.source import read_graph
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.access import ACCESS_OPTIONS, access
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.apply_set import ApplySet
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.client import Client
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.cluster import Cluster, Options
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.confirmation import Confirmation
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.discovery import Kinds
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.objects import declared, secret_texts
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.sync import Settings, prepare


def body(module: AnsibleModule) -> Work:
    params = module.params
    # An inline definition is not logged. Of what is returned, only its secrets are hidden, and not each name in it.
    hidden = {params[name] for name, (_env, option) in ACCESS_OPTIONS.items() if option.get("no_log") and params[name]}
    module.no_log_values = hidden | secret_texts(params["definition"])
    settings = Settings.of(params)
    given = [Sourced(document, "definition") for document in params["definition"] or ()]
    if params["graph"]:
        graph = read_graph(params["graph"]["src"], params["graph"]["overrides"])
        rendered = render(graph, params["graph"]["points"])
        if not params["graph"]["mesh_default"]:
            rendered = without_mesh_default(rendered, graph)
        given += sourced(staged(rendered, graph, params["graph"]["pending"], params["graph"]["dry_run"]))
    expected = (params["expected"] or {}) if module.check_mode else {}
    namespaces = set(expected.get("namespaces", ()))
    if params["graph"] and expected.get("graph_namespaces"):
        namespaces |= {*graph.namespaces, graph.mesh.namespace}
    documents = declared([*given, *(item for path in params["src"] or () for item in read(path))])
    client = Client(access(params), connections=settings.concurrency, renew=lambda: access(params))
    try:
        cluster = Cluster(
            client,
            Kinds(client),
            documents,
            ApplySet(params["apply_set"], params["apply_set_namespace"]),
            Options(
                params["field_manager"],
                params["force_conflicts"],
                params["namespace"],
                settings.adopt,
                settings.concurrency,
                params["wait"],
                params["wait_for"] or (),
                params["wait_timeout"],
                Confirmation(module.run_command, params["confirm"], params["confirm_timeout"]),
                [item for path in expected.get("src", ()) for item in read(path)],
                namespaces,
            ),
        )
        sync = prepare(cluster, cluster.desired, settings)
        if module.check_mode:
            cluster.rehearse(sync)
    except BaseException:
        client.close()
        raise
    members = cluster.members_after(sync)

    def apply() -> dict[str, Any]:
        # The parent tells of each member before it is made, and until it is gone.
        cluster.parent.write(members.during)
        done = sync.apply()
        cluster.parent.write(members.after)
        return {**done, "requests": client.requests}

    return Work(
        replace(sync.plan, changes=(*sync.plan.changes, *cluster.parent.change(members.after))),
        apply,
        {"requests": client.requests},
        finish=cluster.finish,
        close=client.close,
    )


def main() -> None:
    module = Module(
        argument_spec={
            **SYNC_OPTIONS,
            **by_environment(ACCESS_OPTIONS, "K8S_AUTH_"),
            "src": {"type": "list", "elements": "path"},
            "definition": {"type": "list", "elements": "dict", "no_log": True},
            "graph": {
                "type": "dict",
                "options": {
                    **GRAPH_OPTIONS,
                    "points": {
                        "type": "list",
                        "elements": "str",
                        "choices": ["istio", "network_policy"],
                        "default": ["istio", "network_policy"],
                    },
                    "pending": {"type": "list", "elements": "str", "default": []},
                    "mesh_default": {"type": "bool", "default": True},
                    "dry_run": {"type": "bool", "default": False},
                },
            },
            "apply_set": {"type": "str", "required": True},
            "apply_set_namespace": {"type": "str", "default": "default"},
            "namespace": {"type": "str", "default": "default"},
            "field_manager": {"type": "str", "default": "zerotrust.platform"},
            "force_conflicts": {"type": "bool", "default": False},
            "expected": {
                "type": "dict",
                "options": {
                    "src": {"type": "list", "elements": "path", "default": []},
                    "namespaces": {"type": "list", "elements": "str", "default": []},
                    "graph_namespaces": {"type": "bool", "default": False},
                },
            },
            "wait": {"type": "bool", "default": False},
            "wait_for": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "kind": {"type": "str", "required": True},
                    "name": {"type": "str", "required": True},
                    "namespace": {"type": "str"},
                    "condition": {"type": "str"},
                    "jsonpath": {"type": "str"},
                    "value": {"type": "str"},
                },
                "mutually_exclusive": [("condition", "jsonpath")],
                "required_one_of": [("condition", "jsonpath")],
                "required_by": {"value": "jsonpath"},
            },
            "wait_timeout": {"type": "float", "default": 120},
            "confirm": {"type": "list", "elements": "str", "default": []},
            "confirm_timeout": {"type": "float", "default": 60},
        },
        required_one_of=[("src", "definition", "graph")],
        supports_check_mode=True,
    )
    require(module, ("yaml", "PyYAML"), ("urllib3", "urllib3"))
    run(module, body)


if __name__ == "__main__":
    main()
