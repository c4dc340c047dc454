# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges of containers, over documents of `inspect`."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._containers.audit import (
    CIS_IDS,
    FEATURE_IDS,
    Audit,
    audit,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._containers.model import Subject

from tests.unit.containers.documents import IMAGE, INFO, bind, container


def judged(document: dict[str, Any], **others: Any) -> Audit:
    return audit([Subject(document, **{"image": IMAGE, "info": INFO, "processes": ["web serve"], **others})], INFO)


def failing(document: dict[str, Any], **others: Any) -> set[str]:
    return {row.check for row in judged(document, **others).failures}


def evidence(document: dict[str, Any], check: str, **others: Any) -> str:
    (row,) = [row for row in judged(document, **others).rows if row.check == check]
    return row.evidence


def test_a_hardened_container_scores_full() -> None:
    found = judged(container())
    assert found.failures == []
    assert found.scores()["web"]["features"] == {"passed": 10, "applicable": 10, "score": 100}
    assert found.scores()["web"]["cis"]["score"] == 100
    # SELinux is not of this engine; what only a person can tell is no pass.
    assert {row.check: row.outcome for row in found.rows if row.outcome not in ("pass", "fail")} == {
        "5.3": "not_applicable",
        "5.9": "manual",
        "5.23": "manual",
        "5.24": "manual",
        "5.28": "manual",
    }


def test_there_are_ten_features_and_every_runtime_check_of_cis_once() -> None:
    assert len(set(FEATURE_IDS)) == len(FEATURE_IDS) == 10
    assert [f"5.{number}" for number in range(1, 33)] == CIS_IDS


PLANTED = [
    ("Config.User", "", "non_root_user", "none: root"),
    ("Config.User", "0:1000", "non_root_user", "0:1000"),
    ("Config.User", "1000:0", "non_root_user", "1000:0"),
    ("Config.User", "root", "non_root_user", "root"),
    ("HostConfig.ReadonlyRootfs", False, "read_only_root 5.13", "ReadonlyRootfs=false"),
    ("HostConfig.CapDrop", ["NET_RAW"], "capabilities_dropped", "CapDrop=NET_RAW"),
    ("HostConfig.CapAdd", ["CAP_CHOWN"], "capabilities_dropped", "CapAdd=CHOWN"),
    ("HostConfig.CapAdd", ["SYS_ADMIN"], "capabilities_dropped 5.4", "CapAdd=SYS_ADMIN"),
    ("HostConfig.CapAdd", ["all"], "capabilities_dropped 5.4", "CapAdd=ALL"),
    ("HostConfig.SecurityOpt", None, "no_new_privileges 5.26", "no no-new-privileges"),
    ("HostConfig.SecurityOpt", ["no-new-privileges:false"], "no_new_privileges 5.26", "no-new-privileges=false"),
    ("HostConfig.SecurityOpt", ["no-new-privileges", "seccomp=unconfined"], "5.22", "seccomp=unconfined"),
    ("HostConfig.SecurityOpt", ["no-new-privileges", "seccomp:unconfined"], "5.22", "seccomp=unconfined"),
    ("HostConfig.Memory", 0, "resource_limits 5.11", "Memory=0"),
    ("HostConfig.NanoCpus", 0, "resource_limits 5.12", "NanoCpus=0"),
    ("HostConfig.PidsLimit", None, "resource_limits 5.29", "PidsLimit=0"),
    ("HostConfig.PidsLimit", -1, "resource_limits 5.29", "PidsLimit=-1"),
    ("Config.Healthcheck", None, "health_check 5.27", "none"),
    ("Config.Healthcheck", {"Test": ["NONE"]}, "health_check 5.27", "none"),
    ("Config.Healthcheck", {"Test": ["CMD", "x"], "Interval": 90_000_000_000}, "health_check", "every 90 s"),
    ("Config.Env", ["DB_PASSWORD=hunter2"], "secrets_as_files", "DB_PASSWORD (name)"),
    ("HostConfig.NetworkMode", "host", "host_isolation network_isolation 5.10", "NetworkMode=host"),
    ("HostConfig.NetworkMode", "container:abc", "network_isolation", "container:abc"),
    ("HostConfig.PidMode", "host", "host_isolation 5.16", "PidMode=host"),
    ("HostConfig.IpcMode", "host", "host_isolation 5.17", "IpcMode=host"),
    ("HostConfig.UTSMode", "host", "host_isolation 5.21", "UTSMode=host"),
    ("HostConfig.UsernsMode", "host", "host_isolation 5.31", "UsernsMode=host"),
    ("HostConfig.Devices", [{"PathOnHost": "/dev/kvm"}], "host_isolation 5.18", "/dev/kvm"),
    ("HostConfig.Ulimits", None, "5.19", "none"),
    ("HostConfig.CgroupParent", "/mine", "5.25", "/mine"),
    ("HostConfig.RestartPolicy", {"Name": "always"}, "5.15", "always:0"),
    ("HostConfig.RestartPolicy", {"Name": "on-failure", "MaximumRetryCount": 6}, "5.15", "on-failure:6"),
    ("Mounts", bind("/var/run/docker.sock", False), "host_isolation 5.32", "/var/run/docker.sock"),
    ("Mounts", bind("/home/me/.docker/docker.sock"), "host_isolation 5.32", "docker.sock"),
    ("Mounts", bind("/run"), "host_isolation 5.32", "/run at /x"),
    ("Mounts", bind("/etc", False), "host_isolation 5.6", "/etc at /x (ro)"),
    ("Mounts", bind("/usr/../etc/cron.d/"), "host_isolation 5.6", "(rw)"),
    ("Mounts", bind("/"), "host_isolation 5.6 5.32", "/ at /x"),
    ("Mounts", bind("/srv/data", propagation="rshared"), "5.20", "/srv/data"),
    ("NetworkSettings.Networks", {"bridge": {}}, "network_isolation 5.30", "bridge"),
    ("HostConfig.PortBindings", {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "80"}]}, "5.8", "127.0.0.1:80"),
    ("HostConfig.PortBindings", {"80/tcp": [{"HostPort": "8080"}]}, "network_isolation 5.14", "*:8080->80/tcp"),
    ("NetworkSettings.Ports", {"80/tcp": [{"HostIp": "::", "HostPort": "4000"}]}, "network_isolation 5.14", "::"),
    ("AppArmorProfile", "unconfined", "5.2", "AppArmorProfile=unconfined"),
    ("Config.Image", "web:latest", "image_pinned", "web:latest"),
    (
        "HostConfig.Privileged",
        True,
        "capabilities_dropped no_new_privileges host_isolation 5.4 5.5 5.22 5.26",
        "Privileged=true",
    ),
]


