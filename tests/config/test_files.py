"""A configuration file that is wrong: what its author is told, and that it is told in words."""

from __future__ import annotations

import re
import shutil
import traceback
from typing import TYPE_CHECKING

import pytest

from customer_import.config.instances import load_instance, load_instances
from customer_import.config.mapping import load_mappings
from customer_import.config.paths import include_folder
from customer_import.errors import ConfigurationError
from customer_import.vocabulary import ImportType

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROGRAM_WORDS = re.compile(
    r"Input should|valid (dictionary|string|tuple|list|integer)|instance of [_A-Z]|NoneType|_\w+File|Config\b"
    r"|Value error|Field required|at least 1 item|pydantic|type=|dict\b|tuple\b|<stream|None\b"
)
GOOD = """\
version: 1
instances:
  default:
    title: Test
    import_types: [direct]
"""


@pytest.fixture
def told(tmp_path: Path) -> Callable[[str | bytes], str]:
    """Give a text to the reader of instances; return what it says."""

    def tell(text: str | bytes) -> str:
        path = tmp_path / "instances.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(ConfigurationError) as caught:
            load_instances(path)
        trace = "".join(traceback.format_exception(caught.value))
        assert "validation error" not in trace  # pydantic's own text repeats the values
        return str(caught.value)

    return tell


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("    reseller_mpn_id: 1234567\n", "must be text, is 1234567. Hint: put it in quotes"),
        ("    load_batch_size: abc\n", "must be a whole number greater than 0 and at most 10000, is 'abc'"),
        ("    load_batch_size: 1.5\n", "must be a whole number greater than 0 and at most 10000, is 1.5"),
        ("    max_overwritten_percent: no\n", "must be a number of at least 0 and at most 100, is 'false'"),
        ("    bss: {concurrency: on}\n", "greater than 0 and at most 256, is 'true'"),
        ("    load_batch_size: 10001\n", "at most 10000, is 10001"),
        ("    load_batch_size: 0\n", "greater than 0 and at most 10000, is 0"),
        ("    max_load_batches:\n", "must be a whole number greater than 0 and at most 500, is empty"),
        ("    full_read_every_days: often\n", "must be a number greater than 0, is 'often'"),
        ("    group_by: subscription\n", "is 'subscription'. Hint: did you mean 'subscriptions'?"),
        ("    group_by: 5\n", "must be one of subscriptions, relationships, is 5"),
        ("    counted_subscription_statuses: []\n", "must be a list of one or more, is empty"),
        ("    counted_subscription_statuses: active\n", "must be a list of one or more, is 'active'"),
        ("    counted_subscription_statuses: [Active, suspendet]\n", "'suspendet'. Hint: did you mean 'suspended'?"),
        ("    exclude_reseller_mpn_ids: ['4000O01']\n", "ids.0 (line 6): '4000O01' is not an MPN ID"),
        ("    reseller_mpn_id: 12-34\n", "'12-34' is not an MPN ID"),
        ("    reseller_bss_accounts: {alpha: 7}\n", "'alpha' is not an MPN ID"),
        ("    reseller_bss_accounts: {'4847383': 0}\n", "of at least 1 and at most 2147483647, is 0"),
        ("    reseller_bss_accounts: {'4847383': 100000000000000000000}\n", "at most 2147483647, is 1000"),
        ("    bss: {account_url: 'https://bss.example/{accountid}'}\n", "the address has no place {account_id}"),
        ("    bss: {account_url: 'bss.example/{account_id}'}\n", "the address does not begin with https://"),
        ("    bss: {contact_url: 'https://b.example/{account_id}/{cont}'}\n", "the address has no place {contact_id}"),
        ("    exclude_reseller_mpn_ids: {a: 1}\n", "must be a list, is keys with values"),
        ("    exclude_reseller_mpn_ids: ['1', 2]\n", "must be text, is 2. Hint: put it in quotes"),
        ("    reseller_bss_accounts: {4847383: 5}\n", "the key 4847383 must be text"),
        ("    reseller_bss_accounts: {'4847383': x}\n", "at least 1 and at most 2147483647, is 'x'"),
        ("    bss:\n", "must be keys with values, is empty. Hint: known keys: conn_id"),
        ("    bss: [a]\n", "must be keys with values, is a list. Hint: known keys: conn_id"),
        ("    bss: {conn_id: ''}\n", "must be text that is not empty, is empty"),
        ("    bss: {settle_delay_s: -1}\n", "must be a number of at least 0, is -1"),
        ("    bss: {accepts_permission_rule: maybe}\n", "must be true or false, is 'maybe'"),
        ("    bss: {account_url: true}\n", "must be text, is true. Hint: put it in quotes"),
        ("    bss: {con_id: x}\n", "the key 'con_id' is not known. Hint: did you mean 'conn_id'?"),
        ("    con_id: x\n", "the key 'con_id' is not known. Hint: remove it; known keys: app"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_in_words_with_its_line(
    told: Callable[[str], str], more: str, message: str
) -> None:
    said = told(GOOD + more)
    assert message in said
    assert "instances.yaml at instances.default." in said
    assert "(line 6)" in said
    assert not PROGRAM_WORDS.search(said), said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "at the top level (line 1): must be keys with values (version, instances), is a list"),
        ("hello\n", "must be keys with values (version, instances), is 'hello'"),
        ("version: 1\ninstances:\n", "at instances (line 2): must be keys with values, is empty"),
        ("version: 1\ninstances: {}\n", "at instances (line 2): must be keys with values, is empty"),
        (GOOD.replace("1", "2"), "at version (line 1): must be 1, is 2"),
        (GOOD.replace("    title: Test\n", ""), "at instances.default.title (line 3): the key 'title' is missing"),
        (GOOD.replace("default", "''"), "the key '' must be text that is not empty. Hint: give it a name"),
        (GOOD.replace("direct", "dirct"), "import_types.0 (line 5): must be one of direct, indirect, "),
        (GOOD.replace("direct", "tenant_reseller"), "default.reseller_mpn_id (line 3): import type tenant_reseller"),
        (GOOD.replace("direct", "tenant_reseller, direct"), "default.import_types (line 5): an instance of a tenant"),
        ("a: [\n", "line 2, column 1: expected the node content, but found the end of the file"),
        ("a:\n\tb: 1\n", "line 2, column 1: found character '\\t'"),
        ("a: 1\na: 2\n", "line 2, column 1: the key 'a' stands twice"),
        (GOOD.replace("default", '"default "'), "line 3, column 3: the key 'default ' begins or ends with a blank"),
        (GOOD + "    full_read_every_days: 1000000\n", "must be at most 36500 days, is 1000000"),
        (GOOD + "    full_read_every_days: .inf\n", "must be a number greater than 0, is inf"),
        (GOOD + "    partner_center: {rate_window_s: .inf}\n", "must be a number greater than 0, is inf"),
        (GOOD + "    retention: {personal_data_days: 1000000000}\n", "must be at most 36500 days, is 1000000000"),
        ("? [a]\n: 1\n", "line 1, column 3: a key must be text"),
        ("a: 2024-13-45\n", "the file is not valid YAML"),
        (b"a: \xff\n", "the file is not UTF-8 text. Hint: save it as UTF-8"),
    ],
)  # fmt: skip
def test_a_file_in_a_wrong_shape_is_told_in_words(
    told: Callable[[str | bytes], str], text: str | bytes, message: str
) -> None:
    said = told(text)
    assert message in said
    assert "Hint: " in said
    assert not PROGRAM_WORDS.search(said), said


