"""``train encoder``: multilingual-e5-small learns what makes two complaints the same theme, how they feel, and what is a translation.

In: labelled sets by the split rule, or a file of the user's own. Out: ``adapters.npz`` (low-rank updates of every matrix and the readings
of sentiment, a few MB) and ``training.json`` (the configuration and how far the losses fell). A vector has the two parts that a student's
has: the mean over tokens says what a text is about, the begin marker how it feels. Three batches a step: themes, sentiment with strength,
and either memory (its neighbours stay those of the untrained model, so that it forgets nothing it is not taught) or translation.

    feedback-miner train encoder --data ../shared/data --output models/teacher
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from feedback_miner.embedders.e5_weights import PackedModel, find_packed_file, read_packed_model
from feedback_miner.errors import InputError, WeightsError
from feedback_miner.progress import Progress, report_to_nobody
from feedback_miner.training.backbone import Adapter, Encoder, adapters_off, add_adapters, open_backbone, pad_tokens, reads_halves
from feedback_miner.training.examples import SENTIMENTS, Example, read_examples
from feedback_miner.training.loop import Loop
from feedback_miner.training.losses import contrast, fold, relation, shared_labels, translation
from feedback_miner.training.own_sentences import own_examples
from feedback_miner.training.sets import LEFT_OUT, load_sets
from feedback_miner.training.tasks import Batch, Kind, Tasks
from feedback_miner.training.vocabulary import TokenReader, build_tokenizer, choose_pieces, shipped_pieces, table_rows

__all__ = ["Learner", "Reader", "TeacherConfig", "choose_kinds", "load_teacher", "losses_of", "read_all", "supervised", "train_encoder"]

_OTHERS: tuple[Kind, ...] = ("memory", "memory", "translation")
"""What comes beside themes and sentiment, in turn."""
_WATCHED_EVERY = 20
"""Steps between looks at sentiment that is not taught."""
_READER_RATE = 2.5
"""How much faster than adapters, which start near the answer, readings learn, which start from nothing."""
_VECTOR_SCALE = 10.0
"""Unit vectors are spread over many axes; ten times longer a linear reading of them trains at the usual rates."""
_PREFIX = "query: "
"""What the untrained model wants before a text; it is trained to do without."""


@dataclass(frozen=True, slots=True)
class TeacherConfig:
    """How the teacher is trained; saved with it. Sizes are for two cores; `for_gpu` has a GPU's."""

    steps: int = 1_500
    theme_texts: int = 64
    sentiment_texts: int = 40
    other_texts: int = 40
    sentiment_dimensions: int = 64
    tokens: int = 64
    rank: int = 32
    strength: float = 64.0
    dropout: float = 0.1
    rate: float = 4e-4
    warmup: float = 0.06
    temperature: float = 0.05
    memory_temperature: float = 0.1
    memory_weight: float = 3.0
    sentiment_weight: float = 1.0
    translation_weight: float = 0.7
    seed: int = 7
    threads: int = 2

    @classmethod
    def for_gpu(cls) -> "TeacherConfig":
        """Return the configuration of one large GPU: a few minutes."""
        return cls(steps=1_000, theme_texts=384, sentiment_texts=192, other_texts=256)


