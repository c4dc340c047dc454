# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Metrics, read by Prometheus' own parser."""

from __future__ import annotations

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._inspection import shown
from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.unit.inspection.conftest import NOW, make, revocations

parser = pytest.importorskip("prometheus_client.parser", reason="only tested with the newest ansible-core")


def series(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    families = list(parser.text_string_to_metric_families(text))
    assert [(family.type, family.documentation != "") for family in families] == [("gauge", True)] * len(families)
    assert len({family.name for family in families}) == len(families)
    return {family.name: [(sample.labels, sample.value) for sample in family.samples] for family in families}


def test_what_an_alert_needs(folder, root, issuing, leaf):
    path = str(folder.write("cert.pem", leaf.certificate))
    folder.write("key.pem", leaf.key, mode=0o644)
    ca = str(folder.write("ca.pem", issuing.certificate, root.certificate))
    crl = str(folder.write("issuing.crl", revocations(issuing)))
    found = series(shown.metrics(folder.look()))
    serial = f"{leaf.certificate.serial_number:x}"
    ends = {labels["name"]: value for labels, value in found["zerotrust_certificate_not_after_timestamp_seconds"]}
    assert ends == {
        pair.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value: (
            pair.certificate.not_valid_after_utc.timestamp()
        )
        for pair in (root, issuing, leaf)
    }
    due = found["zerotrust_certificate_renewal_due_timestamp_seconds"]
    labels = {"name": "www.zt", "path": path, "serial": serial}
    assert (labels, leaf.certificate.not_valid_after_utc.timestamp() - 30 * 86400) in due
    assert [one["path"] for one, _value in due if one["name"] == "root"] == [ca]
    assert found["zerotrust_certificate_problem"] == [({"code": "key_mode", "path": str(folder.path / "key.pem")}, 1)]
    assert found["zerotrust_crl_next_update_timestamp_seconds"] == [
        ({"issuer": "CN=issuing", "path": crl}, (NOW.timestamp() + 7 * 86400))
    ]
    assert found["zerotrust_certificates_inspected_timestamp_seconds"] == [({}, NOW.timestamp())]


def test_nothing_at_hand_still_says_when_it_was_looked_for(folder):
    assert list(series(shown.metrics(folder.look()))) == ["zerotrust_certificates_inspected_timestamp_seconds"]


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\\nb", "line\nbreak", "ü €", "{}=,"])
def test_labels_of_any_text_come_back_as_they_were(folder, name):
    folder.write(f"{name.replace('/', '')}.pem", make("x.zt").certificate)
    pair = make("y.zt")
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .public_key(pair.key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW)
    )
    folder.write("named.pem", builder.sign(pair.key, pair.certificate.signature_hash_algorithm))
    found = series(shown.metrics(folder.look()))["zerotrust_certificate_not_after_timestamp_seconds"]
    assert sorted(labels["name"] for labels, _value in found) == sorted([name, "x.zt"])
    assert str(folder.path / f"{name}.pem") in [labels["path"] for labels, _value in found]


def test_no_series_is_there_twice(folder, leaf):
    # The same name and serial number by two authorities in one file.
    key = leaf.key
    twins = [
        x509.CertificateBuilder()
        .subject_name(leaf.certificate.subject)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW)
        .not_valid_after(NOW)
        .sign(key, leaf.certificate.signature_hash_algorithm)
        for issuer in ("a", "b")
    ]
    folder.write("twins.pem", *twins)
    lines = [line for line in shown.metrics(folder.look()).splitlines() if not line.startswith("#")]
    series_ = [line.rpartition(" ")[0] for line in lines]
    assert len(series_) == len(set(series_))
    assert len([line for line in series_ if "not_after" in line]) == 1
