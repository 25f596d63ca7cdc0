from __future__ import annotations

import re

import pytest

from sandbox.demo.settings import ROOT
from tests.supply_chain.audit import Audit, read_report
from tests.supply_chain.bills import of_image, of_wheel
from tests.supply_chain.locked import (
    BaseImage,
    base_image,
    installed_on,
    python_environment,
    read_locked,
)

LOCKED = """\
# made by a tool
one==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via customer-import
two[extra]==2.0 ; sys_platform == 'win32' \\
    --hash=sha256:cc
"""
BILL = {
    "bomFormat": "CycloneDX",
    "components": [{"bom-ref": "one", "type": "library", "name": "one"}],
    "dependencies": [{"ref": "one"}],
}


def names(locked):
    return [one.requirement.name for one in locked]


def test_what_is_locked_is_read_with_its_hashes_and_markers():
    one, two = read_locked(LOCKED)
    assert one.as_text() == "one==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb"
    assert read_locked(two.as_text()) == [two]
    assert names(installed_on([one, two], python_environment("3.11"))) == ["one"]


@pytest.mark.parametrize("line", ["one==1.0", "one>=1.0 --hash=sha256:aa"])
def test_a_requirement_without_hash_or_exact_version_is_named(line):
    with pytest.raises(ValueError, match="one has no exact version or no hash"):
        read_locked(line)


def test_all_that_is_locked_for_the_wheel_is_read():
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert len(read_locked(text)) == sum(line[:1].isalnum() for line in text.splitlines())


def test_whatever_the_image_installs_of_a_file_must_have_a_hash():
    installs = re.findall(r"pip install .*--requirement.*", (ROOT / "Dockerfile").read_text())
    assert installs
    assert [line for line in installs if "--require-hashes" not in line] == []


@pytest.mark.parametrize(
    ("line", "expected", "purl"),
    [
        (
            "apache/airflow:3.3 AS base",
            ("apache/airflow", "3.3", None),
            "pkg:docker/apache/airflow@3.3",
        ),
        (
            "apache/airflow:3.3@sha256:ab",
            ("apache/airflow", "3.3", "sha256:ab"),
            "pkg:docker/apache/airflow@sha256%3Aab?tag=3.3",
        ),
    ],
)
def test_the_base_image_is_known_by_digest_where_there_is_one(line, expected, purl):
    image = base_image(f"# FROM nothing\nFROM {line}\nFROM base AS other\n")
    assert (image, image.purl) == (BaseImage(*expected), purl)


def test_a_bill_says_what_it_is_of_and_what_belongs_to_it():
    bill = of_wheel(BILL, "2.0")
    assert bill["metadata"]["component"]["purl"] == "pkg:pypi/customer-import@2.0"
    assert bill["dependencies"][0] == {"ref": "customer-import", "dependsOn": ["one"]}


def test_the_image_has_the_wheel_and_a_base_whose_parts_are_not_known():
    bill = of_image(BILL, "2.0", BaseImage("apache/airflow", "3.3", None))
    assert [one["name"] for one in bill["components"]] == [
        "apache/airflow",
        "customer-import",
        "one",
    ]
    (missing,) = bill["compositions"]
    assert missing == {"aggregate": "incomplete", "assemblies": [bill["components"][0]["bom-ref"]]}
    refs = [one["ref"] for one in bill["dependencies"]]
    assert sorted(refs) == sorted(set(refs))


def test_an_audit_is_clean_only_when_everything_was_asked_about():
    clean, weak = {"name": "a", "version": "1", "vulns": []}, {"id": "X-1", "fix_versions": ["2"]}
    unknown = {"name": "b", "skip_reason": "not found"}
    assert read_report({"dependencies": [clean]}).is_clean
    assert not read_report({"dependencies": [clean, unknown]}).is_clean
    assert not read_report({"dependencies": [clean | {"vulns": [weak]}]}).is_clean
    assert not read_report({"dependencies": [unknown]}).is_clean
    assert not read_report({"dependencies": []}).is_clean
    assert "NOT AUDITED" in Audit(trouble="no answer").told()
