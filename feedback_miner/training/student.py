"""``train student``: four layers of the teacher learn to answer as all twelve do, and what the teacher was taught besides.

In: the teacher's adapters, the labelled sets. Out: a folder the embedder ``feedback-small`` is served from (see `export`), and
``training.json``. A vector has two parts that do not compete. The mean over tokens says what a text is about: it is drawn to the teacher's
vector of the same text, its neighbours to the neighbours there, and texts that share a theme (or translate each other) to each other. The
begin marker says how the text feels about it: sentiment and strength, from labels alone. Some texts arrive disturbed; their vectors
should not.

    feedback-miner train student --data ../shared/data --teacher models/teacher --output models/feedback-small
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from feedback_miner.embedders.e5_weights import PackedModel
from feedback_miner.errors import InputError
from feedback_miner.progress import Progress, report_to_nobody
from feedback_miner.training.backbone import Backbone, first_of_tokens, mean_of_tokens, pad_tokens, parameter_name
from feedback_miner.training.disturb import Disturbance
from feedback_miner.training.examples import Example, read_examples
from feedback_miner.training.export import export_student, read_student
from feedback_miner.training.loop import Loop
from feedback_miner.training.losses import imitation, relation
from feedback_miner.training.own_sentences import own_examples
from feedback_miner.training.sets import LEFT_OUT, load_sets
from feedback_miner.training.tasks import KINDS, Batch, Kind, Tasks
from feedback_miner.training.teacher import Reader, Texts, load_teacher, supervised
from feedback_miner.training.vocabulary import SMALL, build_tokenizer, choose_pieces, shipped_pieces
from feedback_miner.weights import sha256_of_file

__all__ = ["Student", "StudentConfig", "WordTable", "train_student"]

_OTHERS: tuple[Kind, ...] = ("memory", "memory", "translation")
"""What comes beside themes and sentiment, in turn."""


@dataclass(frozen=True, slots=True)
class StudentConfig:
    """How the student is trained; saved with it."""

    steps: int = 4_200
    layers: tuple[int, ...] = (0, 4, 8, 11)
    sentiment_dimensions: int = 64
    theme_texts: int = 64
    sentiment_texts: int = 96
    other_texts: int = 48
    tokens: int = 64
    rate: float = 4e-4
    warmup: float = 0.04
    imitation_weight: float = 4.0
    relation_weight: float = 2.0
    relation_temperature: float = 0.05
    token_weight: float = 2.0
    supervised_weight: float = 0.3
    sentiment_weight: float = 2.0
    dropout: float = 0.1
    temperature: float = 0.05
    disturbed: float = 0.3
    start: str = ""
    """Hash of the student it goes on from."""
    seed: int = 7
    threads: int = 2


class WordTable(nn.Module):
    """Vectors of the kept pieces, frozen, behind those of the markers and the bytes, which are learned."""

    def __init__(self, teacher: Backbone, model: PackedModel, kept: Sequence[int]) -> None:
        super().__init__()
        words = teacher.words.weight.detach()
        self.pieces = nn.Embedding.from_pretrained(words[torch.tensor(kept)], freeze=True)
        small = words[model.unknown_id].repeat(SMALL, 1) + torch.randn(SMALL, words.shape[1]) * 0.5 * words.std()
        small[:2] = words[torch.tensor([model.begin_id, model.end_id])]
        self.small = nn.Parameter(small)

    def forward(self, ids: Tensor) -> Tensor:
        """Return the row of each token."""
        rows: Tensor = self.pieces((ids - SMALL).clamp(min=0))
        return torch.where((ids < SMALL)[..., None], self.small[ids.clamp(max=SMALL - 1)], rows)


class Student(nn.Module):
    """Token ids in, two unit rows for each text out: what it is about, how it feels about it."""

    def __init__(self, backbone: Backbone, *, sentiment_dimensions: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.backbone = backbone
        self.sentiment = nn.Linear(backbone.positions.shape[1], sentiment_dimensions)
        self.dropout = nn.Dropout(dropout)

    def forward(self, ids: Tensor, present: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return (texts, hidden), (texts, sentiment dimensions) and, of each token, (tokens of all texts, hidden); ``ids`` and ``present``
        as `pad_tokens` returns them."""
        states = self.backbone.states(ids, present)
        sentiments = self.sentiment(self.dropout(first_of_tokens(states, present)))
        return mean_of_tokens(states, present), functional.normalize(sentiments.float(), dim=1), states


