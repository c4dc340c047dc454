# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The YAML reader and writer against each other and against PyYAML."""

from __future__ import annotations

import time
from typing import Any

import pytest
import yaml
from ansible_collections.zerotrust.platform.plugins.module_utils._documents import yaml_reader, yaml_writer
from hypothesis import given
from hypothesis import strategies as st

# What readers have taken for something else than text, one time or another.
WORDS = """
    y n yes No ON off true False null ~ - -- --- ... .5 5. 1e3 1e-3 0777 0o7 0x1f 1_000 22:22 2026-01-01 .inf .NaN = <<
    * & ! | > % @ ` ' " # a:b a: :a a#b [a] {a} ? , 1,2 //x /x /api/* a,b x: a+b +1 -1 1.2.3.4 v1 e3 1a
"""
ODD = (
    "",
    " ",
    " a",
    "a ",
    "a b",
    "a: b",
    "a #b",
    "- a",
    "\n",
    "a\nb\n",
    "a\n\n b\n",
    " a\nb\n",
    "a \nb\n",
    "a\nb\n\n",
    "# a\n---\n- b: c\n",
    "\t",
    "\\",
    "\x00",
    "\x7f",
    "\x85",
    "\u2028",
    "\ufeff",
)
TRICKY = st.sampled_from((*WORDS.split(), *ODD, "😀", "é"))
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12) | TRICKY
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=20
)
DOCUMENTS = st.lists(st.dictionaries(TEXT, VALUES, max_size=4), max_size=3)


def read(text: bytes) -> list[Any]:
    return [document for document, _line in yaml_reader.documents(text)]


@given(DOCUMENTS)
def test_what_is_written_is_read_again(documents: list[dict[str, Any]]) -> None:
    """By PyYAML, which is YAML 1.1 with all its surprises, and by the strict reader."""
    text = yaml_writer.dump_all(documents)
    assert list(yaml.safe_load_all(text)) == documents
    assert read(text.encode()) == documents


def test_a_files_content_is_written_in_lines() -> None:
    made = yaml_writer.dump_all([{"data": {"a.conf": '{\n  "a": 1\n}\n'}, "list": ["a\n\nb\n", "a\nb"]}])
    assert made == '---\ndata:\n  a.conf: |\n    {\n      "a": 1\n    }\nlist:\n- |\n  a\n\n  b\n- |-\n  a\n  b\n'


@given(DOCUMENTS)
def test_reads_what_pyyaml_writes(documents: list[dict[str, Any]]) -> None:
    # Text in quotes: PyYAML writes '1e3' without them, which every other reader takes for a number.
    text = yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True, default_style='"')
    assert read(text.encode()) == documents


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True), ("Off", False), ("y", "y"), ("Null", None), ("~", None), ("", None),
        ("0777", 511), ("0o17", 15), ("0x1F", 31), ("-0b11", -3), ("1_000", 1000), ("08", 8.0), ("1e3", 1000.0),
        ("1.5", 1.5), (".5", 0.5), ("1.2.3", "1.2.3"), ("22:22", "22:22"), ("2026-01-01", "2026-01-01"), ("=", "="),
        ("+", "+"), ("-", "-"), (".", "."), ("1_", "1_"), ("'1'", "1"), ('"yes"', "yes"), ("!!str 1", "1"),
        ("!!int 5", 5),
    ],
)  # fmt: skip
def test_scalars_are_read_as_kubernetes_reads_them(text: str, value: Any) -> None:
    """T08: no octal, base 60 or date by surprise."""
    if text == "-":
        assert yaml_reader.value_of(text) == value
        return
    (document,) = read(f"a: {text}\n".encode())
    assert document == {"a": value}
    assert type(document["a"]) is type(value)


def test_keys_become_text() -> None:
    assert read(b"80: a\ntrue: b\n1.5: c\n") == [{"80": "a", "true": "b", "1.5": "c"}]


def test_merges_anchors_without_replacing() -> None:
    assert read(b"base: &b {x: 1, y: 2}\nmore: &m {z: 3}\na:\n  <<: [*b, *m]\n  x: 9\n")[0]["a"] == {
        "x": 9,
        "y": 2,
        "z": 3,
    }


def test_knows_the_line_of_each_document() -> None:
    assert [line for _document, line in yaml_reader.documents(b"a: 1\n---\n# c\n\nb: 2\n")] == [1, 5]


def bomb(levels: int, width: int) -> bytes:
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines).encode()


def test_anchors_that_explode_are_refused_at_once() -> None:
    """T16: a thousand million values in half a kilobyte."""
    started = time.process_time()
    with pytest.raises(yaml_reader.DocumentError, match="the aliases add more than 1000000 values"):
        read(bomb(10, 10))
    assert time.process_time() - started < 5  # years, if it were followed


def test_a_few_aliases_are_fine() -> None:
    assert len(read(bomb(3, 3))[0]["a2"]) == 3


@pytest.mark.parametrize(
    "text",
    [
        b"a: " + b"[" * 200 + b"]" * 200,
        b"[" * 200_000,
        b"a: " + b'{"a":' * 200_000,
        b"- " * 100_000,
        b"".join(b" " * n + b"a:\n" for n in range(4000)),
    ],
    ids=["deep", "brackets", "braces", "dashes", "indentation"],
)
def test_depth_cannot_exhaust_the_stack(text: bytes) -> None:
    """libyaml itself would end the process with a segmentation fault."""
    with pytest.raises(yaml_reader.DocumentError, match="nested more than 100 levels"):
        read(text)


def test_many_shallow_brackets_are_fine() -> None:
    assert len(read(b"a: [" + b"[1], " * 10_000 + b"]")[0]["a"]) == 10_000


def test_a_broken_file_of_many_brackets_is_told_as_any_other() -> None:
    with pytest.raises(yaml_reader.DocumentError, match="expected"):
        read(b"a: [" + b"[1], " * 10_000)


@pytest.mark.parametrize(
    "value", [{1: "a"}, {"a": float("nan")}, {"a": b"x"}, {"a": {1, 2}}, {"a": "\ud83d"}, {"k" * 2000: 1}]
)
def test_refuses_what_has_no_form(value: dict[Any, Any]) -> None:
    with pytest.raises(TypeError):
        yaml_writer.dump_all([value])


def test_binary_and_control_characters_are_refused() -> None:
    with pytest.raises(yaml_reader.DocumentError):
        read(b"a: \x00\n")
    with pytest.raises(yaml_reader.DocumentError):
        read(b"a: \xff\xfe\xfd\n")


def test_a_byte_order_mark_is_passed_over() -> None:
    """T16."""
    assert read(b"\xef\xbb\xbfa: 1\n") == [{"a": 1}]
