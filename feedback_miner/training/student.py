"""``train student``: four layers of the teacher learn to answer as all twelve do, and what the teacher was taught besides.

In: the teacher's adapters, the labelled sets. Out: a folder the embedder ``feedback-small`` is served from (see `export`), and
``training.json``. At each step themes and one other batch: every vector is drawn to the teacher's of the same text, its neighbours to the
neighbours there, and what is known of the batch is asked as it was of the teacher. Some texts arrive disturbed; their vectors should not.

    feedback-miner train student --data ../shared/data --teacher models/teacher --output models/feedback-small
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
import torch
from torch import Tensor, nn

from feedback_miner.embedders.e5_weights import PackedModel
from feedback_miner.progress import Progress, report_to_nobody
from feedback_miner.training.backbone import Backbone, pad_tokens
from feedback_miner.training.disturb import Disturbance
from feedback_miner.training.examples import Example, read_examples
from feedback_miner.training.export import export_student
from feedback_miner.training.loop import Loop
from feedback_miner.training.losses import imitation, relation
from feedback_miner.training.sets import LEFT_OUT, load_sets
from feedback_miner.training.tasks import KINDS, Batch, Kind, Tasks
from feedback_miner.training.teacher import Reader, Texts, load_teacher, supervised
from feedback_miner.training.vocabulary import SMALL, build_tokenizer, choose_pieces, shipped_pieces

__all__ = ["StudentConfig", "WordTable", "train_student"]

_OTHERS: tuple[Kind, ...] = ("memory", "sentiment", "memory", "translation")
"""What comes beside themes, in turn."""


@dataclass(frozen=True, slots=True)
class StudentConfig:
    """How the student is trained; saved with it."""

    steps: int = 1_700
    layers: tuple[int, ...] = (0, 4, 8, 11)
    theme_texts: int = 64
    other_texts: int = 64
    tokens: int = 48
    rate: float = 4e-4
    warmup: float = 0.04
    imitation_weight: float = 4.0
    relation_weight: float = 2.0
    relation_temperature: float = 0.05
    supervised_weight: float = 0.3
    temperature: float = 0.05
    disturbed: float = 0.3
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


def train_student(
    data: Path,
    teacher: Path,
    *,
    output: Path,
    checkpoints: Path | None = None,
    config: StudentConfig | None = None,
    progress: Progress = report_to_nobody,
) -> dict[str, Any]:
    """Train on the texts of the training parts, write the served folder and ``training.json``, and return what the latter holds.

    ``teacher`` is the folder with ``adapters.npz``; ``checkpoints``, a folder, makes it resumable (the state is written every hundred
    steps).
    """
    config = config or StudentConfig()
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.threads)
    examples = read_examples(load_sets(data, without=LEFT_OUT), progress=progress)
    tasks = Tasks(examples, seed=config.seed)
    model, master = load_teacher(teacher / "adapters.npz")
    kept = choose_pieces(model, (example.text for example in examples), known=shipped_pieces())
    tokenizer = build_tokenizer(model, kept)
    student = shrink(master, config.layers, WordTable(master, model, kept))
    reader = Reader(model.hidden, tasks.sources)
    parts = nn.ModuleDict({"student": student, "reader": reader})
    trained = [parameter for parameter in student.parameters() if parameter.requires_grad]
    loop = Loop("student", parts, [(trained, config.rate), (list(reader.parameters()), 2.5 * config.rate)], config=asdict(config))
    losses = _Losses(
        config, tasks, Texts(model, master, config.tokens), _StudentTexts(tokenizer, student, config), reader, _disturbance(examples)
    )
    loop.run(losses.of_step, checkpoints=checkpoints, progress=progress)
    export_student(student, tokenizer, model, kept, output)
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


class _StudentTexts:
    """Texts in, the student's vectors out, over its own tokens."""

    def __init__(self, tokenizer: bytes, student: Backbone, config: StudentConfig) -> None:
        self._tokenizer = tokenizers.Tokenizer.from_buffer(tokenizer)
        self._tokenizer.enable_truncation(config.tokens)
        self._student = student

    def encode(self, texts: Sequence[str]) -> Tensor:
        ids, present = pad_tokens([encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))])
        with torch.autocast("cpu", torch.bfloat16):
            vectors: Tensor = self._student(ids, present)
        return vectors


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
        """Yield the loss of themes, then that of what comes beside them."""
        for batch in self._tasks.draw_step(step, _OTHERS, themes=self._config.theme_texts, others=self._config.other_texts):
            yield batch.kind, self._loss(batch, np.random.default_rng([self._config.seed, step, KINDS.index(batch.kind)]))

    def _loss(self, batch: Batch, draw: np.random.Generator) -> Tensor:
        config = self._config
        with torch.no_grad():
            reference = self._teacher.encode(batch.texts)
        texts = [
            self._disturbance.apply(text, language, draw) if draw.random() < config.disturbed else text
            for text, language in zip(batch.texts, batch.languages, strict=True)
        ]
        vectors = self._student.encode(texts)
        loss = config.imitation_weight * imitation(vectors, reference)
        loss = loss + config.relation_weight * relation(vectors, reference, temperature=config.relation_temperature)
        if batch.kind != "memory":
            loss = loss + config.supervised_weight * supervised(vectors, batch, self._reader, temperature=config.temperature)
        return loss


def _disturbance(examples: Sequence[Example]) -> Disturbance:
    """Foreign words are words of training texts in other languages (Chinese: the first two characters)."""
    words = {(example.text[:2] if example.language == "zh" else example.text.split()[0], example.language) for example in examples}
    return Disturbance(sorted(word for word in words if word[0].isalpha()))
