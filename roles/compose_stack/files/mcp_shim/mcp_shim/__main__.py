# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``mcp-shim health | tools/list | tools/call NAME [JSON] | serve``.

Answers are JSON on standard output, logs are lines of JSON on standard error. Exit codes: 0; 1 when the tool says that
it failed, and for ``health`` when the container's server is down but the local one could be used; 2 for what is
refused; 3 when no server can be used; 4 when the lock was not free in time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from typing import Any, NoReturn

from pydantic import ValidationError
from pythonjsonlogger.json import JsonFormatter

from mcp_shim.errors import Exit, ShimError
from mcp_shim.serve import serve
from mcp_shim.settings import Settings
from mcp_shim.shim import Shim

log = logging.getLogger("mcp_shim")

#: The longest arguments that are read from standard input.
LONGEST_INPUT = 4 * 1024 * 1024


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ShimError(Exit.REFUSED, f"{message[:1].upper()}{message[1:]}.")


def _parse() -> argparse.Namespace:
    parser = _Parser(prog="mcp-shim", description="The MCP filesystem server, or a local one while it is down.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("health", help="what could be used now")
    commands.add_parser("tools/list", help="the tools and their schemas")
    call = commands.add_parser("tools/call", help="call a tool")
    call.add_argument("name")
    call.add_argument("arguments", nargs="?", default="{}", help="a JSON object, or - for standard input")
    commands.add_parser("serve", help="be an MCP server on standard input and output")
    return parser.parse_args()


def _arguments(text: str) -> dict[str, Any]:
    if text == "-":
        text = sys.stdin.read(LONGEST_INPUT + 1)
        if len(text) > LONGEST_INPUT:
            raise ShimError(Exit.REFUSED, f"The arguments are longer than {LONGEST_INPUT} characters.")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ShimError(Exit.REFUSED, f"The arguments are no JSON: {error}.") from error
    if not isinstance(value, dict):
        raise ShimError(Exit.REFUSED, f"The arguments must be a JSON object, not {type(value).__name__}.")
    return value


def _run(asked: argparse.Namespace) -> Exit:
    shim = Shim(Settings())
    if asked.command == "serve":
        asyncio.run(serve(shim))
        return Exit.OK
    if asked.command == "health":
        report = shim.health()
        _print(report)
        return {"container": Exit.OK, "local": Exit.FAILED}.get(report["using"], Exit.UNREACHABLE)
    if asked.command == "tools/list":
        tools = asyncio.run(shim.list_tools())
        _print({"tools": [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]})
        return Exit.OK
    result = asyncio.run(shim.call_tool(asked.name, _arguments(asked.arguments)))
    _print(result.model_dump(mode="json", by_alias=True, exclude_none=True))
    return Exit.FAILED if result.is_error else Exit.OK


def _print(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def main() -> int:
    """The exit code."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter(["asctime", "levelname", "name", "message"]))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    log.setLevel(logging.INFO)
    try:
        return _run(_parse())
    except ShimError as error:
        log.error(str(error), extra={"event": "refused", "code": error.code.name.lower()})
        return error.code
    except ValidationError as error:
        wrong = "; ".join(f"MCP_SHIM_{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        log.error("The settings are not complete: %s.", wrong, extra={"event": "refused", "code": "settings"})
        return Exit.REFUSED


if __name__ == "__main__":
    sys.exit(main())
