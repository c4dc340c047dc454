# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the server is and how to get in: options, kubeconfigs of all kinds, a pod."""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes import access as module
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.access import (
    ACCESS_OPTIONS,
    Access,
    access,
)

CA = "-----BEGIN CERTIFICATE-----\nQ0E=\n-----END CERTIFICATE-----\n"


def kubeconfig(folder: Path, user: Any = None, name: str = "config", **cluster: Any) -> str:
    path = folder / name
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": "https://a.example.org:6443", **cluster}}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [
            {"name": "here", "context": {"cluster": "c", "user": "u"}},
            {"name": "without-user", "context": {"cluster": "c"}},
            {"name": "broken", "context": {"cluster": "none", "user": "u"}},
        ],
    }
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return str(path)


def read(path: str, **options: Any) -> Access:
    return access({"kubeconfig": path, **options}, {})


def mistake(path: str, **options: Any) -> str:
    with pytest.raises(PlatformError) as caught:
        read(path, **options)
    return caught.value.message.replace(path, "FILE")


def test_options_and_variables_are_those_of_kubernetes_core() -> None:
    """Its `AUTH_ARG_MAP`: the variable of each option is K8S_AUTH_ and the name of the Python client's."""
    assert {name: variable for name, (variable, _spec) in ACCESS_OPTIONS.items()} == {
        "kubeconfig": "KUBECONFIG",
        "context": "CONTEXT",
        "host": "HOST",
        "api_key": "API_KEY",
        "username": "USERNAME",
        "password": "PASSWORD",
        "validate_certs": "VERIFY_SSL",
        "ca_cert": "SSL_CA_CERT",
        "client_cert": "CERT_FILE",
        "client_key": "KEY_FILE",
        "proxy": "PROXY",
        "no_proxy": "NO_PROXY",
        "impersonate_user": "IMPERSONATE_USER",
        "impersonate_groups": "IMPERSONATE_GROUPS",
    }


def test_a_kubeconfig_of_plain_data(tmp_path: Path) -> None:
    for name in ("ca", "cert", "key"):
        (tmp_path / f"{name}.pem").write_text(name, encoding="ascii")
    (tmp_path / "token").write_text("EXAMPLE-T\n", encoding="ascii")
    user = {
        "tokenFile": "token",
        "client-certificate": "cert.pem",
        "client-key-data": base64.b64encode(b"the key").decode(),
        "as": "ada",
        "as-groups": ["ops"],
    }
    path = kubeconfig(
        tmp_path,
        user,
        **{"certificate-authority": "ca.pem", "tls-server-name": "b.example.org", "proxy-url": "http://p:3128"},
    )
    # Files are looked up from where the kubeconfig is.
    assert read(path) == Access(
        "https://a.example.org:6443",
        ca="ca",
        server_name="b.example.org",
        token="EXAMPLE-T",
        client_cert="cert",
        client_key="the key",
        proxy="http://p:3128",
        impersonate_user="ada",
        impersonate_groups=("ops",),
    )
    assert read(path, context="without-user").token == ""


def test_what_is_given_beside_a_kubeconfig_counts(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, {"token": "EXAMPLE-T"}, **{"insecure-skip-tls-verify": True})
    assert not read(path).validate_certs
    (tmp_path / "ca.pem").write_text("ca", encoding="ascii")
    found = read(
        path,
        host="https://b.example.org",
        api_key="EXAMPLE-U",
        validate_certs=True,
        ca_cert=str(tmp_path / "ca.pem"),
        impersonate_user="bob",
        impersonate_groups=["a", "b"],
    )
    assert (found.host, found.token, found.validate_certs, found.ca) == (
        "https://b.example.org",
        "EXAMPLE-U",
        True,
        "ca",
    )
    assert (found.impersonate_user, found.impersonate_groups) == ("bob", ("a", "b"))


