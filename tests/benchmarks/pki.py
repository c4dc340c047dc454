# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pki module costs, beside what it cannot do without and beside community.crypto's tasks.

    python tests/benchmarks/pki.py

- **The floor** is the bare calls of `cryptography` that make, or read, the same files: keys are generated, certificates
  signed and files written on all cores, without fsync or a record; or each file is read, and its key or certificates
  are parsed with their extensions.
- **community.crypto** (openssl_privatekey, openssl_csr, x509_certificate with ownca, each in a loop) is in PyPI's
  `ansible` package. `make bench` puts it into build/ansible; without that its figures are left out.

Each run is a process of its own; CPU seconds are those of it and its children, and so is the memory (PSS, so that what
forks share counts once). What a run costs before it begins is measured too, and is left out of the ratios. Files lie
below TMPDIR: on a disk that is busy, fsync waits for the others, and its CPU seconds grow with theirs.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO / ".venv" / "collections")]

SIZES = (1_000, 10_000)
TURNS = 3
"""Runs of each, in turns with the floor's; the cheapest counts, as whatever else the machine does only adds."""
GOALS = {"first": 1.5, "unchanged": 1.3}
"""In terms of the floor's CPU seconds."""
MEMORY = 200
"""MiB for 10,000."""
AGAINST, GOAL_AGAINST = 100, 500
"""Certificates beside community.crypto, and how many times less CPU seconds they should take."""
ANSIBLE = REPO / "build" / "ansible" / "bin" / "ansible-playbook"
FILES = ("key.pem", "cert.pem", "fullchain.pem", "ca-cert.pem")


def declaration(size: int) -> dict[str, Any]:
    return {
        "authorities": [{"name": "root"}, {"name": "issuing", "issuer": "root", "valid_for": "1825d"}],
        "certificates": [{"name": f"c{at}", "issuer": "issuing", "dns": [f"c{at}.zt.example"]} for at in range(size)],
    }


# One process


def measured(command: list[str], **options: Any) -> dict[str, Any]:
    """Runs a command: its CPU and wall seconds, its memory and what it has printed."""
    peak, started = 0, time.monotonic()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, **options)
        while True:
            done, status, used = os.wait4(process.pid, os.WNOHANG)
            if done:
                break
            peak = max(peak, memory(process.pid))
            time.sleep(0.05)
        seconds = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read().decode()
    if process.returncode:
        raise SystemExit(f"{command[:3]} failed:\n{text[-3000:]}")
    return {"cpu_seconds": used.ru_utime + used.ru_stime, "seconds": seconds, "peak_mebibytes": peak, "text": text}


def memory(process: int) -> int:
    """MiB of a process and its children; 0 where the system does not say."""
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()
        shares = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
        own = next(int(line.split()[1]) for line in shares if line.startswith("Pss:"))
        return own // 1024 + sum(map(memory, map(int, children)))
    return 0


def ours(folder: Path, size: int, changed: bool) -> dict[str, Any]:
    """One run of the module."""
    src = folder / f"{size}.json"
    src.write_text(json.dumps(declaration(size)), encoding="utf-8")
    arguments = {"path": str(folder / f"ours-{size}"), "src": str(src), "_ansible_remote_tmp": str(folder)}
    found = measured([sys.executable, __file__, "--module", json.dumps(arguments)])
    answer = json.loads(found.pop("text").splitlines()[-1])
    if answer.get("failed") or answer["changed"] != changed:
        raise SystemExit(f"pki failed, or has changed={answer.get('changed')}: {answer.get('msg')}")
    return found


def module(arguments: str) -> None:
    from ansible.module_utils.testing import patch_module_args
    from ansible_collections.zerotrust.platform.plugins.modules import pki as under_test

    # A failure shows in the answer.
    with patch_module_args(json.loads(arguments)), contextlib.suppress(SystemExit):
        under_test.main()


def floor(folder: Path, size: int, what: str) -> dict[str, Any]:
    found = measured([sys.executable, __file__, f"--{what}", str(folder / f"floor-{size}"), str(size)])
    del found["text"]
    return found


