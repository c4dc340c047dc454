# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The algebra of rotation: who has which key when."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from ansible_collections.zerotrust.platform.plugins.module_utils._api_keys.lifecycle import (
    ApiKey,
    Lifecycle,
    Rotation,
    advance,
    digest,
    draw,
)
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
DAY = timedelta(days=1)
WEEK = Rotation(overlap=7 * DAY)


def run(keys: tuple[ApiKey, ...] = (), *consumers: str, at: datetime = NOW, rotation: Rotation = WEEK) -> Lifecycle:
    return advance(keys, consumers, at, rotation)


def names(found: Lifecycle) -> list[str]:
    return [key.name for key in found.keys]


def test_a_key_is_256_random_bits_and_safe_in_a_url() -> None:
    keys = {draw() for _count in range(100)}
    assert len(keys) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", key) for key in keys)


def test_only_the_key_itself_matches() -> None:
    key = ApiKey("a", 1, digest("the-key"), NOW)
    assert key.matches("the-key")
    assert not key.matches("the-key ")
    assert not key.matches("schlüssel")


def test_from_issue_over_rotation_to_removal() -> None:
    first = run((), "api-user", "admin-user")
    assert names(first) == ["admin-user/1", "api-user/1"]
    assert all(key.matches(first.fresh[key.name]) and key.created == NOW for key in first.keys)
    assert first.fresh["api-user/1"] not in repr(first)

    again = run(first.keys, "admin-user", "api-user", at=NOW + 30 * DAY)
    assert (again.keys, again.fresh) == (first.keys, {})

    since = Rotation(7 * DAY, before=NOW + DAY, only=frozenset(["api-user"]))
    at = NOW + 2 * DAY
    rotated = run(first.keys, "admin-user", "api-user", at=at, rotation=since)
    assert names(rotated) == ["admin-user/1", "api-user/1", "api-user/2"]
    assert [key.retires for key in rotated.keys] == [None, at + 7 * DAY, None]
    assert list(rotated.fresh) == ["api-user/2"]
    assert run(rotated.keys, "admin-user", "api-user", at=at + 7 * DAY - timedelta(seconds=1)).keys == rotated.keys

    ended = run(rotated.keys, "admin-user", "api-user", at=at + 7 * DAY, rotation=since)
    assert (names(ended), ended.fresh) == (["admin-user/1", "api-user/2"], {})
    assert names(run(ended.keys, "admin-user", at=at)) == ["admin-user/1"]


def test_a_key_is_rotated_at_its_greatest_age_and_not_when_the_clock_is_set_back() -> None:
    rotation = Rotation(7 * DAY, max_age=90 * DAY)
    first = run((), "a", rotation=rotation)
    for at, fresh in ((-400 * DAY, []), (90 * DAY - timedelta(seconds=1), []), (90 * DAY, ["a/2"])):
        assert list(run(first.keys, "a", at=NOW + at, rotation=rotation).fresh) == fresh


def test_without_an_overlap_the_former_key_goes_at_once() -> None:
    first = run((), "a")
    assert names(run(first.keys, "a", at=NOW + DAY, rotation=Rotation(0 * DAY, before=NOW + DAY))) == ["a/2"]


def test_a_shorter_overlap_ends_what_retires_already() -> None:
    keys = run((), "a").keys
    for at in (NOW + DAY, NOW + 2 * DAY):
        keys = run(keys, "a", at=at, rotation=Rotation(7 * DAY, before=at)).keys
    assert [key.retires for key in keys] == [NOW + 8 * DAY, NOW + 9 * DAY, None]
    at = NOW + 3 * DAY
    found = run(keys, "a", at=at, rotation=Rotation(5 * DAY + timedelta(hours=1), before=at))
    assert [key.retires for key in found.keys] == [
        NOW + 8 * DAY,
        NOW + 8 * DAY + timedelta(hours=1),
        NOW + 8 * DAY + timedelta(hours=1),
        None,
    ]
    assert names(run(keys, "a", at=at, rotation=Rotation(0 * DAY, before=at))) == ["a/4"]


def test_of_several_active_keys_the_newest_stays() -> None:
    """As a record has them that was made from what a node has."""
    keys = tuple(ApiKey("a", number, digest(str(number)), NOW) for number in (2, 1))
    found = run(keys, "a")
    assert [(key.number, key.retires) for key in found.keys] == [(1, NOW + 7 * DAY), (2, None)]


steps = st.lists(
    st.tuples(
        st.timedeltas(timedelta(0), 40 * DAY),
        st.sets(st.sampled_from("abc"), min_size=1),
        st.sampled_from([timedelta(0), 1 * DAY, 30 * DAY]),
        st.none() | st.just(35 * DAY),
        st.booleans(),
        st.sets(st.sampled_from("abc")),
    ),
    max_size=12,
)


@given(steps)
def test_nobody_is_ever_locked_out(story: list[tuple[timedelta, set[str], timedelta, object, bool, set[str]]]) -> None:
    """Each consumer has one active key; a key goes when its time has come or its consumer goes, and never before."""
    keys: tuple[ApiKey, ...] = ()
    now = NOW
    for wait, consumers, overlap, max_age, rotates, only in story:
        now = (now + wait).replace(microsecond=0)
        rotation = Rotation(overlap, max_age, now if rotates else None, frozenset(only))  # type: ignore[arg-type]
        found = advance(keys, consumers, now, rotation)

        assert sorted(key.consumer for key in found.keys if key.retires is None) == sorted(consumers)
        assert set(found.fresh) <= {key.name for key in found.keys if key.retires is None}
        rotated = {name.partition("/")[0] for name in found.fresh}
        for key in {key for key in keys if key.consumer in consumers} - set(found.keys):
            # Its time has come, or a new one takes its place after the overlap.
            ended = key.retires is not None and key.retires <= now
            assert ended or key.consumer in rotated
            after = next((one.retires for one in found.keys if one.name == key.name), now)
            assert ended or after == now + overlap
        assert advance(found.keys, consumers, now, rotation) == Lifecycle(found.keys, {}), "a second run does nothing"
        keys = found.keys
