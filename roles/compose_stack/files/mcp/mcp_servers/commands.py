# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The allow-list: which commands there are, and which arguments they take.

A file of JSON::

    {"commands": {"list": {
        "description": "List a directory.",
        "argv": ["/bin/ls", "-l", "--", "{path}"],
        "parameters": {"path": {"pattern": "[A-Za-z0-9_./-]+", "description": "A path below the working directory."}}
    }}}

A parameter stands for exactly one argument, so no value can become two. It must match its pattern as a whole, and
cannot begin with a dash unless ``--`` stands before it, so no value can become an option.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

#: The longest argument that is looked at.
LONGEST_VALUE = 4096

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class Parameter(BaseModel):
    """What one argument may be: a regular expression, matched as a whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: str
    description: str = ""

    @model_validator(mode="after")
    def _compiles(self) -> Parameter:
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ValueError(f"{self.pattern!r} is no regular expression: {error}") from error
        return self


class Command(BaseModel):
    """A program, its fixed arguments, and its limits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    argv: Annotated[list[str], Field(min_length=1)]
    description: str = ""
    parameters: dict[Name, Parameter] = {}
    timeout_seconds: float = Field(default=10, gt=0, le=600)
    output_bytes: int = Field(default=65536, gt=0, le=4 * 1024 * 1024)

    @model_validator(mode="after")
    def _consistent(self) -> Command:
        if not Path(self.argv[0]).is_absolute():
            raise ValueError(f"argv[0]: {self.argv[0]!r} is no absolute path; programs are not looked up.")
        used = [name for name in map(_placeholder, self.argv) if name]
        for name in used:
            if name not in self.parameters:
                raise ValueError(f"argv: {{{name}}} is not declared in parameters.")
        for name in self.parameters:
            if name not in used:
                raise ValueError(f"parameters.{name}: argv has no {{{name}}}.")
        return self

    def schema_(self) -> dict[str, Any]:
        """The JSON schema of the tool's arguments."""
        return {
            "type": "object",
            "properties": {
                name: {
                    "type": "string",
                    "pattern": f"^(?:{parameter.pattern})$",
                    "maxLength": LONGEST_VALUE,
                    **({"description": parameter.description} if parameter.description else {}),
                }
                for name, parameter in self.parameters.items()
            },
            "required": sorted(self.parameters),
            "additionalProperties": False,
        }

    def filled(self, arguments: dict[str, Any]) -> list[str]:
        """The whole command line. Raises ValueError with a sentence that names the parameter."""
        unknown = sorted(set(arguments) - set(self.parameters))
        if unknown:
            raise ValueError(f"{unknown[0][:100]!r} is no parameter of this command.")
        argv: list[str] = []
        for part in self.argv:
            name = _placeholder(part)
            argv.append(self._value(name, arguments, "--" in argv) if name else part)
        return argv

    def _value(self, name: str, arguments: dict[str, Any], after_dashes: bool) -> str:
        if name not in arguments:
            raise ValueError(f"The parameter {name!r} is missing.")
        value = arguments[name]
        # fullmatch, as $ also matches before a line feed at the end.
        if (
            not isinstance(value, str)
            or len(value) > LONGEST_VALUE
            or "\0" in value
            or not re.fullmatch(self.parameters[name].pattern, value)
        ):
            raise ValueError(f"The parameter {name!r} must be a text that matches {self.parameters[name].pattern!r}.")
        if value.startswith("-") and not after_dashes:
            raise ValueError(f"The parameter {name!r} must not begin with a dash.")
        return value


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    commands: dict[Name, Command]


def read_commands(path: Path) -> dict[str, Command]:
    """The commands by their names. Raises OSError, and ValueError with each mistake and its place."""
    try:
        return _File.model_validate_json(path.read_bytes()).commands
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'the file'}: {e['msg']}" for e in error.errors())
        raise ValueError(f"{path}: {wrong}") from None


def _placeholder(part: str) -> str:
    match = re.fullmatch(r"\{([a-z][a-z0-9_]*)\}", part)
    return match.group(1) if match else ""
