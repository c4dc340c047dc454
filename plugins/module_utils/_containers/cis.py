# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The runtime checks of the CIS Docker Benchmark v1.6.0, section 5, by their numbers.

Where the benchmark leaves room, the rule is that of docker-bench-security, or a stricter one:

- 5.4: capabilities beyond the engine's default set, and all that a privileged container has.
- 5.6: a directory of the benchmark's list in any mode, and whatever lies below one if it can be written.
- 5.12: CPU shares, or a CPU limit.
- 5.15: `no`, or `on-failure` with at most 5 tries; `always` and `unless-stopped` fail.
- 5.23, 5.24: an exec that runs now is judged; those of the past are in nobody's answer but the audit log's.
- 5.32: a directory that has the socket in it too, and the sockets of containerd, CRI-O and Podman.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from ansible_collections.zerotrust.platform.plugins.module_utils._containers.model import (
    FAIL,
    MANUAL,
    NOT_APPLICABLE,
    PASS,
    Check,
    Document,
    Judged,
    Subject,
    passes_if,
)

#: What the engine gives a container that says nothing.
DEFAULT_CAPABILITIES = frozenset(
    (
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "NET_RAW",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    )
)
SENSITIVE = ("/", "/boot", "/dev", "/etc", "/lib", "/proc", "/sys", "/usr")
SOCKETS = (
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/podman/podman.sock",
)
EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104


def swarm(info: Document) -> Judged:
    """5.1, of the engine."""
    state = str((info.get("Swarm") or {}).get("LocalNodeState") or "inactive")
    return passes_if(state == "inactive", f"Swarm.LocalNodeState={state}")


def capabilities(names: object) -> list[str]:
    """Without the prefix, which engines take and leave out."""
    listed = names if isinstance(names, (list, tuple)) else ()
    return sorted({str(name).upper().removeprefix("CAP_") for name in listed})


def shown(items: Sequence[object], none: str = "none") -> str:
    return ", ".join(map(str, items)) or none


def sockets(subject: Subject) -> list[str]:
    """Mounts through which the container engine can be reached."""
    return [_mount(mount) for mount in subject.binds if _holds_socket(_source(mount))]


def sensitive(subject: Subject) -> list[str]:
    return [_mount(mount) for mount in subject.binds if _is_sensitive(_source(mount), bool(mount.get("RW")))]


def _source(mount: Document) -> str:
    path = posixpath.normpath(str(mount.get("Source") or ""))
    return path[len("/var") :] if path.startswith("/var/run/") or path == "/var/run" else path


def _mount(mount: Document) -> str:
    return f"{mount.get('Source')} at {mount.get('Destination')} ({'rw' if mount.get('RW') else 'ro'})"


def _holds_socket(source: str) -> bool:
    named = posixpath.basename(source) in {posixpath.basename(path) for path in SOCKETS} or source.endswith(
        "docker.sock"
    )
    return named or any(path.startswith(source.rstrip("/") + "/") for path in SOCKETS)


def _is_sensitive(source: str, writable: bool) -> bool:
    return source in SENSITIVE or (writable and source.startswith(tuple(f"{path}/" for path in SENSITIVE[1:])))


def _apparmor(subject: Subject) -> Judged:
    if not subject.engine_has("apparmor"):
        return Judged(NOT_APPLICABLE, "the engine has no AppArmor")
    profile = str(subject.container.get("AppArmorProfile") or "")
    return passes_if(profile not in ("", "unconfined"), f"AppArmorProfile={profile}")


def _selinux(subject: Subject) -> Judged:
    if not subject.engine_has("selinux"):
        return Judged(NOT_APPLICABLE, "the engine has no SELinux")
    label = str(subject.container.get("ProcessLabel") or "")
    disabled = "label=disable" in subject.security_options
    return passes_if(bool(label) and not disabled, f"ProcessLabel={label}")


def _capabilities(subject: Subject) -> Judged:
    if subject.host.get("Privileged"):
        return Judged(FAIL, "Privileged=true: all capabilities")
    added = capabilities(subject.host.get("CapAdd"))
    return passes_if(not set(added) - DEFAULT_CAPABILITIES, f"CapAdd={shown(added)}")


def _privileged(subject: Subject) -> Judged:
    privileged = bool(subject.host.get("Privileged"))
    return passes_if(not privileged, f"Privileged={str(privileged).lower()}")


def _sensitive(subject: Subject) -> Judged:
    found = sensitive(subject)
    return passes_if(not found, f"sensitive directories of the host: {shown(found)}")


