"""``train student``: four layers of the teacher learn to answer as all twelve do, and what the teacher was taught besides.

In: what the teacher was taught, the labelled sets. Out: a folder the embedder ``feedback-small`` is served from (see `export`), and
``training.json``. A vector has two parts that do not compete. The mean over tokens says what a text is about: it is drawn to the teacher's
vector of the same text, its neighbours to the neighbours there, and texts that share a theme (or translate each other) to each other. The
begin marker says how the text feels about it: sentiment and strength, from labels and as the teacher reads them, which reads texts that
nobody labelled, too. Some texts arrive disturbed; their vectors should not.

    feedback-miner train student --data ../shared/data --teacher models/teacher --output models/feedback-small
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from feedback_miner.embedders.e5_weights import find_packed_file, read_packed_model
from feedback_miner.errors import InputError
from feedback_miner.progress import Progress, report_to_nobody
from feedback_miner.training.backbone import Backbone, Encoder, parameter_name, reads_halves
from feedback_miner.training.disturb import Disturbance
from feedback_miner.training.examples import Example
from feedback_miner.training.export import average_students, export_student, read_student
from feedback_miner.training.loop import Loop
from feedback_miner.training.losses import imitation, relation
from feedback_miner.training.tasks import KINDS, Batch, Tasks
from feedback_miner.training.teacher import Learner, Reader, choose_kinds, load_teacher, losses_of, read_all, supervised
from feedback_miner.training.vocabulary import SMALL, TokenReader, table_rows
from feedback_miner.weights import sha256_of_file

__all__ = ["StudentConfig", "WordTable", "average", "train_student"]


@dataclass(frozen=True, slots=True)
class StudentConfig:
    """How the student is trained; saved with it. On two cores: mostly by labels, from an earlier one. `for_gpu` distils the teacher."""

    steps: int = 1_700
    layers: tuple[int, ...] = (0, 4, 8, 11)
    sentiment_dimensions: int = 64
    theme_texts: int = 96
    sentiment_texts: int = 48
    other_texts: int = 48
    tokens: int = 48
    rate: float = 3e-4
    warmup: float = 0.04
    imitation_weight: float = 1.0
    relation_weight: float = 0.5
    relation_temperature: float = 0.05
    token_weight: float = 0.5
    supervised_weight: float = 1.0
    sentiment_weight: float = 0.5
    feeling_weight: float = 1.0
    dropout: float = 0.1
    temperature: float = 0.05
    disturbed: float = 0.3
    start: str = ""
    """Hash of the student it goes on from."""
    seed: int = 7
    threads: int = 2

    @classmethod
    def for_gpu(cls) -> "StudentConfig":
        """Return the configuration of one large GPU: a few minutes."""
        return cls(
            theme_texts=512,
            sentiment_texts=320,
            other_texts=1_024,
            tokens=64,
            rate=8e-4,
            imitation_weight=4.0,
            relation_weight=2.0,
            token_weight=2.0,
            supervised_weight=0.3,
            feeling_weight=2.0,
        )


class WordTable(nn.Module):
    """Vectors of the kept pieces, frozen, behind those of the markers and the bytes, which are learned."""

    def __init__(self, words: Tensor) -> None:
        """``words`` (tokens, hidden) as the teacher has them, one and the same row for all bytes."""
        super().__init__()
        self.pieces = nn.Embedding.from_pretrained(words[SMALL:].clone(), freeze=True)
        small = words[:SMALL] + torch.randn(SMALL, words.shape[1]) * 0.5 * words.std()
        small[:2] = words[:2]
        self.small = nn.Parameter(small)

    def forward(self, ids: Tensor) -> Tensor:
        """Return the row of each token."""
        rows: Tensor = self.pieces((ids - SMALL).clamp(min=0))
        return torch.where((ids < SMALL)[..., None], self.small[ids.clamp(max=SMALL - 1)], rows)


def train_student(
    data: Path,
    teacher: Path,
    *,
    output: Path,
    start: Path | None = None,
    checkpoints: Path | None = None,
    config: StudentConfig | None = None,
    device: str = "cpu",
    workers: int = 0,
    progress: Progress = report_to_nobody,
) -> dict[str, Any]:
    """Train on the texts of the training parts, write the served folder and ``training.json``, and return what the latter holds.

    ``teacher`` is the folder with ``adapters.npz``; ``start`` that of an earlier student to go on from, else it begins as layers of the
    teacher; ``checkpoints``, a folder, makes it resumable (the state is written every hundred steps). ``device`` as torch names it;
    ``workers``: processes that read ahead, which a GPU needs.
    """
    config = config or StudentConfig()
    if start is not None:
        earlier = read_student(start)
        hash_of_start = sha256_of_file(start / "encoder.onnx")[:12]
        config = replace(config, start=hash_of_start, sentiment_dimensions=len(earlier["sentiment.bias"]))
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.threads)
    model = read_packed_model(find_packed_file())
    examples, kept, tokenizer = read_all(data, model, progress)
    tasks = Tasks(examples, seed=config.seed)
    master = load_teacher(teacher / "adapters.npz", model, table_rows(model, kept))
    backbone = shrink(master.encoder.backbone, config.layers, WordTable(master.encoder.backbone.words.weight.detach()))
    encoder = Encoder(backbone, sentiment_dimensions=config.sentiment_dimensions, dropout=config.dropout)
    if start is not None:
        _go_on_from(earlier, encoder, start)
    pupil = Learner(encoder, Reader(config.sentiment_dimensions, tasks.sources)).to(device)
    trained = [parameter for parameter in encoder.parameters() if parameter.requires_grad]
    rates = [(trained, config.rate), (list(pupil.reader.parameters()), 2.5 * config.rate)]
    loop = Loop("student", pupil, rates, config=asdict(config))
    lessons = _Lessons(config, tasks, TokenReader(tokenizer, most_tokens=config.tokens), _disturbance(examples))
    # The teacher only answers: half the bytes to move, and the student cannot tell.
    master.encoder.backbone.to(device, torch.bfloat16 if reads_halves(torch.device(device)) else torch.float32)
    losses = _Losses(config, master.to(device), pupil)
    loop.run(lessons.of_step, losses.of_lessons, checkpoints=checkpoints, progress=progress, workers=workers)
    export_student(backbone.cpu(), encoder.sentiment.cpu(), tokenizer, model, kept, output)
    return loop.write_report(output, examples, pieces=len(kept), device=device)


def average(students: Sequence[Path], *, output: Path) -> dict[str, Any]:
    """Write the mean of several students (see `average_students`) and, as ``training.json``, how each was trained; return the latter."""
    reports = []
    for folder in students:
        report = folder / "training.json"
        known = json.loads(report.read_text("utf-8")) if report.is_file() else {}
        reports.append({"encoder": sha256_of_file(folder / "encoder.onnx")[:12], **known})
    average_students(students, read_packed_model(find_packed_file()), output)
    made_of = {"average_of": reports}
    (output / "training.json").write_text(json.dumps(made_of, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return made_of


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


def _go_on_from(floats: dict[str, NDArray[np.float32]], student: Encoder, folder: Path) -> None:
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
class _Lesson:
    """A batch as the student reads it, some of it disturbed, and as the teacher does."""

    batch: Batch
    rows: list[list[int]]
    clean: list[list[int]]
    mine: NDArray[np.int64]
    """Of the student's tokens over all texts, those that the teacher reads at ``theirs``."""
    theirs: NDArray[np.int64]
    feeling: NDArray[np.int64]
    """The texts whose feeling was not disturbed."""