def train_student(
    data: Path,
    teacher: Path,
    *,
    output: Path,
    start: Path | None = None,
    checkpoints: Path | None = None,
    config: StudentConfig | None = None,
    progress: Progress = report_to_nobody,
) -> dict[str, Any]:
    """Train on the texts of the training parts, write the served folder and ``training.json``, and return what the latter holds.

    ``teacher`` is the folder with ``adapters.npz``; ``start`` that of an earlier student to go on from, else it begins as layers of the
    teacher; ``checkpoints``, a folder, makes it resumable (the state is written every hundred steps).
    """
    config = config or StudentConfig()
    if start is not None:
        config = replace(config, start=sha256_of_file(start / "encoder.onnx")[:12])
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.threads)
    examples = [*read_examples(load_sets(data, without=LEFT_OUT), progress=progress), *own_examples()]
    tasks = Tasks(examples, seed=config.seed)
    model, master = load_teacher(teacher / "adapters.npz")
    kept = choose_pieces(model, (example.text for example in examples), known=shipped_pieces())
    tokenizer = build_tokenizer(model, kept)
    backbone = shrink(master, config.layers, WordTable(master, model, kept))
    student = Student(backbone, sentiment_dimensions=config.sentiment_dimensions, dropout=config.dropout)
    if start is not None:
        _go_on_from(start, student)
    reader = Reader(config.sentiment_dimensions, tasks.sources)
    parts = nn.ModuleDict({"student": student, "reader": reader})
    trained = [parameter for parameter in student.parameters() if parameter.requires_grad]
    loop = Loop("student", parts, [(trained, config.rate), (list(reader.parameters()), 2.5 * config.rate)], config=asdict(config))
    pieces = np.concatenate([[model.begin_id, model.end_id], np.full(SMALL - 2, -1), kept])
    texts = _StudentTexts(tokenizer, student, pieces, tokens=config.tokens)
    master = master.to(torch.bfloat16)  # it only answers: half the bytes to move, and the student cannot tell
    losses = _Losses(config, tasks, Texts(model, master, config.tokens), texts, reader, _disturbance(examples))
    loop.run(losses.of_step, checkpoints=checkpoints, progress=progress)
    export_student(backbone, student.sentiment, tokenizer, model, kept, output)
    return loop.write_report(output, examples, pieces=len(kept))


def shrink(master: Backbone, layers: Sequence[int], words: nn.Module) -> Backbone:
    """Return a model of some of ``master``'s layers, all trainable, over another word table."""
    first: Any = master.layers[0]
    student = Backbone(
        vocabulary=1,
        positions=len(master.positions),
        hidden=master.positions.shape[1],
        layers=len(layers),
        heads=first.heads,
        feed_forward=first.up.out_features,
        epsilon=first.norm.eps,
    )
    student.positions.data.copy_(master.positions)
    student.positions.requires_grad_(requires_grad=False)
    student.embedding_norm.load_state_dict(master.embedding_norm.state_dict())
    for mine, source in zip(student.layers, layers, strict=True):
        mine.load_state_dict(master.layers[source].state_dict())
    student.words = words
    return student


def _go_on_from(folder: Path, student: Student) -> None:
    floats = read_student(folder)
    reading = {name: floats.pop(f"sentiment.{name}") for name in ("weight", "bias")}
    small = floats.pop("small")
    state = {parameter_name(name): torch.from_numpy(np.array(array)) for name, array in floats.items()}
    try:
        left = student.backbone.load_state_dict(state, strict=False)
        student.sentiment.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in reading.items()})
    except RuntimeError as error:
        raise InputError(f"{folder} holds a student of another shape; start from the teacher: {error}") from error
    if left.unexpected_keys or any(name.startswith("layers.") for name in left.missing_keys):
        raise InputError(f"{folder} holds a student of another number of layers; start from the teacher")
    words: Any = student.backbone.words
    words.small.data.copy_(torch.from_numpy(small))


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """What the student says of some texts."""

    vectors: Tensor
    sentiments: Tensor
    states: Tensor
    """(tokens of all texts, hidden)"""
    pieces: list[list[int]]
    """Of each text, its tokens as the teacher numbers them; -1 for a byte."""


