#!/usr/bin/python

# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: spire_sync
short_description: Make the registration entries of a SPIRE server as files declare them
version_added: 0.1.0
description:
  - Makes the registration entries of a SPIRE server as declared, thousands of them in one task, and the bundles of the
    trust domains that it federates with.
  - Takes the files of C(spire-server entry create -data) as they are, and what M(zerotrust.platform.service_graph)
    renders.
  - Entries whose id begins with O(entry_id_prefix) are ours. All others are never changed or deleted, and reported.
    If one of them is a declared entry by SPIFFE ID, parent and selectors, the run is refused before it begins. What
    C(spire-server token generate) made is never touched at all.
  - Entries are changed in place, and made before others go, so no workload is without its identity for a moment, also
    when an entry is renamed or adopted.
  - Checks what the server takes without a word. SPIFFE IDs, DNS names, selectors of each attestor, parents that nobody
    has, keys that it would drop.
  - A second run changes nothing. After any failure, a new run goes on where the last one ended. The entries are read
    with one call, and written up to 1,000 at a time.
extends_documentation_fragment:
  - zerotrust.platform.spire
  - zerotrust.platform.plan
  - zerotrust.platform.sync
options:
  entry_id_prefix:
    description:
      - With what the ids of our entries begin, up to and with a V(.), such as V(shop.).
      - Every declared entry needs an C(entry_id) that begins with it, and stays the same when the entry changes.
        What M(zerotrust.platform.service_graph) renders begins with the graph's name.
      - No two declarations may share it, as each would take the entries of the other for its own.
      - Required without O(graph), with which it is by default the graph's name and a dot.
    type: str
  src:
    description:
      - A file of entries, or a directory of them, JSON or YAML, on the machine where the module runs.
      - Each is a mapping with the list C(entries).
    type: path
  graph:
    description: A service graph, whose workloads are registered as M(zerotrust.platform.service_graph) renders them.
    type: dict
    suboptions:
      src:
        description: The service graph's file, on the machine where the module runs.
        type: path
        required: true
      overrides:
        description: Values that are laid upon the file, mappings key by key. A value that is null removes the key.
        type: dict
  entries:
    description: The list C(entries) inline, also beside O(graph). For a few entries; use O(src) for more.
    type: list
    elements: dict
  selector_types:
    description:
      - Types of selectors that plugins of your own make. They are taken as they are.
      - A selector of any other type must be one that SPIRE's own attestors make.
    type: list
    elements: str
    default: []
  federation:
    description:
      - The trust domains to federate with. The server keeps no owner of these, so what is not in this list is left.
      - An entry that has one in its C(federates_with) needs it here, or on the server.
    type: list
    elements: dict
    default: []
    suboptions:
      trust_domain:
        description: Its name, such as V(partner.example.com).
        type: str
        required: true
      state:
        description: With V(absent), its relationship and its bundle are deleted, which needs O(purge).
        type: str
        choices: [present, absent]
        default: present
      bundle:
        description:
          - A file with its trust bundle, in SPIFFE's format (JSON) or PEM.
          - Without O(federation[].endpoint) the server's bundle is kept as it is in the file, unless the server has one
            of a higher sequence number. With an endpoint it is the first one only, as the server fetches others.
        type: path
      endpoint:
        description:
          - Where the server fetches its bundle, again and again.
          - Where there is no bundle, or one that has ended, it is fetched at once.
        type: dict
        suboptions:
          url:
            description: The C(https://) address.
            type: str
            required: true
          profile:
            description:
              - How the endpoint is authenticated.
              - V(https_web) is by the certificate authorities of the server's machine, V(https_spiffe) by the first
                bundle.
            type: str
            choices: [https_web, https_spiffe]
            default: https_web
          spiffe_id:
            description: The SPIFFE ID of an V(https_spiffe) endpoint.
            type: str
  concurrency:
    description:
      - How many calls may be under way at a time, from 1 to 64.
      - A server on SQLite writes one after another anyway.
    type: int
    default: 4
requirements:
  - PyYAML >= 6.0
  - jsonschema-rs
  - cryptography >= 43.0.0, for O(federation)
  - docker >= 7.1.0, for O(connection.container)
  - kubernetes >= 36.0.0, for O(connection.pod)
attributes:
  check_mode:
    support: full
    description: Can run in check mode and tell what it would change, without changing it.
  diff_mode:
    support: full
    description: Shows each entry before and after. There is nothing secret in one.
  idempotent:
    support: full
    description: A second run with the same declaration changes nothing.
  platform:
    support: full
    platforms: posix
    description: Runs on any POSIX system that has the command, or reaches the container or pod that has it.
author:
  - zerotrust.platform contributors (@zerotrust-platform)
"""

EXAMPLES = r"""
- name: Register every workload of the graph, and take away what is no longer in it
  zerotrust.platform.spire_sync:
    src: build/documents/spire
    entry_id_prefix: shop.
    purge: true

- name: The same, for a server in Kubernetes
  zerotrust.platform.spire_sync:
    connection:
      pod:
        namespace: spire
        selector: app.kubernetes.io/name=spire-server
    src: build/documents/spire
    entry_id_prefix: shop.
    purge: true
  delegate_to: localhost

- name: Federate with a partner, and let a service of ours verify its workloads
  zerotrust.platform.spire_sync:
    connection:
      container:
        name: spire-server
    entry_id_prefix: team-a.
    federation:
      - trust_domain: partner.example.com
        bundle: files/partner.json
        endpoint:
          url: https://spire.partner.example.com:8443
          profile: https_spiffe
          spiffe_id: spiffe://partner.example.com/spire/server
    entries:
      - entry_id: team-a.api
        spiffe_id: spiffe://example.org/ns/team-a/sa/api
        parent_id: spiffe://example.org/k8s/main/node
        selectors:
          - {type: k8s, value: "ns:team-a"}
          - {type: k8s, value: "sa:api"}
        federates_with: [partner.example.com]
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
trust_domain:
  description: The server's trust domain.
  returned: success
  type: str
  sample: example.org
calls:
  description: How many commands were run, up to the end of the run.
  returned: success
  type: int
  sample: 12
reason:
  description: A code for what stopped the run.
  returned: failure
  type: str
  sample: foreign_owner
errors:
  description: Every mistake, one sentence each.
  returned: when there are several
  type: list
  elements: str
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.zerotrust.platform.plugins.module_utils._ansible import (
    GRAPH_OPTIONS,
    SYNC_OPTIONS,
    Work,
    refuse_missing,
    require,
    run,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.source import read_graph
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.sync import Settings, prepare
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.bundles import now
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.declaration import (
    Rules,
    read_files,
    read_inline,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.facts import (
    check_parents,
    check_server,
    privileged,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.federation import Federation, read_partners
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.options import (
    SPIRE_OPTIONS,
    missing_libraries,
    server_of,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.provider import Registry


def body(module: AnsibleModule) -> Work:
    params = module.params
    refuse_missing(missing_libraries(params["connection"]))
    settings = Settings.of(params)
    graph = read_graph(**params["graph"]) if params["graph"] else None
    prefix = params["entry_id_prefix"] or (f"{graph.name}." if graph else "")
    rules = Rules(prefix, frozenset(params["selector_types"]), time.time())
    if params["src"]:
        declaration = read_files(params["src"], rules)
    else:
        declaration = read_inline(params["entries"] or (), rules, graph)
    partners = read_partners(params["federation"])
    server = server_of(params["connection"])
    try:
        domain, doubts = check_server(server, declaration)
        prunes = settings.purge and settings.policy == "sync"
        federation = Federation(server, partners, now())
        registry = Registry(server, declaration.entries, federation, rules.prefix, settings.adopt, prunes)
        absent = check_parents(server, registry)
        sync = prepare(registry, registry.desired, settings)
    except BaseException:
        server.transport.close()
        raise
    return Work(
        sync.plan,
        lambda: {**sync.apply(), "calls": server.calls},
        {"trust_domain": domain, "calls": server.calls},
        warnings=[
            *privileged(sync.plan.changes),
            *declaration.warnings,
            *doubts,
            *absent,
            *dict.fromkeys(federation.warnings),
        ],
        close=server.transport.close,
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **SYNC_OPTIONS,
            **SPIRE_OPTIONS,
            "entry_id_prefix": {"type": "str"},
            "src": {"type": "path"},
            "graph": {"type": "dict", "options": GRAPH_OPTIONS},
            "entries": {"type": "list", "elements": "dict"},
            "selector_types": {"type": "list", "elements": "str", "default": []},
            "federation": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "trust_domain": {"type": "str", "required": True},
                    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
                    "bundle": {"type": "path"},
                    "endpoint": {
                        "type": "dict",
                        "options": {
                            "url": {"type": "str", "required": True},
                            "profile": {
                                "type": "str",
                                "choices": ["https_web", "https_spiffe"],
                                "default": "https_web",
                            },
                            "spiffe_id": {"type": "str"},
                        },
                    },
                },
            },
            "concurrency": {"type": "int", "default": 4},
        },
        mutually_exclusive=[("src", "entries"), ("src", "graph")],
        required_one_of=[("src", "graph", "entries", "federation"), ("entry_id_prefix", "graph")],
        supports_check_mode=True,
    )
    require(module, ("yaml", "PyYAML"), ("jsonschema_rs", "jsonschema-rs"))
    run(module, body)


if __name__ == "__main__":
    main()