def test_a_wrong_part_of_a_list_is_told_once(told: Callable[[str], str]) -> None:
    assert told(GOOD.replace("direct", "dirct")).count("import_types") == 1


def test_every_fault_has_its_line_and_a_wholly_wrong_file_is_told_shortly(
    told: Callable[[str], str],
) -> None:
    said = told(GOOD + "    a: 1\n    b: 2\n")
    assert "at instances.default.a (line 6): the key 'a' is not known" in said
    assert "at instances.default.b (line 7): the key 'b' is not known" in said
    many = told(GOOD + "".join(f"    k{number}: 1\n" for number in range(30)))
    assert "and 25 more" in many
    assert many.count("is not known") == 5


@pytest.mark.parametrize("key", ["client_secret", "password", "api_key"])
def test_the_value_of_an_unknown_key_is_not_shown(told: Callable[[str], str], key: str) -> None:
    assert "hunter2" not in told(GOOD + f"    bss: {{{key}: hunter2}}\n")


@pytest.mark.parametrize("value", ["{a: hunter2}", "[hunter2]"])
def test_what_a_list_or_a_mapping_holds_is_not_shown(
    told: Callable[[str], str], value: str
) -> None:
    assert "hunter2" not in told(GOOD + f"    load_batch_size: {value}\n")