class _StudentTexts:
    """Texts in, what the student says of them out, over its own tokens."""

    def __init__(self, tokenizer: bytes, student: Student, pieces: NDArray[np.int64], *, tokens: int) -> None:
        """``pieces`` are the teacher's numbers of the student's tokens."""
        self._tokenizer = tokenizers.Tokenizer.from_buffer(tokenizer)
        self._tokenizer.enable_truncation(tokens)
        self._student = student
        self._pieces = pieces

    def read(self, texts: Sequence[str]) -> _Read:
        rows = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        with torch.autocast("cpu", torch.bfloat16):
            vectors, sentiments, states = self._student(*pad_tokens(rows))
        return _Read(vectors, sentiments, states, [self._pieces[row].tolist() for row in rows])


class _Losses:
    """What a step asks of the student."""

    def __init__(
        self, config: StudentConfig, tasks: Tasks, teacher: Texts, student: _StudentTexts, reader: Reader, disturbance: Disturbance
    ) -> None:
        self._config = config
        self._tasks = tasks
        self._teacher = teacher
        self._student = student
        self._reader = reader
        self._disturbance = disturbance

    def of_step(self, step: int) -> Iterator[tuple[str, Tensor]]:
        """Yield the loss of themes, of sentiment, and of what comes beside them."""
        config = self._config
        kinds: dict[Kind, int] = {
            "themes": config.theme_texts,
            "sentiment": config.sentiment_texts,
            _OTHERS[step % len(_OTHERS)]: config.other_texts,
        }
        for batch in self._tasks.draw_step(step, kinds):
            yield batch.kind, self._loss(batch, np.random.default_rng([self._config.seed, step, KINDS.index(batch.kind)]))

    def _loss(self, batch: Batch, draw: np.random.Generator) -> Tensor:
        config = self._config
        disturb = self._disturbance.misspell if batch.kind == "sentiment" else self._disturbance.apply
        texts = [
            disturb(text, language, draw) if draw.random() < config.disturbed else text
            for text, language in zip(batch.texts, batch.languages, strict=True)
        ]
        read = self._student.read(texts)
        if batch.kind == "sentiment":
            return config.sentiment_weight * self._reader.loss(read.sentiments, batch)
        with torch.no_grad():
            reference, states, pieces = self._teacher.read_tokens(batch.texts)
        loss = config.imitation_weight * imitation(read.vectors, reference)
        loss = loss + config.relation_weight * relation(read.vectors, reference, temperature=config.relation_temperature)
        mine, theirs = (torch.from_numpy(mask) for mask in _common_tokens(read.pieces, pieces))
        if mine.any():
            rows = (functional.normalize(some.float(), dim=1) for some in (read.states[mine], states[theirs]))
            loss = loss + config.token_weight * imitation(*rows)
        if batch.kind != "memory":
            loss = loss + config.supervised_weight * supervised(read.vectors, batch, self._reader, temperature=config.temperature)
        return loss


def _common_tokens(mine: Sequence[Sequence[int]], theirs: Sequence[Sequence[int]]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return, over the tokens of all texts of either side, those of texts that both sides spell alike, but for begin markers.

    The begin marker is not told what to say: the student reads sentiment off it.
    """
    alike = [list(one) == list(other) for one, other in zip(mine, theirs, strict=True)]
    masks = [[[same and at > 0 for at in range(len(row))] for row, same in zip(side, alike, strict=True)] for side in (mine, theirs)]
    return np.array([*chain.from_iterable(masks[0])], bool), np.array([*chain.from_iterable(masks[1])], bool)


def _disturbance(examples: Sequence[Example]) -> Disturbance:
    """Foreign words are words of training texts in other languages (Chinese: the first two characters)."""
    words = {(example.text[:2] if example.language == "zh" else example.text.split()[0], example.language) for example in examples}
    return Disturbance(sorted(word for word in words if word[0].isalpha()))