class _Lessons:
    """What a step sees, read but not yet on any device."""

    def __init__(self, config: StudentConfig, tasks: Tasks, reader: TokenReader, disturbance: Disturbance) -> None:
        self._config = config
        self._tasks = tasks
        self._reader = reader
        self._disturbance = disturbance

    def of_step(self, step: int) -> list[_Lesson]:
        """Return the lesson of each batch."""
        return [
            self._lesson(batch, np.random.default_rng([self._config.seed, step, KINDS.index(batch.kind)]))
            for batch in self._tasks.draw_step(step, choose_kinds(self._config, step))
        ]

    def _lesson(self, batch: Batch, draw: np.random.Generator) -> _Lesson:
        judged = batch.kind == "sentiment"
        disturb = self._disturbance.misspell if judged else self._disturbance.apply
        share = 0.0 if batch.kind == "held back" else self._config.disturbed
        texts = [
            disturb(text, language, draw) if draw.random() < share else text
            for text, language in zip(batch.texts, batch.languages, strict=True)
        ]
        rows, clean = self._reader.read(texts), self._reader.read(batch.texts)
        same = np.array([text == other for text, other in zip(texts, batch.texts, strict=True)])
        feeling = np.arange(len(texts)) if judged else np.flatnonzero(same)
        return _Lesson(batch, rows, clean, *_common_tokens(rows, clean), feeling)


