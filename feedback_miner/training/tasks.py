"""Examples in, an endless stream of batches out: which texts are compared with which, and what is known of them.

A batch is from one set (two conventions of labelling are never compared) and of one kind. What comes at step n depends on the seed and n
alone, so training that was interrupted goes on with the batch it would have seen.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from feedback_miner.training.examples import SENTIMENTS, Example
from feedback_miner.training.split import calibrates

__all__ = ["KINDS", "Batch", "Kind", "Tasks"]

Kind = Literal["themes", "sentiment", "translation", "memory", "held back"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_FEWEST_ROWS = 60
_FEWEST_OF_A_LABEL = 3
_LABELS = 16
_TEXTS_OF_A_LABEL = 8
"""At most so many themes meet in a batch, or one for so many texts if that is more: enough to contrast, and each text has a fellow."""
_OPINION_SHARE = 0.3
"""How often a comment is represented by one of its opinions: what serves reads opinions, what is labelled are comments."""
_WHOLE_SHARE = 0.3
"""How often sentiment is read off a whole comment rather than off all of its opinions, as it is when it serves."""
_SPLICED_SHARE = 0.5
"""How often a text to be remembered is half of one comment and half of another: nobody wrote it, and a model is asked all the same."""
_LONGEST_WORD = 20
_MOST_OPINIONS = 8
"""A comment of more is read as a whole: letters would be most of a batch."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """``texts`` and what is known of each; of a translation batch, the second half translates the first.

    A batch of sentiment knows comments, and its texts may be their opinions: ``owners`` says whose. One that is "held back" is of the
    rows that teach no sentiment (`calibrates`), to watch with.
    """

    kind: Kind
    source: str
    texts: list[str]
    languages: list[str]
    labels: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    """Of a batch of themes: (n, labels), 1 where a text carries one."""
    owners: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Of a batch of sentiment: (texts,), the place of each text's comment, ascending."""
    sentiments: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Of a batch of sentiment: (comments,), place in ``SENTIMENTS``, -1 where unknown."""
    strengths: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    """Of a batch of sentiment: (comments,), -1 to 1, NaN where unknown."""


@dataclass(frozen=True, slots=True)
class _ThemeTask:
    source: str
    examples: list[Example]
    column: str
    rows_of: dict[str, list[int]] = field(default_factory=dict)


class Tasks:
    """All that can be drawn from ``examples``. Sets are drawn by the square root of their size: large ones more often, none always."""

    def __init__(self, examples: Sequence[Example], *, seed: int) -> None:
        self._seed = seed
        self._themes = _theme_tasks(examples)
        self._judged = _by_source(examples, lambda example: _is_judged(example) and not calibrates(example.text))
        self._held_back = _by_source(examples, lambda example: _is_judged(example) and calibrates(example.text))
        self._all = _by_source(examples, lambda _: True)
        self._pairs = _pairs(examples)
        self.sources = sorted(self._judged)

    def draw_step(self, step: int, kinds: Mapping[Kind, int]) -> Iterator[Batch]:
        """Draw a batch of each kind that examples teach, of so many texts."""
        for kind, size in kinds.items():
            batch = self.draw(step, kind, size)
            if batch is not None:
                yield batch

    def draw(self, step: int, kind: Kind, size: int) -> Batch | None:
        """Draw the batch of a step; None where no example teaches this."""
        draw = np.random.default_rng([self._seed, step, KINDS.index(kind)])
        match kind:
            case "themes":
                return self._draw_themes(draw, size)
            case "sentiment":
                return self._draw_judged(draw, kind, self._judged, size)
            case "held back":
                groups = {source: group for source, group in self._held_back.items() if source in self._judged}
                return self._draw_judged(draw, kind, groups, size)
            case "translation":
                return self._draw_pairs(draw, size)
            case "memory":
                return self._draw_any(draw, size)

    def _draw_themes(self, draw: np.random.Generator, size: int) -> Batch | None:
        if not self._themes:
            return None
        task = self._themes[_weighted(draw, [len(task.examples) for task in self._themes])]
        names = sorted(task.rows_of)
        chances = np.sqrt([len(task.rows_of[name]) for name in names])
        most = min(max(_LABELS, size // _TEXTS_OF_A_LABEL), len(names))
        chosen = draw.choice(len(names), most, replace=False, p=chances / chances.sum())
        rows: dict[int, None] = {}
        for at in chosen:
            carriers = task.rows_of[names[at]]
            rows |= dict.fromkeys(
                carriers[i] for i in draw.choice(len(carriers), min(max(2, size // len(chosen)), len(carriers)), replace=False)
            )
        examples = [task.examples[row] for row in rows]
        carried = [example.themes[task.column] for example in examples]
        places = {name: at for at, name in enumerate(sorted(frozenset(chain.from_iterable(carried))))}
        labels = np.zeros((len(examples), len(places)), np.float32)
        for row, of_row in enumerate(carried):
            labels[row, [places[name] for name in of_row]] = 1.0
        return Batch("themes", task.source, [_some_text(draw, example) for example in examples], _languages(examples), labels=labels)

    def _draw_judged(self, draw: np.random.Generator, kind: Kind, groups: Mapping[str, list[Example]], size: int) -> Batch | None:
        if not groups:
            return None
        source, examples = self._draw_source(draw, groups, size)
        parts = [_parts(draw, example) for example in examples]
        return Batch(
            kind,
            source,
            list(chain.from_iterable(parts)),
            [example.language for example, of_row in zip(examples, parts, strict=True) for _ in of_row],
            owners=np.repeat(np.arange(len(examples)), [len(of_row) for of_row in parts]),
            sentiments=np.array([-1 if example.sentiment is None else SENTIMENTS.index(example.sentiment) for example in examples]),
            strengths=np.array([np.nan if example.strength is None else example.strength for example in examples], np.float32),
        )

    def _draw_pairs(self, draw: np.random.Generator, size: int) -> Batch | None:
        if not self._pairs:
            return None
        rows = draw.choice(len(self._pairs), min(size // 2, len(self._pairs)), replace=False)
        examples = [self._pairs[row][side] for side in (0, 1) for row in rows]
        return Batch("translation", examples[0].source, [example.text for example in examples], _languages(examples))

    def _draw_any(self, draw: np.random.Generator, size: int) -> Batch:
        source, examples = self._draw_source(draw, self._all, size)
        texts = [_some_text(draw, example) for example in examples]
        for at, example in enumerate(examples):
            other = int(draw.integers(len(examples)))
            if draw.random() < _SPLICED_SHARE and examples[other].language == example.language:
                texts[at] = _splice(draw, example.text, examples[other].text)
        return Batch("memory", source, texts, _languages(examples))

    def _draw_source(self, draw: np.random.Generator, groups: Mapping[str, list[Example]], size: int) -> tuple[str, list[Example]]:
        names = list(groups)
        source = names[_weighted(draw, [len(groups[name]) for name in names])]
        rows = draw.choice(len(groups[source]), min(size, len(groups[source])), replace=False)
        return source, [groups[source][row] for row in rows]


def _is_judged(example: Example) -> bool:
    return example.sentiment is not None or example.strength is not None


def _languages(examples: Sequence[Example]) -> list[str]:
    return [example.language for example in examples]


def _weighted(draw: np.random.Generator, sizes: Sequence[int]) -> int:
    chances = np.sqrt(sizes)
    return int(draw.choice(len(sizes), p=chances / chances.sum()))


def _some_text(draw: np.random.Generator, example: Example) -> str:
    """Return the whole comment, or now and then one of its opinions (never one whose theme might be another's: those carry several)."""
    single = all(len(labels) == 1 for labels in example.themes.values())
    if example.opinions and single and draw.random() < _OPINION_SHARE:
        return example.opinions[int(draw.integers(len(example.opinions)))]
    return example.text


def _splice(draw: np.random.Generator, first: str, second: str) -> str:
    """Return the beginning of one text and the end of another, cut between words where there are any."""
    start, end = (_cut(draw, text) for text in (first, second))
    return f"{first[:start].rstrip()} {second[end:].lstrip()}".strip() or first


def _cut(draw: np.random.Generator, text: str) -> int:
    at = int(draw.integers(len(text) + 1))
    space = text.find(" ", at)
    return at if space < 0 or space > at + _LONGEST_WORD else space


def _parts(draw: np.random.Generator, example: Example) -> tuple[str, ...]:
    """Return a comment's opinions, or now and then the whole of it."""
    whole = draw.random() < _WHOLE_SHARE or not 0 < len(example.opinions) <= _MOST_OPINIONS
    return (example.text,) if whole else example.opinions


def _theme_tasks(examples: Sequence[Example]) -> list[_ThemeTask]:
    tasks: dict[tuple[str, str], _ThemeTask] = {}
    for example in examples:
        for column in example.themes:
            tasks.setdefault((example.source, column), _ThemeTask(example.source, [], column)).examples.append(example)
    kept = []
    for task in tasks.values():
        rows_of: dict[str, list[int]] = defaultdict(list)
        for row, example in enumerate(task.examples):
            for label in example.themes[task.column]:
                rows_of[label].append(row)
        rows_of = {label: rows for label, rows in rows_of.items() if len(rows) >= _FEWEST_OF_A_LABEL}
        if len(task.examples) >= _FEWEST_ROWS and len(rows_of) > 1:
            kept.append(_ThemeTask(task.source, task.examples, task.column, rows_of))
    return kept


def _by_source(examples: Sequence[Example], wanted: Callable[[Example], bool]) -> dict[str, list[Example]]:
    groups: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        if wanted(example):
            groups[example.source].append(example)
    return {name: group for name, group in groups.items() if len(group) >= _FEWEST_ROWS}


def _pairs(examples: Sequence[Example]) -> list[tuple[Example, Example]]:
    """Return a text and its translation, first and second by language code."""
    groups: dict[str, dict[str, Example]] = defaultdict(dict)
    for example in examples:
        if example.pair is not None:
            groups[example.pair].setdefault(example.language, example)
    pairs = [[group[language] for language in sorted(group)] for group in groups.values() if len(group) > 1]
    return [(pair[0], pair[1]) for pair in pairs]
