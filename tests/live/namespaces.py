# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks of Linux that end with the processes in them, so that nothing of the machine's own is changed."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

NEW_NETWORK = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
OWN = "/proc/thread-self/ns/net"


@contextlib.contextmanager
def private_network(address: str) -> Iterator[None]:
    """This thread, and what it starts, are in a network of their own that has this address, and routes."""
    missing = [name for name in ("ip", "unshare", "nsenter", "mount") if not shutil.which(name)]
    if os.geteuid() != 0 or missing:
        pytest.skip(f"needs root, iproute2 and util-linux{' (no ' + ', '.join(missing) + ')' if missing else ''}")
    before = os.open(OWN, os.O_RDONLY)
    if LIBC.unshare(NEW_NETWORK) != 0:
        os.close(before)
        pytest.skip(f"no network of its own can be had: {os.strerror(ctypes.get_errno())}")
    try:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        subprocess.run(["ip", "addr", "add", f"{address}/32", "dev", "lo"], check=True)
        for path, value in (("ip_forward", "1"), ("conf/all/rp_filter", "0"), ("conf/default/rp_filter", "0")):
            # The caller's /proc/sys/net shows the network of the reading thread.
            Path("/proc/sys/net/ipv4", path).write_text(value, encoding="ascii")
        yield
    finally:
        LIBC.setns(before, NEW_NETWORK)
        os.close(before)