@pytest.mark.parametrize(("path", "value", "checks", "seen"), PLANTED)
def test_a_planted_fault_is_found_exactly(path: str, value: Any, checks: str, seen: str) -> None:
    document = container(**{path: value})
    assert failing(document) == set(checks.split())
    assert all(seen in evidence(document, check) for check in checks.split())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("HostConfig.NetworkMode", "none"),
        ("HostConfig.RestartPolicy", {"Name": "no"}),
        ("HostConfig.RestartPolicy", None),
        ("Config.User", "web"),
        ("Mounts", bind("/etc/localtime", False)),
        ("Mounts", bind("/etcetera")),
        ("Mounts", None),
        ("HostConfig.PortBindings", None),
        ("HostConfig.SecurityOpt", ["no-new-privileges=true", 'seccomp={"defaultAction": "SCMP_ACT_ERRNO"}']),
        ("Config.Image", "sha256:" + "b" * 64),
    ],
)
def test_what_is_in_order_is_no_finding(path: str, value: Any) -> None:
    assert failing(container(**{path: value})) == set()


def test_cis_5_1_is_of_the_engine() -> None:
    info = {**INFO, "Swarm": {"LocalNodeState": "active"}}
    (row,) = audit([Subject(container(), IMAGE, info, ["web"])], info).failures
    assert (row.container, row.check, row.evidence) == ("(engine)", "5.1", "Swarm.LocalNodeState=active")


def test_cis_5_3_holds_where_the_engine_has_selinux() -> None:
    info = {"SecurityOptions": ["name=selinux", "name=seccomp,profile=default"]}
    assert failing(container(), info=info) == {"5.3"}
    assert failing(container(ProcessLabel="system_u:system_r:container_t:s0"), info=info) == set()


def test_cis_5_7_sees_sshd_among_processes() -> None:
    assert failing(container(), processes=["web serve", "/usr/sbin/sshd -D"]) == {"5.7"}
    assert failing(container(), processes=["sshd: /usr/sbin/sshd [listener]"]) == {"5.7"}
    stopped = judged(container(**{"State.Running": False}), processes=None)
    assert {row.outcome for row in stopped.rows if row.check == "5.7"} == {"not_applicable"}


def test_cis_5_22_an_engine_without_seccomp() -> None:
    assert failing(container(), info={"SecurityOptions": ["name=apparmor"]}) == {"5.22"}
    assert failing(container(), info={"SecurityOptions": ["name=apparmor", "name=seccomp,profile=unconfined"]}) == {
        "5.22"
    }


def test_cis_5_23_and_5_24_judge_what_runs_now() -> None:
    assert failing(container(), execs=[{"ProcessConfig": {"privileged": True, "user": "root"}}]) == {"5.23", "5.24"}
    assert failing(container(), execs=[{"ProcessConfig": {"privileged": False, "user": "1000"}}]) == set()


def test_an_image_that_is_in_no_registry_has_no_digest_to_pin() -> None:
    found = judged(container(**{"Config.Image": "web:1"}), image={"RepoDigests": []})
    assert found.scores()["web"]["features"] == {"passed": 9, "applicable": 9, "score": 100}


def test_a_document_that_says_nothing_is_judged_and_passes_little() -> None:
    found = audit([Subject({"Id": "d"})], {})
    assert found.scores()["d"]["features"]["passed"] == 2
