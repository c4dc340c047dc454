# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The allow-list: what may become of a value."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_servers.commands import Command, Parameter, read_commands

from tests.stack.mcp.serving import PACKAGE


@given(value=st.text(), pattern=st.sampled_from(["[a-z]+", ".*", "-?[0-9]+", "(?s).*"]), dashes=st.booleans())
def test_a_value_stays_one_argument_in_its_place_or_is_refused(value: str, pattern: str, dashes: bool) -> None:
    before = ["/bin/echo", *(["--"] if dashes else [])]
    command = Command(argv=[*before, "{value}", "last"], parameters={"value": Parameter(pattern=pattern)})
    try:
        argv = command.filled({"value": value})
    except ValueError:
        assert not re.fullmatch(pattern, value) or "\0" in value or (value.startswith("-") and not dashes)
    else:
        assert argv == [*before, value, "last"]
        assert re.fullmatch(pattern, value)
        assert dashes or not value.startswith("-")


@pytest.mark.parametrize("path", ["..", "../x", "a/../b", "a/..", "/etc", "-R", "", "a\n", "$HOME"])
def test_the_commands_of_the_image_stay_below_the_working_directory(path: str) -> None:
    with pytest.raises(ValueError, match="'path' must be a text"):
        read_commands(PACKAGE / "commands.json")["list_directory"].filled({"path": path})


@pytest.mark.parametrize("path", [".", "a/b.txt", ".hidden", "..a"])
def test_the_commands_of_the_image_take_usual_paths(path: str) -> None:
    assert read_commands(PACKAGE / "commands.json")["list_directory"].filled({"path": path})[-1] == path