def issue(root: Path, size: int) -> None:
    """The floor of a first run: on all cores, as the module is."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    authority = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuing")])
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())
    begin = datetime.now(timezone.utc)
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign"),
        False,
    )

    def one(name: str) -> tuple[bytes, bytes]:
        key = ec.generate_private_key(ec.SECP256R1())
        extensions = (
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (x509.KeyUsage(digital_signature=True, encipher_only=False, decipher_only=False, **usage), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            (x509.SubjectAlternativeName([x509.DNSName(name)]), False),
            (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
            (identifier, False),
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + timedelta(days=365))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        pem = serialization.Encoding.PEM
        plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return key.private_bytes(pem, *plain), builder.sign(authority, hashes.SHA256()).public_bytes(pem)

    root.mkdir()
    above = one("above.zt.example")[1]
    cores = len(os.sched_getaffinity(0))
    children = []
    for first in range(cores):
        child = os.fork()
        if not child:
            for at in range(first, size, cores):
                key, certificate = one(f"c{at}.zt.example")
                (root / f"c{at}").mkdir()
                for name, content in zip(FILES, (key, certificate, certificate + above, above)):
                    (root / f"c{at}" / name).write_bytes(content)
            os._exit(0)
        children.append(child)
    for child in children:
        if os.waitpid(child, 0)[1]:
            raise SystemExit("a process of the floor failed")


def read(root: Path, size: int) -> None:
    """The floor of a run that changes nothing."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    folder = str(root)
    for at in range(size):
        for name in FILES:
            with open(f"{folder}/c{at}/{name}", "rb") as file:
                content = file.read()
            if name == "key.pem":
                serialization.load_pem_private_key(content, None)
            else:
                for certificate in x509.load_pem_x509_certificates(content):
                    certificate.extensions  # noqa: B018


# Beside the floor


def beside_floor() -> list[dict[str, Any]]:
    """First and unchanged runs of each size."""
    rows = []
    for size in SIZES:
        turns: dict[str, list[tuple[dict[str, Any], ...]]] = {"first": [], "unchanged": []}
        for _turn in range(TURNS):
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                for run, lowest in (("first", "issue"), ("unchanged", "read")):
                    changed = run == "first"
                    starts = ours(folder, 1, changed), floor(folder, 0 if changed else 1, lowest)
                    if changed:
                        floor(folder, 1, "issue")
                    turns[run].append((ours(folder, size, changed), starts[0], floor(folder, size, lowest), starts[1]))
        rows.extend({"run": run, "certificates": size, **lowest_of(found)} for run, found in turns.items())
    return rows


def lowest_of(turns: list[tuple[dict[str, Any], ...]]) -> dict[str, Any]:
    """The cheapest of all turns, and how many times the floor that is."""

    def best(place: int, figure: str) -> float:
        return min(turn[place][figure] for turn in turns)

    found: dict[str, Any] = {"peak_mebibytes": max(turn[0]["peak_mebibytes"] for turn in turns)}
    for figure in ("cpu_seconds", "seconds"):
        own, start, lowest, its_start = (best(place, figure) for place in range(4))
        found |= {
            figure: round(own, 2),
            f"start_{figure}": round(start, 2),
            f"floor_{figure}": round(lowest, 2),
            f"ratio_{figure}": round((own - start) / (lowest - its_start), 2),
        }
    return found


# Beside community.crypto


def beside_community() -> list[dict[str, Any]]:
    """An empty task, then all runs as playbooks; nothing if build/ansible is not there."""
    if not ANSIBLE.exists():
        return []
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours(folder, 1, changed=True)
        (folder / "theirs").mkdir()
        src = folder / "declared.json"
        src.write_text(json.dumps(declaration(AGAINST)), encoding="utf-8")

        def cheapest(tasks: Callable[[int], list[dict[str, Any]]], arguments: tuple[str, ...] = ()) -> float:
            return min(playbook(folder, tasks(turn), arguments) for turn in range(TURNS))

        def mine(turn: int) -> list[dict[str, Any]]:
            return [{"zerotrust.platform.pki": {"path": str(folder / f"mine-{turn}"), "src": str(src)}}]

        empty = cheapest(lambda _turn: [])
        ping = cheapest(lambda _turn: [{"ansible.builtin.ping": {}}]) - empty
        rows.append({"run": "empty task", "certificates": 0, "cpu_seconds": round(ping, 2)})
        for run, check in (("first, check", True), ("first", False), ("unchanged", False), ("unchanged, check", True)):
            arguments = ("--check",) if check else ()
            row = {"run": run, "certificates": AGAINST, "cpu_seconds": round(cheapest(mine, arguments) - empty, 2)}
            # Its check mode of a first run fails, as each task needs what the one before it makes.
            if run != "first, check":
                seconds = playbook(folder, community(folder), arguments) - empty
                row |= {"community_cpu_seconds": round(seconds, 1)}
                row |= {"times_less": round(seconds / row["cpu_seconds"])}
            rows.append(row)
    return rows


