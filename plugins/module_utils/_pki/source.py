# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A declaration's file: YAML or JSON, read strictly, with the place of each value."""

from __future__ import annotations

from pathlib import Path as File

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.loader import load
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import GraphError
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.reading import Source


def read_source(src: str) -> Source:
    """The data of a file. A PlatformError if it cannot be read or is no YAML, or if a key is there twice."""
    name = File(src).name
    try:
        text = File(src).read_bytes()
    except OSError as error:
        raise PlatformError(f"{src}: cannot be read: {error.strerror or error}", "unreadable_src") from error
    try:
        loaded = load(text, name)
    except GraphError as error:
        raise PlatformError(error.problems[0].text(name), error.reason) from None
    texts = [problem.text(name) for problem in loaded.problems]
    if texts:
        raise PlatformError(texts[0], loaded.problems[0].code, texts if len(texts) > 1 else ())
    return Source(loaded.data, name, loaded.place)
