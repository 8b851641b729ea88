"""Theme sets on disk: back bit for bit, and refused, with a way out, where they are not what was saved."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from feedback_miner.domain import Exemplar, Theme, ThemeSet
from feedback_miner.errors import ThemeSetError
from feedback_miner.taxonomy import load_taxonomy, taxonomy_to_mapping
from feedback_miner.theme_set import load_theme_set, theme_set_files, theme_set_version

WAY_OUT = "mine the file again|feedback-miner analyze"


def make_theme_set() -> ThemeSet:
    rng = np.random.default_rng(1)
    themes = (
        Theme("p-1", None, {"en": "delivery", "zh": "配送"}, {"en": ("late", "slow")}),
        Theme("t-1", "p-1", {"en": "late parcels"}, {"en": ("late",)}, (Exemplar("x.0#0", "it came late", "en"),)),
        Theme("t-2", "p-1", {"zh": "包装破损"}, {"zh": ("破损",)}, (Exemplar("y.0#3", "盒子破了 😡", "zh"),)),
    )
    unversioned = ThemeSet(
        version="",
        themes=themes,
        encoder="tiny",
        encoder_version="tiny-1",
        heads_version="h-1",
        prototypes=rng.normal(size=(2, 12)).astype(np.float32),
        prototype_themes=("t-1", "t-2"),
        thresholds=np.array([0.5, 0.25], np.float32),
        language_means={"en": rng.normal(size=8).astype(np.float32), "und": np.zeros(8, np.float32)},
        projection=rng.normal(size=(8, 4)).astype(np.float32),
        masks=("zx-500", "特斯拉"),
        taxonomy=taxonomy_to_mapping(load_taxonomy("telecom")),
        cause_ids=("a", "unmapped"),
        cause_weights=rng.normal(size=(9, 2, 3)).astype(np.float32),
        cause_priors=np.array([[0.75, 0.25], [0.5, 0.5]], np.float32),
        cause_threshold=0.35,
    )
    return replace(unversioned, version=theme_set_version(unversioned))


def save(theme_set: ThemeSet, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in theme_set_files(theme_set).items():
        (folder / name).write_bytes(content)
    return folder


ARRAYS = ("prototypes", "thresholds", "projection", "cause_weights", "cause_priors")


def describe(theme_set: ThemeSet) -> dict[str, object]:
    """Everything but the arrays."""
    names = ThemeSet.__dataclass_fields__
    return {name: getattr(theme_set, name) for name in names if name not in {*ARRAYS, "language_means"}}


@pytest.fixture
def theme_set() -> ThemeSet:
    return make_theme_set()


@pytest.fixture
def folder(theme_set: ThemeSet, tmp_path: Path) -> Path:
    return save(theme_set, tmp_path / "saved")


def test_comes_back_bit_for_bit(folder: Path, theme_set: ThemeSet) -> None:
    loaded = load_theme_set(folder)
    assert describe(loaded) == describe(theme_set)
    for name in ARRAYS:
        assert getattr(loaded, name).tobytes() == getattr(theme_set, name).tobytes()
        assert getattr(loaded, name).shape == getattr(theme_set, name).shape
    assert set(loaded.language_means) == set(theme_set.language_means)
    for name, mean in theme_set.language_means.items():
        assert loaded.language_means[name].tobytes() == mean.tobytes()


def test_writes_the_same_bytes_twice(theme_set: ThemeSet, folder: Path) -> None:
    assert dict(theme_set_files(load_theme_set(folder))) == dict(theme_set_files(theme_set))


def test_keeps_a_theme_set_without_themes(theme_set: ThemeSet, tmp_path: Path) -> None:
    empty = replace(
        theme_set,
        themes=(),
        prototypes=np.zeros((0, 12), np.float32),
        prototype_themes=(),
        thresholds=np.zeros(0, np.float32),
        projection=np.zeros((8, 0), np.float32),
    )
    loaded = load_theme_set(save(replace(empty, version=theme_set_version(empty)), tmp_path / "empty"))
    assert loaded.prototypes.shape == (0, 12)
    assert loaded.projection.shape == (8, 0)


@pytest.mark.parametrize("name", ["theme_set.json", "theme_set.npz"])
def test_refuses_a_folder_without_one_of_the_files(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ThemeSetError, match=rf"{name}.*feedback-miner analyze"):
        load_theme_set(folder)


def test_refuses_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ThemeSetError, match="feedback-miner analyze"):
        load_theme_set(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["theme_set.json", "theme_set.npz"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe garbage", b"[]", b"{}", b"null", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"[" * 100_000])
def test_refuses_a_file_that_holds_something_else(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(ThemeSetError, match=WAY_OUT):
        load_theme_set(folder)


def test_refuses_an_array_where_an_archive_should_be(folder: Path) -> None:
    np.save(folder / "array.npy", np.zeros(3), allow_pickle=False)
    (folder / "array.npy").rename(folder / "theme_set.npz")
    with pytest.raises(ThemeSetError, match=WAY_OUT):
        load_theme_set(folder)


def test_refuses_pickled_arrays(folder: Path) -> None:
    with np.load(folder / "theme_set.npz") as arrays:
        kept = dict(arrays)
    np.savez(folder / "theme_set.npz", **kept | {"prototypes": np.array([{"not": "numbers"}], object)})
    with pytest.raises(ThemeSetError, match=WAY_OUT):
        load_theme_set(folder)


@pytest.mark.parametrize(("name", "step"), [("theme_set.npz", 97), ("theme_set.json", 1_999)])
def test_refuses_any_flipped_byte_or_takes_no_harm(folder: Path, theme_set: ThemeSet, name: str, step: int) -> None:
    """A flip that the archive's own bookkeeping never reads may pass; then everything is as it was."""
    content = (folder / name).read_bytes()
    refused = 0
    for at in range(0, len(content), step):
        (folder / name).write_bytes(content[:at] + bytes([content[at] ^ 0x15]) + content[at + 1 :])
        try:
            loaded = load_theme_set(folder)
        except ThemeSetError:
            refused += 1
            continue
        assert theme_set_version(loaded) == theme_set_version(theme_set)
    assert refused >= 0.5 * len(range(0, len(content), step))


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.99])
@pytest.mark.parametrize("name", ["theme_set.json", "theme_set.npz"])
def test_refuses_a_file_cut_short(folder: Path, name: str, kept: float) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ThemeSetError, match=WAY_OUT):
        load_theme_set(folder)


