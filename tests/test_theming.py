"""A living theme set extended: what is new is born, once; what was there stays as it was, to the bit; and two waves of a real survey."""

import csv
import gzip
import hashlib
import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from feedback_miner.classify import Classifier, OpinionCoder, load_heads_for
from feedback_miner.config import DEFAULT_ENCODER, MiningConfig
from feedback_miner.corpus import Corpus, read_corpus
from feedback_miner.domain import Coding, FeedbackItem, ResidualReason, ThemeSet, Vectors
from feedback_miner.embedders import Embedder, load_embedder
from feedback_miner.lineage import carry_ids, trace_lineage
from feedback_miner.pipeline import code_corpus, encode_texts
from feedback_miner.progress import report_to_nobody
from feedback_miner.stages.mask import EntityMask, find_entities
from feedback_miner.taxonomy import load_taxonomy
from feedback_miner.theme_set import load_theme_set, theme_set_files, theme_set_version
from feedback_miner.theming import EncodedOpinions, extend_theme_set, fit_theme_set

SHARED = Path(os.environ.get("FEEDBACK_MINER_SHARED") or Path(__file__).parents[1].parent / "shared") / "data"
DAYS = ["two days", "three days", "four days", "five days", "six days", "a week", "ten days", "two weeks", "three weeks", "a month"]
DESKS = "一二三四五六七八九十"
KNOWN = [
    *(f"the parcel came {days} late, terrible" for days in DAYS),
    *(f"{desk}号柜台的店员很热情，服务很好" for desk in DESKS),
    *(
        f"the app crashes as soon as I open my {page}"
        for page in ["orders", "basket", "profile", "invoices", "points", "wishes", "returns"]
    ),
    *(f"refund still missing after {days} of asking" for days in DAYS),
]
KNOWN_LATER = [
    "the parcel came eight days late, terrible",
    "十一号柜台的店员很热情，服务很好",
    "the app crashes as soon as I open my coupons",
]
SMELL = [f"my new mattress smells of glue even in the {room}" for room in ["attic", "garden", "hall", "study", "cellar", "loft", "kitchen"]]
STRANGERS = ["quite an odd thing to put into words", "somebody ought to tell Brenda about owls", "hm hm", "purple monkeys juggle hexagons"]


@dataclass(frozen=True)
class Workshop:
    """All that fitting and coding need besides the opinions."""

    config: MiningConfig
    embedder: Embedder

    def mine(self, corpus: Corpus) -> ThemeSet:
        masks = find_entities(corpus.matching)
        heads, heads_embedder = load_heads_for(self.embedder)
        encoded = encode_texts(corpus.matching, corpus.languages, EntityMask(masks), self.embedder, heads_embedder, report_to_nobody)
        with threadpool_limits(1):
            return fit_theme_set(
                encoded,
                corpus.opinions,
                masks=masks,
                taxonomy=load_taxonomy(self.config.taxonomy),
                config=self.config,
                embedder=self.embedder,
                heads=heads,
                heads_embedder=heads_embedder,
                labeller=None,
                progress=report_to_nobody,
            )

    def code(self, theme_set: ThemeSet, corpus: Corpus) -> tuple[list[Coding], EncodedOpinions]:
        heads, heads_embedder = load_heads_for(self.embedder)
        encoded = encode_texts(
            corpus.matching, corpus.languages, EntityMask(theme_set.masks), self.embedder, heads_embedder, report_to_nobody
        )
        return code_corpus(corpus, encoded, OpinionCoder(theme_set, self.embedder, heads, heads_embedder), report_to_nobody), encoded

    def extend(self, living: ThemeSet, corpus: Corpus, *, retired: Sequence[str] = (), everything: bool = False) -> ThemeSet:
        """Extend with what is residual in the corpus, as a service would; or with everything, as nobody should."""
        codings, encoded = self.code(living, corpus)
        fit = (ResidualReason.ALONE, ResidualReason.BETWEEN)
        places = [at for at, coding in enumerate(codings) if everything or coding.residual in fit]
        heads, heads_embedder = load_heads_for(self.embedder)
        with threadpool_limits(1):
            return extend_theme_set(
                living,
                encoded.select(places),
                [corpus.opinions[at] for at in places],
                corpus=len(encoded.texts),
                config=self.config,
                embedder=self.embedder,
                heads=heads,
                heads_embedder=heads_embedder,
                labeller=None,
                progress=report_to_nobody,
                retired=retired,
            )