class Reader(nn.Module):
    """Linear readings of a vector that training asks for and serving forgets: sentiment, with each set's own leaning, and strength."""

    def __init__(self, width: int, sources: list[str]) -> None:
        super().__init__()
        self.sources = {source: at for at, source in enumerate(sources)}
        self.sentiment = nn.Linear(width, len(SENTIMENTS))
        self.strength = nn.Linear(width, 1)
        self.leaning = nn.Parameter(torch.zeros(len(sources), len(SENTIMENTS) + 1))

    def read(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Return the odds of each sentiment (texts, 3) and the strength (texts,), no set's leaning among them."""
        return self.sentiment(vectors * _VECTOR_SCALE), self.strength(vectors * _VECTOR_SCALE)[:, 0]

    def loss(self, vectors: Tensor, batch: Batch) -> Tensor:
        """Cross-entropy of the comments' sentiments that are known plus twice the squared error of the strengths that are.

        Opinions are folded as they are when they serve; strength is their mean by the root of their length.
        """
        device = vectors.device
        leaning, comments = self.leaning[self.sources[batch.source]], len(batch.sentiments)
        owners = torch.from_numpy(batch.owners).to(device)
        lengths = torch.tensor([float(len(text)) for text in batch.texts], device=device)
        opinions, strengths = self.read(vectors)
        loss = vectors.sum() * 0.0
        known = np.flatnonzero(batch.sentiments >= 0)
        if len(known):
            odds = fold(opinions, lengths, owners, comments) + leaning[:-1]
            answers = torch.from_numpy(batch.sentiments[known]).to(device)
            loss = loss + functional.cross_entropy(odds[torch.from_numpy(known).to(device)], answers)
        known = np.flatnonzero(~np.isnan(batch.strengths))
        if len(known):
            weights = lengths.sqrt() / lengths.new_zeros(comments).index_add(0, owners, lengths.sqrt())[owners]
            strength = lengths.new_zeros(comments).index_add(0, owners, strengths * weights)[torch.from_numpy(known).to(device)]
            loss = loss + 2.0 * functional.mse_loss(strength + leaning[-1], torch.from_numpy(batch.strengths[known]).to(device))
        return loss


class Learner(nn.Module):
    """An encoder in training, teacher or student, and the readings of how a text feels."""

    def __init__(self, encoder: Encoder, reader: Reader) -> None:
        super().__init__()
        self.encoder = encoder
        self.reader = reader

    def encode(self, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor, Tensor]:
        """Return of texts, given as tokens, what `Encoder.forward` does."""
        device = self.reader.leaning.device
        with torch.autocast(device.type, torch.bfloat16, enabled=reads_halves(device)):
            read: tuple[Tensor, Tensor, Tensor] = self.encoder(pad_tokens(rows).to(device))
        return read


class Lesson(Protocol):
    """A batch, however it is read."""

    @property
    def batch(self) -> Batch: ...


_AnyLesson = TypeVar("_AnyLesson", bound=Lesson)


def losses_of(learner: Learner, lessons: Iterable[_AnyLesson], loss: Callable[[_AnyLesson], Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield the ``loss`` of each lesson by its name; what is held back teaches nothing and is read as it would be when it serves."""
    for lesson in lessons:
        watched = lesson.batch.kind == "held back"
        learner.train(not watched)
        with torch.set_grad_enabled(not watched):
            computed = loss(lesson)
        yield lesson.batch.kind, computed


def supervised(vectors: Tensor, batch: Batch, *, temperature: float) -> Tensor:
    """Return the loss of what is known of what texts are about: shared themes, or translations."""
    if batch.kind == "themes":
        return contrast(vectors, shared_labels(torch.from_numpy(batch.labels).to(vectors.device)), temperature=temperature)
    return translation(*vectors.chunk(2), temperature=temperature)


def choose_kinds(config: Any, step: int) -> dict[Kind, int]:
    """Return the batches of a step and how many texts each has, by a configuration of teacher or student."""
    other = _OTHERS[step % len(_OTHERS)]
    kinds: dict[Kind, int] = {"themes": config.theme_texts, "sentiment": config.sentiment_texts, other: config.other_texts}
    if step % _WATCHED_EVERY == 0:
        kinds["held back"] = config.sentiment_texts
    return kinds


def read_all(data: Path, model: PackedModel, progress: Progress) -> tuple[list[Example], list[int], bytes]:
    """Return all that is trained on, and the vocabulary it is read with: which of the model's pieces, and ``tokenizer.json``."""
    examples = [*read_examples(load_sets(data, without=LEFT_OUT), progress=progress), *own_examples()]
    kept = choose_pieces(model, (example.text for example in examples), known=shipped_pieces())
    return examples, kept, build_tokenizer(model, kept)


def train_encoder(
    data: Path,
    *,
    output: Path,
    checkpoints: Path | None = None,
    config: TeacherConfig | None = None,
    device: str = "cpu",
    workers: int = 0,
    progress: Progress = report_to_nobody,
) -> dict[str, Any]:
    """Train, write ``adapters.npz`` and ``training.json`` into ``output`` and return what the latter holds.

    ``checkpoints``, a folder, makes it resumable: the state is written there every hundred steps, and found again by the same
    configuration. ``device`` as torch names it; ``workers``: processes that read ahead, which a GPU needs.
    """
    config = config or TeacherConfig()
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.threads)
    model = read_packed_model(find_packed_file())
    examples, kept, tokenizer = read_all(data, model, progress)
    tasks = Tasks(examples, seed=config.seed)
    if tasks.draw(0, "themes", config.theme_texts) is None:
        raise InputError(f"{data} has no set with themes to train on: at least 60 rows, two themes that three rows share each")
    backbone = open_backbone(model, table_rows(model, kept))
    list(add_adapters(backbone, rank=config.rank, strength=config.strength, dropout=config.dropout))
    encoder = Encoder(backbone, sentiment_dimensions=config.sentiment_dimensions, dropout=config.dropout)
    teacher = Learner(encoder, Reader(config.sentiment_dimensions, tasks.sources)).to(device)
    read = (*encoder.sentiment.parameters(), *teacher.reader.parameters())
    adapters = [parameter for parameter in backbone.parameters() if parameter.requires_grad]
    loop = Loop("teacher", teacher, [(adapters, config.rate), (read, _READER_RATE * config.rate)], config=asdict(config))
    lessons = _Lessons(config, tasks, TokenReader(tokenizer, most_tokens=config.tokens))
    losses = _Losses(config, teacher)
    loop.run(lessons.of_step, losses.of_lessons, checkpoints=checkpoints, progress=progress, workers=workers)
    report = loop.write_report(output, examples, pieces=len(kept), device=device)
    np.savez_compressed(output / "adapters.npz", **_taught_arrays(teacher, config))
    return report


@dataclass(frozen=True, slots=True, eq=False)
class _Lesson:
    """A batch as it is read, and for one of memory as the untrained model wants it."""

    batch: Batch
    rows: list[list[int]]
    prefixed: list[list[int]]


class _Lessons:
    """What a step sees, read but not yet on any device."""

    def __init__(self, config: TeacherConfig, tasks: Tasks, reader: TokenReader) -> None:
        self._config = config
        self._tasks = tasks
        self._reader = reader

    def of_step(self, step: int) -> list[_Lesson]:
        """Return the lesson of each batch."""
        return [
            _Lesson(
                batch,
                self._reader.read(batch.texts),
                self._reader.read([_PREFIX + text for text in batch.texts]) if batch.kind == "memory" else [],
            )
            for batch in self._tasks.draw_step(step, choose_kinds(self._config, step))
        ]


class _Losses:
    """What is asked of the teacher."""

    def __init__(self, config: TeacherConfig, teacher: Learner) -> None:
        self._config = config
        self._teacher = teacher

    def of_lessons(self, lessons: Sequence[_Lesson]) -> Iterator[tuple[str, Tensor]]:
        """Yield the loss of each."""
        return losses_of(self._teacher, lessons, self._loss)

    def _loss(self, lesson: _Lesson) -> Tensor:
        config, batch = self._config, lesson.batch
        vectors, sentiments, _ = self._teacher.encode(lesson.rows)
        match batch.kind:
            case "sentiment" | "held back":
                return config.sentiment_weight * self._teacher.reader.loss(sentiments, batch)
            case "memory":
                self._teacher.eval()
                with torch.no_grad(), adapters_off():
                    untrained, _, _ = self._teacher.encode(lesson.prefixed)
                self._teacher.train()
                return config.memory_weight * relation(vectors, untrained, temperature=config.memory_temperature)
            case "themes":
                return supervised(vectors, batch, temperature=config.temperature)
            case "translation":
                return config.translation_weight * supervised(vectors, batch, temperature=config.temperature)


def load_teacher(path: Path, model: PackedModel, rows: Sequence[int]) -> Learner:
    """Return what ``adapters.npz`` taught, merged into the matrices of ``model`` over those ``rows`` of its words; nothing is trainable."""
    with np.load(path, allow_pickle=False) as arrays:
        taught = {name: torch.from_numpy(arrays[name].astype(np.float32)) for name in arrays.files}
    if "encoder.sentiment.weight" not in taught:
        raise WeightsError(f"{path} is of an earlier kind, without a reading of sentiment; run `feedback-miner train encoder`")
    backbone = open_backbone(model, rows)
    list(add_adapters(backbone, rank=int(taught.pop("rank")), strength=float(taught.pop("strength"))))
    leaning = taught["reader.leaning"]
    encoder = Encoder(backbone, sentiment_dimensions=len(taught["encoder.sentiment.weight"]))
    teacher = Learner(encoder, Reader(encoder.sentiment.out_features, [str(at) for at in range(len(leaning))]))
    unknown = teacher.load_state_dict(taught, strict=False).unexpected_keys
    if unknown:
        raise WeightsError(f"{path} has adapters for {unknown[0]}, which this model lacks")
    for layer in backbone.layers:
        for name, part in list(layer.named_children()):
            if isinstance(part, Adapter):
                setattr(layer, name, part.merged())
    teacher.requires_grad_(requires_grad=False).eval()
    return teacher


def _taught_arrays(teacher: Learner, config: TeacherConfig) -> Mapping[str, Any]:
    arrays = {name: p.detach().cpu().numpy().astype(np.float16) for name, p in teacher.named_parameters() if p.requires_grad}
    return {"rank": config.rank, "strength": config.strength, **arrays}
