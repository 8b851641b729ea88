"""The keys of a data folder."""

import stat

import pytest

from feedback_miner.errors import StoreError
from feedback_miner.jobs.workshop import Workshop
from feedback_miner.store import Database


def workshop(folder) -> Workshop:
    return Workshop(Database("sqlite://"), folder)


def test_what_is_sealed_is_read_with_the_same_folder(tmp_path):
    sealed = workshop(tmp_path).seal("客户 C-77")
    assert b"C-77" not in sealed
    assert workshop(tmp_path).unseal(sealed) == "客户 C-77"


def test_what_is_sealed_is_read_with_no_other_folder(tmp_path):
    sealed = workshop(tmp_path / "one").seal("C-77")
    with pytest.raises(StoreError, match="sealing.key is not the key"):
        workshop(tmp_path / "other").unseal(sealed)


def test_keys_are_made_once_and_for_their_owner_alone(tmp_path):
    shop = workshop(tmp_path)
    assert shop.pseudonym_key() == workshop(tmp_path).pseudonym_key()
    shop.seal("x")
    assert {path.name for path in tmp_path.iterdir()} == {"pseudonym.key", "sealing.key"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