def test_refuses_another_format(folder: Path) -> None:
    values = json.loads((folder / "theme_set.json").read_bytes())
    (folder / "theme_set.json").write_text(json.dumps(values | {"format": "feedback-miner/theme-set/9"}), encoding="utf-8")
    with pytest.raises(ThemeSetError, match="feedback-miner/theme-set/9.*this version reads.*mine the file again"):
        load_theme_set(folder)


CHANGES: dict[str, Callable[[ThemeSet], ThemeSet]] = {
    "a theme's name": lambda whole: replace(whole, themes=(replace(whole.themes[0], names={"en": "x"}), *whole.themes[1:])),
    "a threshold": lambda whole: replace(whole, thresholds=whole.thresholds + np.float32(0.01)),
    "a prototype": lambda whole: replace(whole, prototypes=whole.prototypes * np.float32(1.01)),
    "a language mean": lambda whole: replace(whole, language_means={**whole.language_means, "und": np.ones(8, np.float32)}),
    "a language": lambda whole: replace(whole, language_means={**whole.language_means, "fr": np.zeros(8, np.float32)}),
    "the projection": lambda whole: replace(whole, projection=whole.projection[:, ::-1].copy()),
    "a cause weight": lambda whole: replace(whole, cause_weights=whole.cause_weights - np.float32(0.5)),
    "a cause prior": lambda whole: replace(whole, cause_priors=whole.cause_priors[::-1].copy()),
    "the cause threshold": lambda whole: replace(whole, cause_threshold=0.3),
    "a mask": lambda whole: replace(whole, masks=("zx-501", "特斯拉")),
    "the encoder": lambda whole: replace(whole, encoder_version="tiny-2"),
    "the heads": lambda whole: replace(whole, heads_version="h-2"),
    "the taxonomy": lambda whole: replace(whole, taxonomy={**whole.taxonomy, "version": "2"}),
    "the causes": lambda whole: replace(whole, cause_ids=("b", "unmapped")),
    "where a wave starts": lambda whole: replace(whole, wave_starts=(1,)),
    "the leaf of a prototype": lambda whole: replace(whole, prototype_themes=("t-2", "t-2")),
}


@pytest.mark.parametrize("what", CHANGES)
def test_has_another_version_once_anything_it_codes_with_changes(theme_set: ThemeSet, what: str) -> None:
    assert theme_set_version(CHANGES[what](theme_set)) != theme_set_version(theme_set)


@pytest.mark.parametrize("what", CHANGES)
def test_refuses_a_theme_set_that_was_changed_on_disk(theme_set: ThemeSet, tmp_path: Path, what: str) -> None:
    changed = replace(CHANGES[what](theme_set), version=theme_set.version)
    with pytest.raises(ThemeSetError, match="not what was saved.*mine the file again"):
        load_theme_set(save(changed, tmp_path / "changed"))


def test_has_the_same_version_for_differences_no_machine_agrees_on(theme_set: ThemeSet) -> None:
    steady = replace(theme_set, prototypes=np.round(theme_set.prototypes, 2))
    shaken = replace(steady, prototypes=(steady.prototypes + np.float32(1e-6)).astype(np.float32))
    assert theme_set_version(shaken) == theme_set_version(steady)


def test_opens_without_pickle(folder: Path) -> None:
    with np.load(io.BytesIO((folder / "theme_set.npz").read_bytes()), allow_pickle=False) as arrays:
        assert set(arrays.files) == {*ARRAYS, "mean_en", "mean_und"}