class _Losses:
    """What is asked of the student."""

    def __init__(self, config: StudentConfig, teacher: Learner, pupil: Learner) -> None:
        self._config = config
        self._teacher = teacher
        self._pupil = pupil

    def of_lessons(self, lessons: Sequence[_Lesson]) -> Iterator[tuple[str, Tensor]]:
        """Yield the loss of each."""
        return losses_of(self._pupil, lessons, self._loss)

    def _loss(self, lesson: _Lesson) -> Tensor:
        config, batch = self._config, lesson.batch
        vectors, sentiments, states = self._pupil.encode(lesson.rows)
        if batch.kind == "held back":
            return self._pupil.reader.loss(sentiments, batch)
        with torch.no_grad():
            reference, feelings, told = self._teacher.encode(lesson.clean)
            odds, strengths = self._teacher.reader.read(feelings)
        loss = config.imitation_weight * imitation(vectors, reference)
        if len(lesson.feeling):
            felt = torch.from_numpy(lesson.feeling).to(vectors.device)
            my_odds, my_strengths = self._pupil.reader.read(sentiments)
            mine, theirs = (some[felt].log_softmax(dim=1) for some in (my_odds, odds))
            unlike = functional.kl_div(mine, theirs, log_target=True, reduction="batchmean")
            loss = loss + config.feeling_weight * (unlike + functional.mse_loss(my_strengths[felt], strengths[felt]))
        if batch.kind == "sentiment":
            return loss + config.sentiment_weight * self._pupil.reader.loss(sentiments, batch)
        loss = loss + config.relation_weight * relation(vectors, reference, temperature=config.relation_temperature)
        if len(lesson.mine):
            mine, theirs = (torch.from_numpy(places).to(vectors.device) for places in (lesson.mine, lesson.theirs))
            rows = (functional.normalize(some.float(), dim=1) for some in (states[mine], told[theirs]))
            loss = loss + config.token_weight * imitation(*rows)
        if batch.kind != "memory":
            loss = loss + config.supervised_weight * supervised(vectors, batch, temperature=config.temperature)
        return loss


def _common_tokens(mine: Sequence[Sequence[int]], theirs: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places, among the tokens of all texts of either side, of those of texts that both spell alike, but for begin markers.

    The begin marker is not told what to say: the student reads sentiment off it.
    """
    alike = [one == other for one, other in zip(mine, theirs, strict=True)]
    masks = [[same and at > 0 for row, same in zip(side, alike, strict=True) for at in range(len(row))] for side in (mine, theirs)]
    return np.flatnonzero(masks[0]), np.flatnonzero(masks[1])


def _disturbance(examples: Sequence[Example]) -> Disturbance:
    """Foreign words are words of training texts in other languages (Chinese: the first two characters)."""
    words = {(example.text[:2] if example.language == "zh" else example.text.split()[0], example.language) for example in examples}
    return Disturbance(sorted(word for word in words if word[0].isalpha()))