def corpus_of(texts: Sequence[str]) -> Corpus:
    """Each text is its own response, whose id does not depend on the order."""
    items = [FeedbackItem(hashlib.sha256(text.encode()).hexdigest()[:16], row, (("comment", text),)) for row, text in enumerate(texts)]
    return read_corpus(items, report_to_nobody)


def themes_of(workshop: Workshop, theme_set: ThemeSet, texts: Sequence[str]) -> dict[str, str | None]:
    corpus = corpus_of(texts)
    codings, _ = workshop.code(theme_set, corpus)
    return {
        opinion.text: coding.themes[0].theme if coding.themes else None for opinion, coding in zip(corpus.opinions, codings, strict=True)
    }


def born_leaves(living: ThemeSet, grown: ThemeSet) -> list[str]:
    return [leaf for leaf in dict.fromkeys(grown.prototype_themes) if leaf not in living.prototype_themes]


@pytest.fixture(scope="module")
def workshop(quick_config: MiningConfig) -> Workshop:
    return Workshop(quick_config, load_embedder("tiny"))


@pytest.fixture(scope="module")
def living(workshop: Workshop) -> ThemeSet:
    return workshop.mine(corpus_of([*KNOWN, *STRANGERS]))


@pytest.fixture(scope="module")
def wave() -> Corpus:
    return corpus_of([*KNOWN, *STRANGERS, *KNOWN_LATER, *SMELL])


@pytest.fixture(scope="module")
def grown(workshop: Workshop, living: ThemeSet, wave: Corpus) -> ThemeSet:
    return workshop.extend(living, wave)


def test_finds_the_known_themes_first(living: ThemeSet) -> None:
    assert len(living.prototypes) >= 3
    assert living.wave_starts == ()


def test_lets_exactly_the_new_complaint_be_born(workshop: Workshop, living: ThemeSet, grown: ThemeSet) -> None:
    assert not any(themes_of(workshop, living, SMELL).values())
    (born,) = born_leaves(living, grown)
    assert themes_of(workshop, grown, SMELL) == dict.fromkeys(SMELL, born)
    others = themes_of(workshop, grown, [*KNOWN, *KNOWN_LATER, *STRANGERS])
    assert born not in others.values()
    theme = next(theme for theme in grown.themes if theme.id == born)
    assert {exemplar.text for exemplar in theme.exemplars} <= set(SMELL)
    assert "smell" in theme.names["en"] or "mattress" in theme.names["en"] or "glue" in theme.names["en"]


def test_serves_one_text_as_the_wave_was_coded(workshop: Workshop, grown: ThemeSet, wave: Corpus) -> None:
    classifier = Classifier(grown, embedder=workshop.embedder)
    codings, _ = workshop.code(grown, wave)
    for opinion, coding in zip(wave.opinions, codings, strict=True):
        (classified,) = classifier.classify([opinion.text])
        assert [part.themes for part in classified.opinions] == [coding.themes]


def test_leaves_everything_that_was_there_bit_for_bit(living: ThemeSet, grown: ThemeSet) -> None:
    count = len(living.prototypes)
    assert grown.wave_starts == (count,)
    assert grown.prototypes[:count].tobytes() == living.prototypes.tobytes()
    assert grown.thresholds[:count].tobytes() == living.thresholds.tobytes()
    assert grown.cause_priors[:count].tobytes() == living.cause_priors.tobytes()
    assert grown.prototype_themes[:count] == living.prototype_themes
    assert [theme for theme in living.themes if theme not in grown.themes] == []
    for name in ("language_means", "projection", "masks", "taxonomy", "cause_ids", "cause_weights", "encoder_version", "heads_version"):
        assert getattr(grown, name) is getattr(living, name)


def test_keeps_every_coding_that_had_a_theme(workshop: Workshop, living: ThemeSet, grown: ThemeSet, wave: Corpus) -> None:
    before, _ = workshop.code(living, wave)
    after, _ = workshop.code(grown, wave)
    themed = [(old, new) for old, new in zip(before, after, strict=True) if old.themes]
    assert len(themed) >= len(KNOWN)
    assert [new for _, new in themed] == [old for old, _ in themed]


def test_changes_nothing_when_the_same_wave_comes_again(workshop: Workshop, grown: ThemeSet, wave: Corpus) -> None:
    assert workshop.extend(grown, wave) is grown


def test_changes_nothing_where_nothing_new_fits_together(workshop: Workshop, living: ThemeSet) -> None:
    assert workshop.extend(living, corpus_of([*KNOWN, *KNOWN_LATER, *STRANGERS])) is living
    assert workshop.extend(living, corpus_of([])) is living