def test_a_host_needs_no_kubeconfig(tmp_path: Path) -> None:
    environment = {"KUBECONFIG": str(tmp_path / "none")}
    assert access({"host": "https://a.example.org", "api_key": "t"}, environment).host == "https://a.example.org"
    with pytest.raises(PlatformError, match=r"No such file or directory; set kubeconfig, or host and api_key"):
        access({}, environment)


def test_the_environments_kubeconfig_and_that_of_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    named = kubeconfig(tmp_path, {"token": "named"}, name="named")
    assert access({}, {"KUBECONFIG": named}).token == "named"
    (tmp_path / ".kube").mkdir()
    kubeconfig(tmp_path / ".kube", {"token": "home"})
    assert access({}, {}).token == "home"
    # A kubeconfig that somebody has made in a pod is meant.
    assert access({}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}).token == "home"
    assert access({"kubeconfig": "~/named"}, {}).token == "named"


@pytest.mark.parametrize(
    ("host", "url"), [("10.0.0.1", "https://10.0.0.1:6443"), ("fd00::1", "https://[fd00::1]:6443")]
)
def test_in_a_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, url: str) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    monkeypatch.setattr(module, "SERVICE_ACCOUNT", str(tmp_path))
    environment = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": "6443"}
    with pytest.raises(PlatformError, match=r"the pod's service account: .*ca\.crt: No such file"):
        access({}, environment)
    (tmp_path / "ca.crt").write_text(CA, encoding="ascii")
    (tmp_path / "token").write_text("EXAMPLE-T\n", encoding="ascii")
    assert access({}, environment) == Access(url, ca=CA, token="EXAMPLE-T")


def test_a_program_that_lets_in_is_run_each_time(tmp_path: Path) -> None:
    """By the library `kubernetes`, so that a token that has expired is replaced."""
    count = tmp_path / "count"
    program = tmp_path / "login.py"
    program.write_text(
        f"""import json
with open({str(count)!r}, "a") as file:
    file.write("x")
with open({str(count)!r}) as file:
    token = "EXAMPLE-" + str(len(file.read()))
print(json.dumps({{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
    "status": {{"token": token}}}}))
""",
        encoding="ascii",
    )
    call = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": [str(program)],
        "interactiveMode": "Never",
    }
    data = base64.b64encode(CA.encode()).decode()
    path = kubeconfig(tmp_path, {"exec": call}, **{"certificate-authority-data": data})
    found = [read(path) for _time in range(2)]
    assert [one.token for one in found] == ["EXAMPLE-1", "EXAMPLE-2"]
    assert (found[0].host, found[0].ca) == ("https://a.example.org:6443", CA)


def test_several_kubeconfigs_are_merged(tmp_path: Path) -> None:
    first, second = (tmp_path / name for name in ("first", "second"))
    first.write_text(json.dumps({"kind": "Config", "current-context": "here"}), encoding="ascii")
    kubeconfig(tmp_path, {"token": "EXAMPLE-T"}, name="second")
    found = access({}, {"KUBECONFIG": f"{first}{os.pathsep}{second}"})
    assert (found.host, found.token) == ("https://a.example.org:6443", "EXAMPLE-T")


def test_mistakes_in_a_kubeconfig_are_one_sentence(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, {"client-key-data": "###"})
    assert mistake(path) == "FILE: client-key-data is no base64 of a PEM text"
    assert mistake(path, context="there") == (
        "FILE: there is no context 'there' in contexts, which has here, without-user, broken"
    )
    assert mistake(path, context="broken") == "FILE: there is no cluster 'none' in clusters, which has c"
    path = kubeconfig(tmp_path, {"client-certificate": "none.pem"})
    assert mistake(path).endswith("none.pem: No such file or directory")
    path = kubeconfig(tmp_path, {}, server="")
    assert mistake(path) == "FILE: the cluster of the context 'here' has no server"
    Path(path).write_text("[", encoding="ascii")
    assert mistake(path).startswith("FILE: ")
    Path(path).write_text("- 1\n", encoding="ascii")
    assert mistake(path) == "FILE: there is no context '' in contexts, which has none"