def _sshd(subject: Subject) -> Judged:
    if subject.processes is None:
        running = bool((subject.container.get("State") or {}).get("Running"))
        return Judged(MANUAL, "its processes cannot be listed") if running else Judged(NOT_APPLICABLE, "does not run")
    found = [line for line in subject.processes if _program(line) == "sshd"]
    return passes_if(not found, f"{'an' if found else 'no'} sshd among its processes")


def _program(command: str) -> str:
    return posixpath.basename((command.split() or [""])[0]).rstrip(":")


def _ports(subject: Subject) -> str:
    return shown([f"{address or '*'}:{port or 'any'}->{inner}" for address, port, inner in subject.published])


def _privileged_ports(subject: Subject) -> Judged:
    low = [port for _address, port, _inner in subject.published if 0 < port < 1024]
    return passes_if(not low, f"published: {_ports(subject)}")


def _needed_ports(subject: Subject) -> Judged:
    if not subject.published:
        return Judged(NOT_APPLICABLE, "publishes no port")
    return Judged(MANUAL, f"published: {_ports(subject)}")


def _interface(subject: Subject) -> Judged:
    anywhere = [port for address, port, _inner in subject.published if address in EVERYWHERE]
    return passes_if(not anywhere, f"published: {_ports(subject)}")


def _not_host(option: str) -> Check:
    number, title = {
        "NetworkMode": ("5.10", "The host's network is not shared"),
        "PidMode": ("5.16", "The host's process namespace is not shared"),
        "IpcMode": ("5.17", "The host's IPC namespace is not shared"),
        "UTSMode": ("5.21", "The host's UTS namespace is not shared"),
        "UsernsMode": ("5.31", "The host's user namespace is not shared"),
    }[option]

    def judge(subject: Subject) -> Judged:
        mode = str(subject.host.get(option) or "")
        return passes_if(mode != "host", f"{option}={mode or 'its own'}")

    return Check(number, title, judge)


def _memory(subject: Subject) -> Judged:
    limit = subject.host.get("Memory") or 0
    return passes_if(limit > 0, f"Memory={limit}")


def _cpu(subject: Subject) -> Judged:
    shares, nano, quota = (subject.host.get(name) or 0 for name in ("CpuShares", "NanoCpus", "CpuQuota"))
    good = shares not in (0, 1024) or nano > 0 or quota > 0
    return passes_if(good, f"CpuShares={shares}, NanoCpus={nano}, CpuQuota={quota}")


def _root(subject: Subject) -> Judged:
    read_only = bool(subject.host.get("ReadonlyRootfs"))
    return passes_if(read_only, f"ReadonlyRootfs={str(read_only).lower()}")


def _restart(subject: Subject) -> Judged:
    policy = subject.host.get("RestartPolicy") or {}
    name, tries = policy.get("Name") or "no", policy.get("MaximumRetryCount") or 0
    return passes_if(name == "no" or (name == "on-failure" and 0 < tries <= 5), f"RestartPolicy={name}:{tries}")


def devices(subject: Subject) -> list[str]:
    found = [str(device.get("PathOnHost")) for device in subject.host.get("Devices") or ()]
    return found + [f"a request to {item.get('Driver') or 'any driver'}" for item in _requests(subject)]


def _requests(subject: Subject) -> Sequence[Document]:
    return subject.host.get("DeviceRequests") or ()


def _devices(subject: Subject) -> Judged:
    found = devices(subject)
    return passes_if(not found, f"devices: {shown(found)}")


def _ulimits(subject: Subject) -> Judged:
    limits = [f"{at.get('Name')}={at.get('Soft')}:{at.get('Hard')}" for at in subject.host.get("Ulimits") or ()]
    return passes_if(bool(limits), f"Ulimits: {shown(limits, 'none, those of the engine')}")


def _propagation(subject: Subject) -> Judged:
    found = [_mount(mount) for mount in subject.mounts if mount.get("Propagation") in ("shared", "rshared")]
    return passes_if(not found, f"shared mounts: {shown(found)}")


def _seccomp(subject: Subject) -> Judged:
    if subject.host.get("Privileged"):
        return Judged(FAIL, "Privileged=true: no seccomp profile")
    profiles = [option for option in subject.security_options if option.startswith("seccomp=")]
    if profiles:
        # A profile may be a whole document.
        unconfined = "seccomp=unconfined" in profiles
        return passes_if(not unconfined, "SecurityOpt seccomp=unconfined" if unconfined else "a profile of its own")
    of_engine = [str(option) for option in subject.info.get("SecurityOptions") or () if "name=seccomp" in str(option)]
    confined = bool(of_engine) and "profile=unconfined" not in of_engine[0]
    return passes_if(confined, f"the engine's profile: {shown(of_engine)}")