def test_passes_over_what_a_living_theme_accepts(workshop: Workshop, living: ThemeSet, wave: Corpus, grown: ThemeSet) -> None:
    assert workshop.extend(living, wave, everything=True).prototypes.tobytes() == grown.prototypes.tobytes()


def test_finds_the_same_bytes_again_and_in_another_order(workshop: Workshop, living: ThemeSet, grown: ThemeSet) -> None:
    texts = [*KNOWN, *STRANGERS, *KNOWN_LATER, *SMELL]
    random.Random(3).shuffle(texts)
    assert theme_set_files(workshop.extend(living, corpus_of(texts))) == theme_set_files(grown)


def test_saves_and_loads_the_waves(grown: ThemeSet, tmp_path: Path) -> None:
    for name, content in theme_set_files(grown).items():
        (tmp_path / name).write_bytes(content)
    loaded = load_theme_set(tmp_path)
    assert loaded.wave_starts == grown.wave_starts
    assert theme_set_files(loaded) == theme_set_files(grown)
    assert theme_set_version(replace(grown, wave_starts=())) != grown.version


def test_adds_a_second_wave_behind_the_first(workshop: Workshop, grown: ThemeSet) -> None:
    queue = [f"queueing at till {number} takes for ever and ever" for number in ["one", "two", "three", "four", "five", "nine", "seven"]]
    later = workshop.extend(grown, corpus_of([*KNOWN, *STRANGERS, *SMELL, *queue]))
    (born,) = born_leaves(grown, later)
    assert later.wave_starts == (*grown.wave_starts, len(grown.prototypes))
    # Which of the queue a leaf of before just about takes in differs between processors; whoever has a theme keeps it.
    before = themes_of(workshop, grown, queue)
    assert themes_of(workshop, later, queue) == {text: leaf or born for text, leaf in before.items()}
    assert list(before.values()).count(None) >= 4
    assert themes_of(workshop, later, SMELL) == themes_of(workshop, grown, SMELL)


def test_gives_every_leaf_a_parent_that_is_there(living: ThemeSet, grown: ThemeSet) -> None:
    ids = [theme.id for theme in grown.themes]
    assert ids == sorted(set(ids))
    assert {theme.parent for theme in grown.themes if theme.parent} == {theme.id for theme in grown.themes if theme.parent is None}
    names = [name.casefold() for theme in grown.themes if theme.parent for name in theme.names.values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("similarity", "adopted"), [(-1.0, True), (0.99, False)])
def test_puts_a_new_leaf_under_a_parent_close_enough(
    workshop: Workshop, living: ThemeSet, wave: Corpus, similarity: float, adopted: bool
) -> None:
    close = Workshop(replace(workshop.config, parent_similarity=similarity), workshop.embedder)
    grown = close.extend(living, wave)
    (born,) = born_leaves(living, grown)
    parent = next(theme.parent for theme in grown.themes if theme.id == born)
    assert (parent in {theme.id for theme in living.themes}) is adopted
    assert len(grown.themes) == len(living.themes) + (1 if adopted else 2)


def test_gives_no_id_of_a_theme_that_died(workshop: Workshop, living: ThemeSet, grown: ThemeSet, wave: Corpus) -> None:
    (born,) = born_leaves(living, grown)
    again = workshop.extend(living, wave, retired=[born])
    (other,) = born_leaves(living, again)
    assert other != born
    assert other.startswith("t-")
    assert again.prototypes.tobytes() == grown.prototypes.tobytes()


def test_lets_nothing_be_born_beyond_the_most_leaves_allowed(workshop: Workshop, living: ThemeSet, wave: Corpus) -> None:
    full = Workshop(replace(workshop.config, max_leaves=len(living.prototypes)), workshop.embedder)
    assert full.extend(living, wave) is living


def test_asks_a_new_theme_for_the_size_a_whole_fit_would_ask(workshop: Workshop, living: ThemeSet, wave: Corpus) -> None:
    demanding = Workshop(replace(workshop.config, min_theme_opinions=len(SMELL) + 1), workshop.embedder)
    assert demanding.extend(living, wave) is living


def test_leaves_a_set_without_themes_to_a_fit_of_everything(workshop: Workshop, wave: Corpus) -> None:
    empty = workshop.mine(corpus_of(STRANGERS))
    assert len(empty.prototypes) == 0
    assert workshop.extend(empty, wave) is empty


