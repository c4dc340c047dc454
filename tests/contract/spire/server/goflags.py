# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Command lines as Go's package `flag` has them: -name value, -name=value, usage in alphabetical order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class CommandError(Exception):
    """The end of the command. stderr: what it says there."""

    def __init__(self, status: int, stderr: str = "", stdout: str = "") -> None:
        super().__init__(stderr)
        self.status, self.stderr, self.stdout = status, stderr, stdout


def failure(text: str) -> CommandError:
    return CommandError(1, f"Error: {text}\n")


class Flag(NamedTuple):
    """kind: string, int, bool, duration, or value (what the command parses itself). many: given more than once."""

    kind: str
    usage: str
    default: Any = ""
    many: bool = False

    def shown(self, name: str) -> str:
        head = f"  -{name}" + ("" if self.kind == "bool" else f" {self.kind}")
        default = f'"{self.default}"' if self.kind == "string" else self.default
        tail = f" (default {default})" if self.default not in ("", 0, False) else ""
        return f"{head}\n    \t{self.usage}{tail}\n"


def usage(command: str, flags: Mapping[str, Flag]) -> str:
    return f"Usage of {command}:\n" + "".join(flags[name].shown(name) for name in sorted(flags))


def parse(command: str, flags: Mapping[str, Flag], arguments: Sequence[str]) -> dict[str, Any]:
    values: dict[str, Any] = {name: [] if flag.many else flag.default for name, flag in flags.items()}
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            break
        name, equals, value = word.lstrip("-").partition("=")
        if name in ("h", "help"):
            raise CommandError(0, usage(command, flags) + "flag: help requested\n")
        if name not in flags:
            raise CommandError(1, f"flag provided but not defined: -{name}\n{usage(command, flags)}")
        flag = flags[name]
        if flag.kind == "bool":
            values[name] = value != "false"
            continue
        if not equals:
            if not rest:
                raise CommandError(1, f"flag needs an argument: -{name}\n{usage(command, flags)}")
            value = rest.pop(0)
        if name == "output" and value not in ("pretty", "json"):
            why = f'bad formatter flag: unknown format option: "{value}"'
            raise CommandError(1, f'invalid value "{value}" for flag -output: {why}\n{usage(command, flags)}')
        if flag.many:
            values[name].append(value)
        else:
            values[name] = int(value) if flag.kind == "int" else value
    return values