def _exec(number: str, title: str, key: str) -> Check:
    def judge(subject: Subject) -> Judged:
        for execution in subject.execs:
            seen = (execution.get("ProcessConfig") or {}).get(key)
            if seen is True or str(seen or "").partition(":")[0] in ("root", "0"):
                return Judged(FAIL, f"an exec runs now with {key}={str(seen).lower()}")
        return Judged(MANUAL, "no exec runs so now; those of the past are in the audit log")

    return Check(number, title, judge)


def _cgroup(subject: Subject) -> Judged:
    parent = str(subject.host.get("CgroupParent") or "")
    return passes_if(not parent, f"CgroupParent={parent or 'the default'}")


def no_new_privileges(subject: Subject) -> Judged:
    if subject.host.get("Privileged"):
        return Judged(FAIL, "Privileged=true")
    options = [option for option in subject.security_options if option.startswith("no-new-privileges")]
    if not options and subject.engine_has("no-new-privileges"):
        return Judged(PASS, "the engine's default")
    good = any(option in ("no-new-privileges", "no-new-privileges=true") for option in options)
    return passes_if(good, f"SecurityOpt: {shown(options, 'no no-new-privileges')}")


def health_test(subject: Subject) -> list[str]:
    """The health check's kind, such as CMD; empty without one."""
    test = (subject.config.get("Healthcheck") or {}).get("Test") or []
    return [] if test[:1] in ([], ["NONE"]) else [str(test[0])]


def _health(subject: Subject) -> Judged:
    return passes_if(bool(health_test(subject)), f"Healthcheck: {shown(health_test(subject))}")


def _latest(subject: Subject) -> Judged:
    return Judged(MANUAL, f"{subject.config.get('Image')}, made {subject.image.get('Created') or 'nobody knows when'}")


def _pids(subject: Subject) -> Judged:
    limit = subject.host.get("PidsLimit") or 0
    return passes_if(limit > 0, f"PidsLimit={limit}")


def _bridge(subject: Subject) -> Judged:
    # A container that was never started is in no network yet.
    networks = subject.networks or [str(subject.host.get("NetworkMode") or "default")]
    return passes_if(not {"bridge", "default"} & set(networks), f"networks: {shown(networks)}")


def _sockets(subject: Subject) -> Judged:
    found = sockets(subject)
    return passes_if(not found, f"mounts with an engine's socket: {shown(found)}")


#: 5.1 is the engine's, see :func:`swarm`.
CHECKS: tuple[Check, ...] = (
    Check("5.2", "Has an AppArmor profile", _apparmor),
    Check("5.3", "Has SELinux security options", _selinux),
    Check("5.4", "Linux capabilities are restricted", _capabilities),
    Check("5.5", "Is not privileged", _privileged),
    Check("5.6", "Mounts no sensitive directory of the host", _sensitive),
    Check("5.7", "Runs no sshd", _sshd),
    Check("5.8", "Publishes no privileged port", _privileged_ports),
    Check("5.9", "Only needed ports are open", _needed_ports),
    _not_host("NetworkMode"),
    Check("5.11", "Memory is limited", _memory),
    Check("5.12", "CPU priority is set", _cpu),
    Check("5.13", "The root filesystem is read-only", _root),
    Check("5.14", "Published ports are bound to one interface", _interface),
    Check("5.15", "Restarts on failure at most 5 times", _restart),
    _not_host("PidMode"),
    _not_host("IpcMode"),
    Check("5.18", "Has no device of the host", _devices),
    Check("5.19", "Default ulimits are overwritten", _ulimits),
    Check("5.20", "Mount propagation is not shared", _propagation),
    _not_host("UTSMode"),
    Check("5.22", "A seccomp profile is in force", _seccomp),
    _exec("5.23", "No exec is privileged", "privileged"),
    _exec("5.24", "No exec is root's", "user"),
    Check("5.25", "The cgroup is the default one", _cgroup),
    Check("5.26", "Can gain no privileges", no_new_privileges),
    Check("5.27", "Health is checked", _health),
    Check("5.28", "The image's latest version is used", _latest),
    Check("5.29", "The number of processes is limited", _pids),
    Check("5.30", "The default bridge is not used", _bridge),
    _not_host("UsernsMode"),
    Check("5.32", "No engine's socket is mounted", _sockets),
)
