# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the container's server is worth a try: after a failure it is left alone for a short time.

It is kept in a file, as each call is a process of its own. A file that is missing or makes no sense means that it is.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path

from mcp_shim.lock import open_own


class Circuit:
    """``retry_seconds``: how long the server is left alone after a failure."""

    def __init__(self, path: Path, retry_seconds: float) -> None:
        self._path = path
        self._retry_seconds = retry_seconds

    @property
    def is_open(self) -> bool:
        """Whether the server is left alone now. Raises ShimError for a file that is not ours."""
        left = self._until() - time.time()
        # The clock may have been set back since.
        return 0 < left <= self._retry_seconds

    def failed(self) -> None:
        """Leave the server alone for a while."""
        self._write(time.time() + self._retry_seconds)

    def succeeded(self) -> None:
        """It is there. Nothing is written when that is known."""
        if self._until():
            self._write(0.0)

    def _until(self) -> float:
        try:
            descriptor = open_own(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return 0.0
        with os.fdopen(descriptor, "rb") as file:
            text = file.read(1000)
        try:
            return float(json.loads(text)["open_until"])
        except (ValueError, KeyError, TypeError):
            return 0.0

    def _write(self, until: float) -> None:
        with tempfile.NamedTemporaryFile("w", dir=self._path.parent, prefix=self._path.name, delete=False) as file:
            json.dump({"open_until": until}, file)
        Path(file.name).replace(self._path)
