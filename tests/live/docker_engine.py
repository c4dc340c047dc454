# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Docker engine for the tests alone, with Compose, and images made of Debian packages.

    this machine ── veth, masqueraded ── a network of its own: dockerd ── docker0, networks, published ports, iptables

So it disturbs no engine of the machine and no other test, and any address is free in it. What a container publishes
is reached from there too: `engine.inside(command)` runs a command in that network. The socket is reached from anywhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import pytest

from tests.live.debian import debian_program, debian_tree
from tests.live.go_tools import CACHE, tool_path

#: What dockerd starts: program, its package, and where it is there.
HELPERS = (
    ("containerd", "containerd", "usr/bin"),
    ("runc", "runc", "usr/sbin"),
    ("docker-proxy", "docker.io", "usr/sbin"),
    ("iptables", "iptables", "usr/sbin"),
)


class Engine:
    """host: the engine's address, as DOCKER_HOST has it. environment: with which docker and Compose find it."""

    def __init__(self) -> None:
        self.dockerd = debian_program("dockerd", "docker.io", "usr/sbin/dockerd")
        self.docker = debian_program("docker", "docker.io", "usr/bin/docker")
        folders = {str(Path(debian_program(name, package, f"{at}/{name}")).parent) for name, package, at in HELPERS}
        # A short path: that of a socket has at most 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="zt-docker-"))
        self.socket = self.folder / "docker.sock"
        self.host = f"unix://{self.socket}"
        self.environment = {
            **os.environ,
            "PATH": os.pathsep.join([*sorted(folders), os.environ["PATH"], "/usr/sbin", "/sbin"]),
            "DOCKER_HOST": self.host,
            "DOCKER_CONFIG": str(self.folder / "config"),
        }
        plugins = self.folder / "config" / "cli-plugins"
        plugins.mkdir(parents=True)
        (plugins / "docker-compose").symlink_to(tool_path("compose", "cmd"))
        self.process: Optional[subprocess.Popen[bytes]] = None
        self.network = Network(f"zt{os.getpid()}")

    def run(self, *command: object, **options: Any) -> str:
        """What a command writes, run with this engine as its own; fails with what it says of its failure."""
        settings = {"env": self.environment, "capture_output": True, "text": True, **options}
        done = subprocess.run([str(part) for part in command], check=False, **settings)
        assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
        return str(done.stdout)

    def cli(self, *arguments: object, **options: Any) -> str:
        """`cli("run", ...)`, `cli("compose", "up")`."""
        return self.run(self.docker, *arguments, **options)

    def inside(self, *command: object) -> list[str]:
        """The command that runs a command in the engine's network."""
        return ["nsenter", f"--net={self.network.path}", *map(str, command)]

    def start(self) -> None:
        self.network.make()
        command = [self.dockerd, "--host", self.host, "--pidfile", self.folder / "pid", "--data-root"]
        command += [self.folder / "data", "--exec-root", self.folder / "exec", "--bip", "10.213.0.1/24"]
        command += ["--default-address-pool", "base=10.214.0.0/16,size=24"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.inside(*command), env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        end = time.monotonic() + 60
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > end:
                said = (self.folder / "log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
                pytest.skip(f"dockerd does not run here: {said[-1] if said else 'it says nothing'}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        command = [self.docker, "version", "--format", "{{.Server.Version}}"]
        return subprocess.run(command, env=self.environment, capture_output=True, check=False).returncode == 0

    def stop(self, how: int = signal.SIGTERM) -> None:
        """End the engine; its containers go on after SIGKILL, and after SIGTERM end with it."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(timeout=60)
            self.process = None
            # containerd dies with it. Where process 1 does not reap that, the next engine takes it for alive.
            (self.folder / "exec/containerd/containerd.pid").unlink(missing_ok=True)

    def remove(self) -> None:
        """Leave nothing: no container, process, mount, network or file."""
        with contextlib.suppress(AssertionError):
            if ids := self.cli("ps", "--all", "--quiet").split():
                self.cli("rm", "--force", "--volumes", *ids)
        self.stop()
        mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
        for mount in reversed([at for at in mounts if at.startswith(f"{self.folder}/")]):
            subprocess.run(["umount", "--lazy", mount], check=False)
        self.network.remove()
        shutil.rmtree(self.folder)

    def image(self, name: str, packages: Sequence[str] = (), changes: Sequence[str] = ()) -> str:
        """Import an image `name` of Debian's smallest system and packages; its tree is kept in .cache/live.

        changes: lines of a Dockerfile, such as `USER 1000`.
        """
        options = [part for change in changes for part in ("--change", change)]
        return self.cli("import", *options, debian_archive(packages), name).strip()


class Network:
    """A network namespace with a way out: what is in it has this machine's addresses to the world."""

    def __init__(self, name: str) -> None:
        number = os.getpid()
        self.name, self.path = name, Path("/run/netns", name)
        self.link = f"{name}v"
        near = f"198.18.{number >> 6 & 255}.{(number & 63) * 4}"
        self.subnet = f"{near}/30"
        head, last = near.rsplit(".", 1)
        self.outer, self.inner = f"{head}.{int(last) + 1}", f"{head}.{int(last) + 2}"
        self.rules = [
            ("filter", "FORWARD", "-i", self.link, "-j", "ACCEPT"),
            ("filter", "FORWARD", "-o", self.link, "-j", "ACCEPT"),
            ("nat", "POSTROUTING", "-s", self.subnet, "!", "-o", self.link, "-j", "MASQUERADE"),
        ]
        self._forward = ""

    def make(self) -> None:
        if self.path.exists():
            return
        inside = ["nsenter", f"--net={self.path}"]
        forward = Path("/proc/sys/net/ipv4/ip_forward")
        self._forward = forward.read_text(encoding="ascii")
        for command in (
            ["ip", "netns", "add", self.name],
            ["ip", "link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", self.name],
            ["ip", "addr", "add", f"{self.outer}/30", "dev", self.link],
            ["ip", "link", "set", self.link, "up"],
            [*inside, "ip", "link", "set", "lo", "up"],
            [*inside, "ip", "addr", "add", f"{self.inner}/30", "dev", "eth0"],
            [*inside, "ip", "link", "set", "eth0", "up"],
            [*inside, "ip", "route", "add", "default", "via", self.outer],
            *(["iptables", "-w", "-t", table, "-I", *rule] for table, *rule in self.rules),
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                self.remove()
                pytest.skip(f"no network of its own can be had: {' '.join(command)}: {done.stderr.strip()}")
        forward.write_text("1", encoding="ascii")

    def remove(self) -> None:
        for table, *rule in self.rules:
            subprocess.run(["iptables", "-w", "-t", table, "-D", *rule], capture_output=True, check=False)
        # The pair of links goes with either end, and the namespace with the last process in it.
        subprocess.run(["ip", "link", "delete", self.link], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "delete", self.name], capture_output=True, check=False)
        if self._forward:
            Path("/proc/sys/net/ipv4/ip_forward").write_text(self._forward, encoding="ascii")


def debian_archive(packages: Sequence[str] = ()) -> Path:
    """A tar file of this machine's release of Debian with packages, and with its certificates and settings of apt."""
    release = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    wanted = sorted({"ca-certificates", *packages})
    digest = hashlib.sha256(" ".join([release, *wanted]).encode()).hexdigest()[:12]
    archive = CACHE / "images" / f"{release}-{digest}.tar"
    if archive.is_file():
        return archive
    archive.parent.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ, LC_ALL="C")
    debootstrap = shutil.which("debootstrap", path=f"{os.environ['PATH']}:/usr/sbin")
    if debootstrap is None:
        tree = debian_tree("debootstrap")
        debootstrap = str(tree / "usr" / "sbin" / "debootstrap")
        environment["DEBOOTSTRAP_DIR"] = str(tree / "usr" / "share" / "debootstrap")
    with tempfile.TemporaryDirectory(prefix="zt-debian-", ignore_cleanup_errors=True) as folder:
        root = Path(folder, "root")
        command = [debootstrap, "--variant=minbase", f"--include={','.join(wanted)}", release, root, *_mirror()]
        try:
            done = subprocess.run(
                ["nice", *map(str, command)], env=environment, capture_output=True, text=True, check=False
            )
        finally:
            # One that is broken off leaves it behind, and no directory with a mount in it can be removed.
            subprocess.run(["umount", str(root / "proc")], capture_output=True, check=False)
        if done.returncode != 0:
            said = (done.stdout + done.stderr).strip().splitlines()
            pytest.skip(f"no image can be made: {said[-1] if said else 'debootstrap fails'}")
        _settle(root)
        partial = archive.with_suffix(f".{os.getpid()}")
        left_out = [f"--exclude=./{path}" for path in ("proc/*", "sys/*", "dev/*", "var/cache/apt/archives/*")]
        subprocess.run(["tar", "-C", str(root), *left_out, "-cf", str(partial), "."], check=True)
        partial.rename(archive)
    return archive


def _settle(root: Path) -> None:
    """What this machine needs to reach its mirrors, its images need too."""
    said = subprocess.run(["apt-config", "dump", "Acquire"], capture_output=True, text=True, check=True).stdout
    (root / "etc/apt/apt.conf.d/99machine").write_text(said, encoding="utf-8")
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    if bundle.is_file():
        shutil.copyfile(bundle, root / "etc/ssl/certs/ca-certificates.crt")


def _mirror() -> list[str]:
    """The first mirror that apt has its packages of."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    return said[:1]
