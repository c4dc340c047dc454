#!/usr/bin/python

# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: spire_render
short_description: Render an installation of SPIRE, for Kubernetes or for hosts
version_added: 0.1.0
description:
  - Writes what SPIRE's server and agents need to a directory that is kept in step with the options. For Kubernetes
    these are manifests, numbered in the order in which they have to be applied; for hosts, configuration files, systemd
    units and registration entries, which the role P(zerotrust.platform.spire#role) puts in place.
  - Trust domain, cluster, and who reads metrics are those of the service graph.
  - Every manifest is held against the schemas of Kubernetes before anything is written, in check mode too.
  - A version is refused that SPIRE does not support after the one that was rendered before. It goes one minor version
    at a time, the server before the agents.
  - No configuration file holds a secret. What is given in the clear becomes a Secret in a file of its own, mode 0600.
  - Nothing is applied to any system.
extends_documentation_fragment:
  - zerotrust.platform.graph
  - zerotrust.platform.plan
options:
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
  platform:
    description: Where SPIRE is going to run.
    type: str
    choices: [kubernetes, hosts]
    default: kubernetes
  version:
    description: The release of the server, V(1.8.0) or later. Names that move, such as C(latest), are refused.
    type: str
    default: 1.15.3
  agent_version:
    description:
      - The release of the agents. By default that of the server.
      - In Kubernetes, leave the agents at their release until the new server is rolled out.
    type: str
  log_level:
    description: What server and agents log.
    type: str
    choices: [DEBUG, INFO, WARN, ERROR]
    default: INFO
  telemetry:
    description: Whether they have metrics for Prometheus, the server on port 9988 and the agents on 9989.
    type: bool
    default: true
  istio:
    description: Whether to render what Istio has to be installed with to take the identities of its proxies from SPIRE.
    type: bool
    default: false
  server:
    description: The server.
    type: dict
    suboptions:
      replicas:
        description: The number of servers in Kubernetes. More than one needs PostgreSQL.
        type: int
        default: 1
      port:
        description: The port for agents.
        type: int
        default: 8081
      ca_ttl:
        description: How long its authority is valid, as SPIRE writes it. At least six times what it signs for.
        type: str
        default: 87600h
      x509_svid_ttl:
        description: How long an X509-SVID is valid, where its entry says nothing else.
        type: str
        default: 1h
      jwt_svid_ttl:
        description: How long a JWT-SVID is valid, where its entry says nothing else.
        type: str
        default: 5m
      ca_key_type:
        description: The type of its authority's keys.
        type: str
        choices: [ec-p256, ec-p384, rsa-2048, rsa-4096]
        default: ec-p256
      ca_subject:
        description: The subject of its authority. By default SPIRE's own.
        type: dict
        suboptions:
          common_name:
            description: The common name.
            type: str
          organization:
            description: The organization.
            type: str
          country:
            description: The country, two letters.
            type: str
      jwt_issuer:
        description: The issuer in JWT-SVIDs, a URL. By default that of O(oidc.domain), where there is one.
        type: str
  datastore:
    description: Where the server keeps its entries.
    type: dict
    suboptions:
      type:
        description: V(sqlite3) is a file of one server, V(postgres) a database that several share.
        type: str
        choices: [sqlite3, postgres]
        default: sqlite3
      host:
        description: PostgreSQL's host name or IP address.
        type: str
      port:
        description: PostgreSQL's port.
        type: int
        default: 5432
      database:
        description: The database's name.
        type: str
        default: spire
      user:
        description: Who signs in.
        type: str
        default: spire
      sslmode:
        description: How the connection is protected, as libpq has it.
        type: str
        choices: [verify-full, verify-ca, require, disable]
        default: verify-full
      ca_file:
        description:
          - The certificates that PostgreSQL's is verified by, PEM, where the module runs.
          - By default those that the server's system trusts.
        type: path
      secret_name:
        description: The Secret with the password, in the server's namespace.
        type: str
        default: spire-datastore
      secret_key:
        description: The key of the password in that Secret.
        type: str
        default: password
      password:
        description:
          - The password, for the Secret to be rendered too. Without it the Secret has to be there.
          - It may have any character. The server gets it as C(PGPASSWORD).
        type: str
  upstream_authority:
    description:
      - The authority above SPIRE's own, such as one of M(zerotrust.platform.pki). Without it SPIRE is its own root.
      - The certificate has to allow another authority below it (C(path_length) of at least 1).
    type: dict
    suboptions:
      cert_file:
        description: Its certificate, and those between it and the root in this order. PEM, where the module runs.
        type: path
      key_file:
        description: Its private key, EC or RSA without a passphrase.
        type: path
      bundle_file:
        description: The root's certificate. Not needed for one that is its own root.
        type: path
      secret_name:
        description:
          - In Kubernetes, the Secret with C(tls.crt), C(tls.key) and C(bundle.crt), in the server's namespace.
          - With the files it is rendered, under the name C(spire-upstream-authority) by default. Without them it has to
            be there.
        type: str
  agent:
    description: The agents.
    type: dict
    suboptions:
      socket:
        description: >-
          How a pod gets the socket of the Workload API. V(csi) renders the SPIFFE CSI driver, which needs no rights of
          the pod; with V(host_path) a pod mounts the node's directory, which few namespaces allow.
        type: str
        choices: [csi, host_path]
        default: csi
      socket_dir:
        description: The socket's directory on each node.
        type: str
        default: /run/spire/sockets
      socket_name:
        description: The socket's name. By default C(agent.sock), or C(socket) with O(istio=true).
        type: str
      verify_kubelet:
        description: >-
          Whether the kubelet's certificate has to be the cluster authority's. Kubelets with a certificate of their own
          making, as kubeadm leaves them without C(serverTLSBootstrap), need V(false).
        type: bool
        default: true
      kubelet_permission:
        description: >-
          What the agent may ask its kubelet. V(nodes/proxy), which Kubernetes before 1.33 needs, allows to run commands
          in every pod too.
        type: str
        choices: [nodes/pods, nodes/proxy]
        default: nodes/pods
      tolerations:
        description: The taints in spite of which a node gets an agent. By default all.
        type: list
        elements: dict
        default:
          - operator: Exists
  kubernetes:
    description: What concerns Kubernetes alone.
    type: dict
    suboptions:
      namespace:
        description: The server's namespace.
        type: str
        default: spire
      agent_namespace:
        description: >-
          The agents' namespace, by default the server's. With one of their own, the server's is held to the Pod
          Security Standard C(restricted).
        type: str
      storage_size:
        description: The size of each server's volume.
        type: str
        default: 1Gi
      storage_class:
        description: The volume's storage class. By default the cluster's default.
        type: str
      network_policies:
        description: Whether to render NetworkPolicies.
        type: bool
        default: true
      api_server_cidrs:
        description: >-
          The networks of the cluster's API server, which the server may call. By default any but the clouds' metadata
          services, on ports 443 and 6443.
        type: list
        elements: str
        default: []
      image_pull_secrets:
        description: The names of Secrets for the images' registry.
        type: list
        elements: str
        default: []
      images:
        description: The images, where others than those of the projects are used, or digests are to be pinned.
        type: dict
        suboptions:
          server: &image
            description: The image. What is not given is the project's.
            type: dict
            suboptions:
              repository:
                description: Registry and path.
                type: str
              tag:
                description: A release. Names that move are refused.
                type: str
              digest:
                description: C(sha256:) and 64 hexadecimal digits.
                type: str
          agent: *image
          csi_driver: *image
          csi_registrar: *image
          oidc: *image
      resources:
        description: Requests and limits, as Kubernetes takes them, in place of the ones that are rendered.
        type: dict
        suboptions:
          server:
            description: Of the server.
            type: dict
          agent:
            description: Of the agents.
            type: dict
  oidc:
    description: The OIDC discovery provider, with which others verify JWT-SVIDs.
    type: dict
    suboptions:
      domain:
        description: The host name under which it is known. Without it there is none.
        type: str
      tls_secret:
        description: The Secret with its certificate, C(tls.crt) and C(tls.key), in the server's namespace.
        type: str
        default: spire-oidc-tls
      replicas:
        description: The number of pods.
        type: int
        default: 2
  hosts:
    description: What concerns O(platform=hosts) alone.
    type: dict
    suboptions:
      server_address:
        description: The host name or IP address by which agents know the server. Required for hosts.
        type: str
      attestor:
        description: >-
          How a host proves to be one: V(x509pop) with a certificate, V(join_token) with a token that is used once.
        type: str
        choices: [x509pop, join_token]
        default: x509pop
      node_ca_file:
        description: The roots of the hosts' certificates, PEM, where the module runs. Required for V(x509pop).
        type: path
      workload_attestors:
        description: What a workload is known by.
        type: list
        elements: str
        choices: [unix, docker, systemd]
        default: [unix]
      compose_project:
        description: >-
          A project of Docker Compose whose services are those of the graph. Each gets an entry, by the labels that
          Compose gives its containers; V(docker) has to be one of O(hosts.workload_attestors).
        type: str
      bin_dir:
        description: The directory of C(spire-server) and C(spire-agent) on the hosts.
        type: str
        default: /opt/spire/bin
      config_dir:
        description: The directory for configuration files on the hosts.
        type: str
        default: /etc/spire
      user:
        description: The user and group of the server.
        type: str
        default: spire
  kubernetes_version:
    description:
      - The version of Kubernetes, such as V(1.35), whose schemas the manifests must fit.
      - By default the newest of which C(kubernetes-validate) has schemas.
    type: str
  server_binary:
    description: >-
      A C(spire-server) where the module runs, which is asked whether it takes the server's configuration. For
      Kubernetes only; the role has each host's own binary asked.
    type: path
  agent_binary:
    description: The same for C(spire-agent).
    type: path
requirements:
  - PyYAML
  - cryptography, where O(upstream_authority.cert_file) or O(hosts.node_ca_file) is given
  - jsonschema-rs >= 0.60
  - kubernetes-validate, where O(platform=kubernetes)
attributes:
  check_mode:
    support: full
    description: Can run in check mode and tell what it would change, without changing it.
  diff_mode:
    support: full
    description: Shows each file before and after, but for those with secrets.
  idempotent:
    support: full
    description: A second run with the same graph and options changes nothing.
  platform:
    support: full
    platforms: posix
    description: Runs on any POSIX system, usually on the control node.
author:
  - zerotrust.platform contributors (@zerotrust-platform)
"""

EXAMPLES = r"""
- name: Render SPIRE for the graph's cluster
  zerotrust.platform.spire_render:
    src: inventories/local/service_graph.yml
    dest: build/local/spire

- name: The same for production, below our own root, with three servers
  zerotrust.platform.spire_render:
    src: inventories/production/service_graph.yml
    dest: build/production/spire
    server:
      replicas: 3
    datastore:
      type: postgres
      host: postgres.internal
      password: "{{ vault_spire_datastore_password }}"
    upstream_authority:
      cert_file: build/production/pki/authorities/spire/cert.pem
      key_file: build/production/pki/authorities/spire/key.pem
      bundle_file: build/production/pki/authorities/root/cert.pem

- name: Render the server's next release, and leave the agents until it is rolled out
  zerotrust.platform.spire_render:
    src: inventories/local/service_graph.yml
    dest: build/local/spire
    version: 1.15.3
    agent_version: 1.14.7
"""

RETURN = r"""
release:
  description: The releases that are rendered.
  returned: success and O(state=present)
  type: dict
  contains:
    server:
      description: The server's.
      type: str
    agent:
      description: The agents'.
      type: str
  sample: {server: 1.15.3, agent: 1.15.3}
documents:
  description: The number of objects of each kind, and of registration entries.
  returned: success and O(state=present)
  type: dict
  sample: {ConfigMap: 3, DaemonSet: 2, StatefulSet: 1}
entries:
  description: The registration entries that the installation has of its own, beside those of the graph.
  returned: success and O(platform=kubernetes)
  type: list
  elements: dict
manifests:
  description: The files of manifests in the order in which they are applied, relative to O(dest).
  returned: success and O(platform=kubernetes)
  type: list
  elements: str
  sample: [10-namespaces.yml, 30-server.yml, 40-agent.yml]
files:
  description: The configuration files and units of hosts, by name, for check mode, which writes none.
  returned: success and O(platform=hosts)
  type: dict
plan:
  description: What is, or in check mode would be, done to the directory.
  returned: success
  type: dict
"""

import os
import tempfile
from datetime import datetime, timezone
from typing import Optional

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
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.validate import (
    missing_libraries,
    refuse_invalid,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.source import read_graph
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.files import apply_tree, plan_tree
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.options import (
    HOSTS,
    KUBERNETES,
    Options,
    options,
    specification,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.render import Installation, render
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.settings import Settings, settle
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.succession import (
    check_upgrade,
    identity_warnings,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.upstream import (
    Authority,
    authority,
    fingerprints,
)


def body(module: AnsibleModule) -> Work:
    params = module.params
    graph = read_graph(params["src"], params["overrides"])
    if params["state"] == "absent":
        tree = plan_tree(params["dest"], {}, graph.name, hidden=True)
        return Work(tree.plan, lambda: apply_tree(tree))
    given = options(params)
    settings = settle(graph, given, read_authority(module, given), read_file(given.datastore.ca_file))
    node_ca = read_file(given.hosts.node_ca_file) if given.platform == HOSTS else b""
    if node_ca:
        require(module, ("cryptography", "cryptography"))
    installation = render(settings, fingerprints("hosts.node_ca_file", node_ca) if node_ca else ())
    check_schemas(installation, params["kubernetes_version"] or "")
    check_configs(module, installation)
    release = {"server": str(settings.release.server), "agent": str(settings.release.agent)}
    tree = plan_tree(
        params["dest"],
        installation.files(graph.name),
        graph.name,
        attributes={"trust_domain": graph.trust_domain, "spire": release},
        modes=installation.modes,
        adopt=params["adopt"],
    )
    before = tree.before.attributes if tree.before else {}
    check_upgrade(before, settings)
    result = {"release": release, "documents": installation.counts, **shown(settings, installation)}
    return Work(tree.plan, lambda: apply_tree(tree), result, warnings=identity_warnings(before, graph))


def read_file(path: str) -> bytes:
    if not path:
        return b""
    with open(path, "rb") as file:  # noqa: PTH123
        return file.read()


def read_authority(module: AnsibleModule, given: Options) -> Optional[Authority]:
    upstream = given.upstream_authority
    if not (upstream.cert_file and upstream.key_file):
        return None
    if module.check_mode and not os.path.exists(upstream.cert_file):  # noqa: PTH110
        # What the role pki makes in the same run is not there yet. What becomes of it is a secret, and not shown.
        return Authority(b"", b"", b"")
    require(module, ("cryptography", "cryptography"))
    files = [read_file(path) for path in (upstream.cert_file, upstream.key_file, upstream.bundle_file)]
    return authority(*files, now=datetime.now(timezone.utc))


def check_schemas(installation: Installation, kubernetes_version: str) -> None:
    documents = sourced(installation.documents)
    refuse_missing(missing_libraries(documents))
    refuse_invalid(documents, kubernetes_version)


def shown(settings: Settings, installation: Installation) -> dict:
    # The entries of hosts may be many, and a result is no place for bulk.
    if settings.options.platform == KUBERNETES:
        return {"entries": list(installation.entries), "manifests": list(installation.manifests)}
    return {"files": dict(installation.texts)}


def check_configs(module: AnsibleModule, installation: Installation) -> None:
    """Ask the binaries whether they take the configuration."""
    if module.params["platform"] != KUBERNETES:
        return
    for name, config in (("server", installation.server_config), ("agent", installation.agent_config)):
        binary = module.params[f"{name}_binary"]
        if not binary:
            continue
        with tempfile.NamedTemporaryFile("w", dir=module.tmpdir, suffix=".conf", encoding="utf-8") as file:
            file.write(config)
            file.flush()
            status, _out, error = module.run_command([binary, "validate", "-config", file.name])
        if status != 0:
            said = " ".join(error.split())
            raise PlatformError(f"{binary} does not take the {name}'s configuration: {said}", "invalid_config")


def main() -> None:
    module = Module(
        argument_spec={
            **GRAPH_OPTIONS,
            **PLAN_OPTIONS,
            **specification(),
            "dest": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "adopt": {"type": "bool", "default": False},
            "kubernetes_version": {"type": "str"},
            "server_binary": {"type": "path"},
            "agent_binary": {"type": "path"},
        },
        supports_check_mode=True,
    )
    require(module, ("yaml", "PyYAML"))
    run(module, body)


if __name__ == "__main__":
    main()
