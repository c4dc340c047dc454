# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused, and with which sentence."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import GraphError
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.checks import seconds

from tests.unit.spire_install.installations import GRAPH, HOSTS, POSTGRES, graph, installation

ON_HOSTS = {"platform": "hosts", "hosts": HOSTS}


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"server": {"replicas": 3}}, "server.replicas: 3 servers cannot share a database of sqlite3"),
        ({"server": {"replicas": 0}}, "server.replicas: 0 is not a number of servers"),
        ({"server": {"port": 70000}}, "server.port: 70000 is not a port number"),
        ({"server": {"ca_ttl": "10y"}}, "server.ca_ttl: '10y' is not a length of time as SPIRE writes it"),
        ({"server": {"x509_svid_ttl": "0h"}}, "server.x509_svid_ttl: '0h' is not a length of time"),
        ({"server": {"x509_svid_ttl": "-1h"}}, "server.x509_svid_ttl: '-1h' is not a length of time"),
        ({"server": {"ca_ttl": "5h"}}, "server.x509_svid_ttl: 1h is more than a sixth of ca_ttl (5h)"),
        ({"server": {"jwt_issuer": "http://x"}}, "server.jwt_issuer: 'http://x' is not a URL that begins with https://"),
        ({"datastore": {"type": "postgres"}}, "datastore.host: PostgreSQL needs it"),
        ({"datastore": {"host": "pg"}}, "datastore.host: means nothing to sqlite3"),
        ({"datastore": {**POSTGRES, "host": "pg sslmode=disable"}}, "datastore.host: 'pg sslmode=disable' is neither"),
        ({"datastore": {**POSTGRES, "user": "a b"}}, "datastore.user: 'a b' has characters"),
        ({"datastore": {**POSTGRES, "port": 0}}, "datastore.port: 0 is not a port number"),
        ({"upstream_authority": {"cert_file": "/x"}}, "upstream_authority.key_file: certificate and key go together"),
        ({"agent": {"socket_dir": "run"}}, "agent.socket_dir: 'run' is not an absolute path"),
        ({"agent": {"socket_dir": "/run/../etc"}}, "agent.socket_dir: '/run/../etc' is not an absolute path"),
        ({"agent": {"socket_name": "a/b"}}, "agent.socket_name: 'a/b' is not the name of a file"),
        ({"istio": True, "agent": {"socket_name": "x"}}, "agent.socket_name: 'x', but Istio's proxies look for"),
        ({"istio": True, "agent": {"socket": "host_path"}}, "istio: the proxies get the socket by the CSI driver"),
        ({"kubernetes": {"namespace": "Spire"}}, "kubernetes.namespace: 'Spire' is not an RFC 1123 label"),
        ({"kubernetes": {"agent_namespace": "a_b"}}, "kubernetes.agent_namespace: 'a_b' is not an RFC 1123 label"),
        ({"kubernetes": {"api_server_cidrs": ["10.0.0.1/8"]}}, "kubernetes.api_server_cidrs[0]: '10.0.0.1/8' "),
        ({"kubernetes": {"storage_size": "1"}}, "kubernetes.storage_size: '1' is not a size such as 1Gi"),
        ({"oidc": {"domain": "*.example.com"}}, "oidc.domain: '*.example.com' has a wildcard"),
        ({"oidc": {"domain": "a.b"}, "agent": {"socket": "host_path"}}, "oidc.domain: the discovery provider gets"),
        ({"platform": "hosts"}, "hosts.server_address: the agents need a host name"),
        ({**ON_HOSTS, "hosts": {"server_address": "s"}}, "hosts.node_ca_file: the attestor x509pop needs"),
        ({**ON_HOSTS, "agent": {"socket_dir": "/tmp/x"}}, "agent.socket_dir: '/tmp/x' is not below /run"),
        ({**ON_HOSTS, "hosts": {**HOSTS, "bin_dir": "/a b"}}, "hosts.bin_dir: '/a b' is not an absolute path"),
        ({**ON_HOSTS, "hosts": {**HOSTS, "user": "A"}}, "hosts.user: 'A' is not a name of a user"),
        ({**ON_HOSTS, "hosts": {**HOSTS, "compose_project": "x"}}, "hosts.workload_attestors: without docker"),
        ({**ON_HOSTS, "istio": True}, "istio: belongs to Kubernetes"),
        ({**ON_HOSTS, "server": {"replicas": 2}, "datastore": POSTGRES}, "server.replicas: a host runs one server"),
    ],
)  # fmt: skip
def test_s09_s10_one_sentence_says_what_is_wrong(params: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PlatformError) as caught:
        installation(**params)
    assert caught.value.message.startswith(sentence)
    assert caught.value.reason == "bad_option"


@pytest.mark.parametrize("tag", ["latest", "stable", "1.15", "main", "sha-1a2b3c"])
@pytest.mark.parametrize("image", ["server", "agent", "csi_driver", "csi_registrar", "oidc"])
def test_mistake_10_tags_that_move_are_refused(image: str, tag: str) -> None:
    with pytest.raises(PlatformError, match=rf"^kubernetes.images.{image}.tag: '{tag}' does not name one release"):
        installation(kubernetes={"images": {image: {"tag": tag}}})


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        ({"tag": "1.14.7"}, "kubernetes.images.server.tag: '1.14.7' is not of the version 1.15.3"),
        ({"tag": "1.15.30"}, "kubernetes.images.server.tag: '1.15.30' is not of the version 1.15.3"),
        ({"digest": "sha256:1"}, "kubernetes.images.server.digest: 'sha256:1' is not sha256: and 64"),
        ({"repository": "x:latest"}, "kubernetes.images.server.repository: 'x:latest' is not an image"),
    ],
)
def test_c3_an_image_is_of_the_declared_release(image: dict[str, str], sentence: str) -> None:
    with pytest.raises(PlatformError) as caught:
        installation(version="1.15.3", kubernetes={"images": {"server": image}})
    assert caught.value.message.startswith(sentence)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(PlatformError) as caught:
        installation(server={"replicas": 2, "ca_ttl": "x"}, kubernetes={"namespace": "A"})
    assert [line.partition(":")[0] for line in caught.value.details] == [
        "server.ca_ttl",
        "server.replicas",
        "kubernetes.namespace",
    ]
    assert caught.value.message.endswith("(and 2 more, see errors)")


def test_no_secret_in_a_refusal() -> None:
    with pytest.raises(PlatformError) as caught:
        installation(datastore={**POSTGRES, "password": "hunter2\n"})
    assert "hunter2" not in caught.value.message + "".join(caught.value.details)


def test_s01_a_bad_trust_domain_is_the_graphs_mistake() -> None:
    with pytest.raises(GraphError, match=r"trust_domain: 'Example\.org' has upper-case letters"):
        graph(GRAPH.replace("valuecanvas.example.com", "Example.org"))


@pytest.mark.parametrize(
    ("text", "length"), [("87600h", 315_360_000), ("1h30m", 5400), ("90s", 90), ("", 0), ("1d", 0)]
)
def test_lengths_of_time_are_read_as_go_does(text: str, length: int) -> None:
    assert seconds(text) == length