def test_selects_what_opinions_were_encoded_as() -> None:
    vectors = np.arange(6, dtype=np.float32).reshape(3, 2)
    encoded = EncodedOpinions(["a", "b", "c"], ["en", "zh", "de"], [2, 0, 2, 1], vectors, 2 * vectors)
    chosen = encoded.select([3, 0, 2])
    assert (chosen.texts, chosen.languages, chosen.opinion_row) == (["b", "c"], ["zh", "de"], [0, 1, 1])
    np.testing.assert_array_equal(chosen.vectors, vectors[1:])
    np.testing.assert_array_equal(chosen.head_vectors, 2 * vectors[1:])


class Remembering:
    """Encodes each text once."""

    def __init__(self, embedder: Embedder) -> None:
        self.name, self.version, self.dimensions = embedder.name, embedder.version, embedder.dimensions
        self._embedder = embedder
        self._memory: dict[str, Vectors] = {}

    def encode(self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None) -> Vectors:
        new = sorted(set(texts) - self._memory.keys())
        self._memory |= dict(zip(new, self._embedder.encode(new), strict=True))
        return np.stack([self._memory[text] for text in texts]) if texts else np.zeros((0, self.dimensions), np.float32)


def leaves_of(workshop: Workshop, theme_set: ThemeSet, corpus: Corpus) -> dict[str, str]:
    codings, _ = workshop.code(theme_set, corpus)
    return {coding.opinion: coding.themes[0].theme for coding in codings if coding.themes}


def closest_pairs(old: Mapping[str, str], new: Mapping[str, str]) -> list[tuple[str, str]]:
    """Leaves of two sets whose members have a Jaccard of one half or more; counted here once more, not by what is tested."""
    sides: list[dict[str, set[str]]] = [{}, {}]
    for side, membership in zip(sides, (old, new), strict=True):
        for opinion, leaf in membership.items():
            side.setdefault(leaf, set()).add(opinion)
    return [(a, b) for a, first in sides[0].items() for b, second in sides[1].items() if 2 * len(first & second) >= len(first | second)]


def test_extends_a_set_that_has_learned_as_one_that_has_not(workshop: Workshop, living: ThemeSet, grown: ThemeSet, wave: Corpus) -> None:
    taught = replace(
        living,
        prototypes=np.vstack([living.prototypes[:1], living.prototypes]),
        prototype_themes=(living.prototype_themes[-1], *living.prototype_themes),
        thresholds=np.concatenate([np.array([0.99], np.float32), living.thresholds]),
        cause_priors=np.vstack([living.cause_priors[:1], living.cause_priors]),
        learned=1,
    )
    again = workshop.extend(taught, wave)
    assert again.learned == 1
    assert again.wave_starts == (1 + len(living.prototypes),)
    assert again.prototypes[1:].tobytes() == grown.prototypes.tobytes()
    assert again.thresholds[1:].tobytes() == grown.thresholds.tobytes()


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "nhs_fft").is_dir(), reason="no labelled data in ../shared/data (or FEEDBACK_MINER_SHARED)")
def test_keeps_the_ids_of_a_real_survey_from_wave_to_wave_and_through_a_full_mine() -> None:
    with gzip.open(SHARED / "nhs_fft" / "dev.csv.gz", "rt", encoding="utf-8", newline="") as lines:
        rows = sorted(csv.DictReader(lines), key=lambda row: (row["date"], row["text"]))
    texts = [row["text"] for row in rows]
    first, whole = corpus_of(texts[: len(texts) // 2]), corpus_of(texts)
    workshop = Workshop(MiningConfig(), Remembering(load_embedder(DEFAULT_ENCODER)))
    one = workshop.mine(first)
    assert workshop.extend(one, first) is one, "nothing new was said"
    two = workshop.extend(one, whole)
    assert workshop.extend(two, whole) is two
    living = leaves_of(workshop, two, whole)
    assert leaves_of(workshop, one, first).items() <= living.items()
    full = workshop.mine(whole)
    leaves = {"old_leaves": two.prototype_themes, "new_leaves": full.prototype_themes}
    carried = carry_ids(two, full, trace_lineage(living, leaves_of(workshop, full, whole), **leaves))
    pairs = closest_pairs(living, leaves_of(workshop, carried, whole))
    assert len(pairs) >= 0.4 * len(one.prototypes)
    assert sum(old == new for old, new in pairs) >= 0.95 * len(pairs)
    assert len({theme.id for theme in carried.themes}) == len(full.themes)
