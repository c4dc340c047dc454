# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NetworkPolicies enforced on the packets of a node's pods: iptables queues what they send, `tools/enforcer` judges it.

Each packet of whoever has opened a connection is judged, not the first one alone: a policy holds for connections that
there are already. Answers pass, and so does what the node itself sends, as kubelet's probes must.

To be started before the pods: of connections that it has not seen, conntrack does not know who has opened them.
"""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.live.api_server import ApiServer
from tests.live.debian import debian_tree
from tests.live.processes import Processes, free_port

IPTABLES = (
    *("iptables", "libip4tc2", "libip6tc2", "libxtables12", "libnftnl11", "libnfnetlink0"),
    *("libnetfilter-conntrack3", "libmnl0"),
)
QUEUE = 100


@dataclass
class Enforcer:
    account: Path

    def dropped(self) -> Counter[tuple[str, str, int]]:
        """How many packets were dropped, by source, destination and port."""
        # The last line may not be whole yet.
        lines = self.account.read_text(encoding="ascii").split("\n")[:-1]
        return Counter((source, target, int(port)) for source, target, port in map(str.split, lines))


def enforce(running: Processes, server: ApiServer, program: Path, folder: Path) -> Enforcer:
    """In the network of this thread. Unpack IPTABLES and build the program before entering it."""
    account, port = folder / "dropped", free_port()
    command = [program, "-kubeconfig", server.kubeconfig(), "-queue", QUEUE, "-dropped", account]
    running.start([*command, "-ready", f"127.0.0.1:{port}"], port)
    for chain in ("FORWARD", "INPUT"):
        condition = ["--in-interface", "pod+", "--match", "conntrack", "--ctdir", "ORIGINAL"]
        iptables("--append", chain, *condition, "--jump", "NFQUEUE", "--queue-num", str(QUEUE))
    return Enforcer(account)


def iptables(*arguments: str) -> None:
    trees = [debian_tree(package) for package in IPTABLES]
    folders = [str(path) for tree in trees for path in tree.glob("usr/lib/*-linux-gnu*")]
    (extensions,) = trees[0].glob("usr/lib/*-linux-gnu*/xtables")
    environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(folders), "XTABLES_LIBDIR": str(extensions)}
    command = [str(trees[0] / "usr/sbin/xtables-nft-multi"), "iptables", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
