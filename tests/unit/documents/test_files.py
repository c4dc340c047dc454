# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a tree of documents, and writing what was rendered."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
import yaml
from ansible_collections.zerotrust.platform.plugins.module_utils._documents import files
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError

POLICY = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "a", "namespace": "n"}}


def problems_of(path: Path) -> list[str]:
    return files.scan(str(path))[1]


def test_reads_a_tree_in_the_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "two.yaml").write_text("kind: Two\n---\n\n---\n# nothing\n---\nkind: Three\n")
    (tmp_path / "a.json").write_text('{"kind": "One"}')
    (tmp_path / "empty.yml").write_text("")
    (tmp_path / "empty.json").write_text(" \n")
    found = files.read(str(tmp_path))
    assert [(item.document["kind"], item.source) for item in found] == [
        ("One", "a.json"),
        ("Two", "b/two.yaml"),
        ("Three", "b/two.yaml"),
    ]


def test_passes_over_what_is_no_document(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config.yml").write_text("kind: Hidden\n")
    (tmp_path / ".hidden.yml").write_text("kind: Hidden\n")
    (tmp_path / "README.md").write_text("# {{{ not YAML")
    (tmp_path / "gone.yml").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.yml")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.json"))
    assert files.scan(str(tmp_path)) == ([], [])


def test_reads_one_file(tmp_path: Path) -> None:
    (tmp_path / "one.yml").write_text("kind: One\n")
    assert [item.source for item in files.read(str(tmp_path / "one.yml"))] == ["one.yml"]


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="no such file or directory") as caught:
        files.read(str(tmp_path / "nowhere"))
    assert caught.value.reason == "no_such_path"


def test_a_file_of_another_kind_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "graph.txt").write_text("kind: One\n")
    with pytest.raises(PlatformError, match=r"graph\.txt: cannot tell"):
        files.read(str(tmp_path / "graph.txt"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("kind: One\n")
    (tmp_path / "a.yml").chmod(0)
    assert problems_of(tmp_path) == ["a.yml: Permission denied"]


def test_lists_stand_for_their_items(tmp_path: Path) -> None:
    (tmp_path / "list.yml").write_text(
        yaml.safe_dump(
            {"apiVersion": "v1", "kind": "List", "items": [POLICY, {"kind": "List", "apiVersion": "v1", "items": []}]}
        )
    )
    (tmp_path / "raw.json").write_text(
        json.dumps({"apiVersion": "v1", "kind": "PodList", "items": [{"metadata": {"name": "p"}}]})
    )
    (tmp_path / "other.yml").write_text("{apiVersion: x/v1, kind: AllowList, spec: {}}\n")
    assert [item.document for item in files.read(str(tmp_path))] == [
        POLICY,
        {"apiVersion": "x/v1", "kind": "AllowList", "spec": {}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}},
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [\n", "x.yml:3:1: while parsing a flow node, did not find expected node content"),
        ("a:\n\t- c\n", "x.yml:2:1: while scanning for the next token, found character that cannot start any token"),
        ("kind: A\n---\nspec:\n  a: 1\n  b: 2\n  a: 3\n", "x.yml:6:3: the key 'a' stands here again"),
        ("- a\n", "x.yml:1:1: the document is a list, a mapping is expected"),
        ("kind: A\n---\njust text\n", "x.yml:3:1: the document is text, a mapping is expected"),
        ("a: !vault |\n  x\n", "x.yml:1:4: the tag !vault is not understood here"),
        ("a: !!python/object:os.system x\n", "x.yml:1:4: the tag !!python/object:os.system is not understood here"),
        ("? [a, b]\n: c\n", "x.yml:1:3: a key is empty, a mapping or a list; text is expected"),
        ("a: &x [1, *x]\n", "x.yml:1:4: an alias stands inside of its own anchor"),
        ("a: *nobody\n", "x.yml:1:4: found undefined alias"),
        ("<<: 1\n", "x.yml:1:5: '<<' merges something that is not a mapping"),
        ("kind: List\napiVersion: v1\nitems: [a]\n", "x.yml: an item of the List is text, a mapping is expected"),
    ],
)  # fmt: skip
def test_names_file_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    """T16: repeated keys, tabs, tags."""
    (tmp_path / "x.yml").write_text(text)
    assert problems_of(tmp_path) == [message]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a": 1,\n "b": }', "x.json:2:7: Expecting value"),
        (b'{"a": {"b": 1, "b": 2}}', "x.json: the key 'b' stands twice in one object"),
        (b'{"a": NaN}', "x.json: NaN is not JSON"),
        (b'"text"', "x.json:1:1: the document is text, a mapping is expected"),
        (b'{"a": "\xff"}', "x.json: not UTF-8 text (byte 7)"),
        (b'{"a":' * 100_000, "x.json: nested too deep"),
    ],
)
def test_names_the_place_in_json(tmp_path: Path, text: bytes, message: str) -> None:
    (tmp_path / "x.json").write_bytes(text)
    assert problems_of(tmp_path) == [message]


def test_reports_every_file_and_keeps_what_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("kind: A\n---\na: [\n")
    (tmp_path / "b.yml").write_text("kind: B\n")
    (tmp_path / "c.json").write_text("{")
    found, problems = files.scan(str(tmp_path))
    assert [item.document["kind"] for item in found] == ["A", "B"]
    assert [text.split(":")[0] for text in problems] == ["a.yml", "c.json"]
    with pytest.raises(PlatformError, match=r"^a\.yml:4:1: .* \(and 1 more\)$") as caught:
        files.read(str(tmp_path))
    assert caught.value.reason == "bad_document"
    assert caught.value.details == tuple(problems)


def test_dump_gives_what_read_takes(tmp_path: Path) -> None:
    rendered = {
        "network_policy/n.yml": [POLICY, {"kind": "Other", "spec": {}}],
        "spire/entries.json": [{"entries": [{"hint": "grüße"}]}],
    }
    content = files.dump(rendered, "shop")
    for name, data in content.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    assert files.read(str(tmp_path)) == sourced(rendered)
    assert content == files.dump(rendered, "shop")


def test_dump_to_the_byte() -> None:
    document = {"_format_version": "3.0", "services": [], "a": [[1, []], {"b": None, "c": True}]}
    assert files.dump({"kong/k.yml": [document], "e.json": [{"a": [1]}]}, "shop") == {
        "kong/k.yml": b"""\
# Generated by zerotrust.platform from the service graph 'shop'.
# Do not edit: change the graph and run again.
---
_format_version: "3.0"
services: []
a:
- - 1
  - []
- b: null
  c: true
""",
        "e.json": b'{\n  "a": [\n    1\n  ]\n}\n',
    }
