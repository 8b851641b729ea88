"""The loop that both encoders are trained in: gradients of a few losses, one move, a checkpoint now and then.

Steps are numbered and everything a step sees depends on its number, so what was interrupted and resumed is what ran through.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from feedback_miner.errors import InputError
from feedback_miner.progress import Progress
from feedback_miner.training.examples import Example
from feedback_miner.training.sets import LEFT_OUT

__all__ = ["Loop"]

T = TypeVar("T")

_EVERY = 100
"""Steps between checkpoints, and between points of the curve."""
_LARGEST_GRADIENT = 1.0
_DECAY = 0.01
_LAST_RATE = 0.02


class Loop:
    """AdamW under a rate that rises over the first steps and falls to almost nothing over the others."""

    def __init__(
        self, name: str, parts: nn.Module, rates: Sequence[tuple[Sequence[nn.Parameter], float]], *, config: Mapping[str, Any]
    ) -> None:
        """``config`` holds ``steps`` and ``warmup`` (a share of them); a checkpoint is only ever resumed under an equal one."""
        self._name = name
        self._parts = parts
        self._config = dict(config)
        self._parameters = [parameter for parameters, _ in rates for parameter in parameters]
        self._optimizer = torch.optim.AdamW([{"params": list(some), "lr": rate} for some, rate in rates], weight_decay=_DECAY)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimizer, self._share_of_rate)
        self.curve: dict[str, list[float]] = {}
        """Loss by name, the mean of every hundred steps."""

    def run(
        self,
        prepare: Callable[[int], T],
        losses: Callable[[T], Iterator[tuple[str, Tensor]]],
        *,
        checkpoints: Path | None,
        progress: Progress,
        workers: int = 0,
    ) -> None:
        """Take every step that is left.

        ``prepare`` draws what a step sees, in ``workers`` processes that run ahead (0: here, when it is due; they must not touch a GPU).
        ``losses`` yields those of the step, each of which may be forgotten before the next is computed; one without gradient is only
        watched.
        """
        recent: dict[str, list[Tensor]] = {}
        first = self._resume(checkpoints)
        for step, prepared in enumerate(_ahead(prepare, range(first, self._config["steps"]), workers), first):
            for name, loss in losses(prepared):
                if loss.requires_grad:
                    loss.backward()
                recent.setdefault(name, []).append(loss.detach())
            nn.utils.clip_grad_norm_(self._parameters, _LARGEST_GRADIENT)
            self._optimizer.step()
            self._optimizer.zero_grad(set_to_none=True)
            self._schedule.step()
            progress("train", step + 1, self._config["steps"])
            if (step + 1) % _EVERY == 0:
                for name in sorted(recent):
                    self.curve.setdefault(name, []).append(round(float(torch.stack(recent[name]).mean()), 4))
                recent = {}
                if checkpoints is not None:
                    self._save(checkpoints, step + 1)

    def write_report(self, output: Path, examples: Sequence[Example], **more: Any) -> dict[str, Any]:
        """Write into ``training.json`` how this was trained, on what, and how the losses fell; return the same."""
        report = {
            "config": self._config,
            "examples": len(examples),
            "left_out": sorted(LEFT_OUT),
            "losses": self.curve,
            "sets": sorted({example.source for example in examples}),
            **more,
        }
        output.mkdir(parents=True, exist_ok=True)
        (output / "training.json").write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        return report

    def _share_of_rate(self, step: int) -> float:
        done, warmup = step / self._config["steps"], self._config["warmup"]
        return float(min(1.0, (done + 1e-3) / warmup, max(_LAST_RATE, (1.0 - done) / (1.0 - warmup))))

    def _save(self, folder: Path, step: int) -> None:
        """Write the state, whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        trained = {name for name, parameter in self._parts.named_parameters() if parameter.requires_grad}
        state = {
            "config": self._config,
            "step": step,
            "trained": {name: value for name, value in self._parts.state_dict().items() if name in trained},
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "curve": self.curve,
        }
        part = folder / f"{self._name}.part"
        torch.save(state, part)
        part.replace(folder / f"{self._name}.pt")

    def _resume(self, folder: Path | None) -> int:
        """Load a checkpoint, if there is one; return the step to go on with."""
        path = None if folder is None else folder / f"{self._name}.pt"
        if path is None or not path.is_file():
            return 0
        state = torch.load(path, weights_only=True, map_location=self._parameters[0].device)
        if state["config"] != self._config:
            raise InputError(f"{path} is of another configuration ({state['config']}); give another folder for checkpoints, or remove it")
        self._parts.load_state_dict(state["trained"], strict=False)
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        self.curve = state["curve"]
        return int(state["step"])


class _Prepared(Dataset[T]):
    """What steps see, by their number."""

    def __init__(self, prepare: Callable[[int], T]) -> None:
        self._prepare = prepare

    def __getitem__(self, step: int) -> T:
        return self._prepare(step)


def _ahead(prepare: Callable[[int], T], steps: range, workers: int) -> Iterable[T]:
    if not workers:
        return map(prepare, steps)
    ahead: Iterable[T] = DataLoader(
        _Prepared(prepare),
        batch_size=None,
        sampler=steps,
        num_workers=workers,
        prefetch_factor=4,
        collate_fn=_as_it_is,
        multiprocessing_context="fork",
    )
    return ahead


def _as_it_is(prepared: T) -> T:
    return prepared