def playbook(folder: Path, tasks: list[dict[str, Any]], arguments: tuple[str, ...]) -> float:
    """CPU seconds of a run."""
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
        "tasks": tasks,
    }
    path = folder / "playbook.json"
    path.write_text(json.dumps([play]), encoding="utf-8")
    # Ansible as it comes, for both.
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "ANSIBLE_COLLECTIONS_PATH": str(REPO / ".venv" / "collections"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal",
        "ANSIBLE_DISPLAY_OK_HOSTS": "false",
    }
    command = [str(ANSIBLE), "-i", "localhost,", str(path), *arguments]
    return float(measured(command, env=environment, cwd=folder)["cpu_seconds"])


def community(folder: Path) -> list[dict[str, Any]]:
    """The same certificates, of an authority that is there already."""
    names = [f"c{at}" for at in range(AGAINST)]
    at, signer = f"{folder}/theirs/{{{{ item }}}}", f"{folder}/ours-1/authorities/issuing"
    tasks: list[dict[str, Any]] = [
        {"community.crypto.openssl_privatekey": {"path": f"{at}.key", "type": "ECC", "curve": "secp256r1"}},
        {
            "community.crypto.openssl_csr": {
                "path": f"{at}.csr",
                "privatekey_path": f"{at}.key",
                "common_name": "{{ item }}.zt.example",
                "subject_alt_name": ["DNS:{{ item }}.zt.example"],
                "basic_constraints": ["CA:FALSE"],
                "basic_constraints_critical": True,
                "key_usage": ["digitalSignature"],
                "key_usage_critical": True,
                "extended_key_usage": ["serverAuth"],
            }
        },
        {
            "community.crypto.x509_certificate": {
                "path": f"{at}.pem",
                "csr_path": f"{at}.csr",
                "provider": "ownca",
                "ownca_path": f"{signer}/cert.pem",
                "ownca_privatekey_path": f"{signer}/key.pem",
                "ownca_not_after": "+365d",
            }
        },
    ]
    return [{**task, "loop": names} for task in tasks]


# All of it


def show(figures: dict[str, list[dict[str, Any]]]) -> None:
    print("\npki beside the bare calls of cryptography, CPU and wall seconds with all processes; the ratios are beside")
    print("what a run with one certificate costs\n")
    columns = ("run", "certificates", "start", "CPU", "floor", "ratio", "goal", "wall", "floor", "ratio", "peak MiB")
    print(" ".join(f"{column:>12}" for column in columns))
    for row in figures["floor"]:
        cells = [row["run"], row["certificates"], row["start_cpu_seconds"]]
        cells += [row[f"{which}cpu_seconds"] for which in ("", "floor_", "ratio_")] + [GOALS[row["run"]]]
        cells += [row[f"{which}seconds"] for which in ("", "floor_", "ratio_")] + [row["peak_mebibytes"]]
        print(" ".join(f"{cell!s:>12}" for cell in cells))
    print(f"Goal beside: at most {MEMORY} MiB.")
    if not figures["community"]:
        print("\nNot measured beside community.crypto: there is no build/ansible, which `make bench` makes.")
        return
    print(f"\npki as one task beside community.crypto's three in a loop, {AGAINST} certificates, CPU seconds of")
    print("ansible-playbook with all processes, less those of a playbook without tasks\n")
    print(" ".join(f"{column:>16}" for column in ("run", "pki", "community.crypto", "times less", "goal")))
    for row in figures["community"]:
        cells = [row["run"], row["cpu_seconds"], row.get("community_cpu_seconds", ""), row.get("times_less", "")]
        print(" ".join(f"{cell!s:>16}" for cell in (*cells, GOAL_AGAINST)))


def pki() -> dict[str, list[dict[str, Any]]]:
    """All figures; they are printed too."""
    figures = {"floor": beside_floor(), "community": beside_community()}
    show(figures)
    return figures


if __name__ == "__main__":
    if sys.argv[1:2] == ["--module"]:
        module(sys.argv[2])
    elif sys.argv[1:2] == ["--issue"]:
        issue(Path(sys.argv[2]), int(sys.argv[3]))
    elif sys.argv[1:2] == ["--read"]:
        read(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        target = REPO / "build" / "bench-pki.json"
        target.parent.mkdir(exist_ok=True)
        target.write_text(json.dumps(pki(), indent=2) + "\n", encoding="utf-8")
        print(f"\nAll figures: {target}")