def test_a_long_value_is_cut(told: Callable[[str], str]) -> None:
    assert len(told(GOOD + f"    load_batch_size: {'a' * 5000}\n")) < 400


@pytest.mark.parametrize("content", ["", "# nothing but a comment\n"])
@pytest.mark.parametrize(
    "name", ["account.yaml", "contact.yaml", "sync_options.yaml", "ordering_options.yaml"]
)
def test_an_empty_mapping_file_says_what_it_must_hold(
    tmp_path: Path, name: str, content: str
) -> None:
    folder = shutil.copytree(include_folder() / "mappings", tmp_path / "mappings")
    (folder / name).write_text(content)

    with pytest.raises(ConfigurationError) as caught:
        load_mappings(folder)

    said = str(caught.value)
    assert f"{folder / name}: the file is empty. Hint: it must hold the keys version, " in said
    assert "entity" in said
    assert not PROGRAM_WORDS.search(said)


def test_an_unknown_target_has_its_line(tmp_path: Path) -> None:
    folder = shutil.copytree(include_folder() / "mappings", tmp_path / "mappings")
    (folder / "contact.yaml").write_text(
        "version: 1\nentity: contact\nfields:\n  email: {source: id}\n  emial:\n    source: id\n"
    )
    with pytest.raises(ConfigurationError) as caught:
        load_mappings(folder)
    assert "contact.yaml at fields.emial (line 5): the target 'emial'" in str(caught.value)
    assert str(caught.value).endswith("Hint: did you mean 'email'?")


def test_an_import_that_the_instance_does_not_take_is_told_with_those_that_do(
    tmp_path: Path,
) -> None:
    path = tmp_path / "instances.yaml"
    both = GOOD + "  other:\n    title: Other\n    import_types: [direct, indirect]\n"
    path.write_text(both, encoding="utf-8")
    assert load_instance("other", ImportType.INDIRECT, path).title == "Other"
    assert load_instance("default", None, path).title == "Test"
    with pytest.raises(ConfigurationError) as caught:
        load_instance("default", ImportType.INDIRECT, path)
    assert str(caught.value) == (
        "instances.yaml at instances.default.import_types: instance 'default' does not take the "
        "indirect import. Hint: choose one of: other"
    )
    with pytest.raises(ConfigurationError, match="Hint: add tenant_reseller to its import_types"):
        load_instance("default", ImportType.TENANT_RESELLER, path)


def test_a_missing_file_names_the_variable_that_leads_there_and_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUSTOMER_IMPORT_INCLUDE", str(tmp_path / "include"))
    monkeypatch.setenv("CUSTOMER_IMPORT_INSTANCES", str(tmp_path / "elsewhere.yaml"))
    with pytest.raises(ConfigurationError) as caught:
        load_instances()
    assert str(caught.value) == (
        f"{tmp_path}/elsewhere.yaml: the file cannot be read (No such file or directory). "
        "Hint: CUSTOMER_IMPORT_INSTANCES leads there: correct it, or put the file there"
    )

    monkeypatch.delenv("CUSTOMER_IMPORT_INSTANCES")
    with pytest.raises(ConfigurationError, match="Hint: CUSTOMER_IMPORT_INCLUDE leads there"):
        load_instances()
    with pytest.raises(ConfigurationError, match="Hint: CUSTOMER_IMPORT_INCLUDE leads there"):
        load_mappings()

    monkeypatch.delenv("CUSTOMER_IMPORT_INCLUDE")
    with pytest.raises(ConfigurationError, match="or set CUSTOMER_IMPORT_INCLUDE"):
        load_mappings(tmp_path)


def test_what_instances_share_may_be_merged_in(tmp_path: Path) -> None:
    path = tmp_path / "instances.yaml"
    path.write_text(
        "version: 1\n"
        "instances:\n"
        "  a: &a {title: A, import_types: [direct], full_read_every_days: 3}\n"
        "  b: &b\n    <<: *a\n    title: B\n"
        "  c:\n    <<: [*b, *a]\n    title: C\n"
    )
    found = load_instances(path)
    assert {name: (one.title, one.full_read_every_days) for name, one in found.items()} == {
        "a": ("A", 3),
        "b": ("B", 3),
        "c": ("C", 3),
    }
    path.write_text(
        "version: 1\ninstances:\n  a: &a {title: A}\n  b: {<<: *a, title: B, title: C}\n"
    )
    with pytest.raises(ConfigurationError, match="the key 'title' stands twice"):
        load_instances(path)
