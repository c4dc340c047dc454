# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Problem documents as sentences."""

from __future__ import annotations

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._acme.problems import (
    ProblemDocument,
    one_line,
    sentence,
)
from hypothesis import given
from hypothesis import strategies as st

URN = "urn:ietf:params:acme:error:"


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        ("rateLimited", "acme_rate_limited", "each further attempt counts"),
        ("caa", "acme_caa", "a CAA record"),
        ("dns", "acme_dns", "public DNS"),
        ("badCSR", "acme_bad_csr", "key_type"),
        ("externalAccountRequired", "acme_external_account_required", "set eab"),
        ("unauthorized", "acme_unauthorized", "challenge's answer"),
        ("ofAnotherDecade", "acme_of_another_decade", "'in detail'"),
    ],
)
def test_each_kind_has_a_code_and_a_remedy(code, reason, words):
    problem = ProblemDocument(URN + code, "in detail", "api.example")
    assert problem.reason == reason
    text = sentence(problem)
    assert text.startswith(f"'api.example': the authority says ({code}) 'in detail'")
    assert words in text


def test_who_is_not_let_in_at_all_is_told_of_the_account():
    assert "is eab what its operator gave you" in sentence(ProblemDocument(URN + "unauthorized", "no"))


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("3600", "run again in 3600 s"),
        ("Wed, 21 Oct 2026 07:28:00 GMT", "run again after Wed, 21 Oct 2026 07:28:00 GMT"),
    ],
)
def test_the_time_to_come_back_is_told(header, words):
    assert sentence(ProblemDocument(URN + "rateLimited", "too many", retry_after=header)).endswith(words)


def test_a_compound_problem_is_told_by_its_parts():
    parts = [ProblemDocument(URN + "caa", "no", "a.example"), ProblemDocument(URN + "dns", "nowhere", "b.example")]
    text = sentence(ProblemDocument(URN + "compound", "see below", subproblems=parts))
    assert "'a.example': the authority says (caa)" in text
    assert "'b.example': the authority says (dns)" in text
    assert "see below" not in text


def test_another_kind_of_problem_is_quoted():
    problem = ProblemDocument("https://example.com/too-late", "closed for today")
    assert problem.reason == "acme_error"
    assert sentence(problem) == "the authority says (https://example.com/too-late) 'closed for today'"


@given(st.text())
def test_a_stranger_s_text_is_one_short_line(text):
    line = one_line(text)
    assert len(line) <= 301
    assert line.isprintable()
