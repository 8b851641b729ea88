"""The loop: what was killed and resumed ends where what ran through ends, and a checkpoint of another run is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the [train] extra is not installed")

from feedback_miner.errors import InputError  # noqa: E402
from feedback_miner.training.loop import Loop  # noqa: E402

CONFIG = {"steps": 250, "warmup": 0.1, "rate": 0.05}


class Killed(Exception):
    """Where the machine went down."""


def train(folder: Path | None, *, kill_at: int | None = None, config: dict = CONFIG, workers: int = 0) -> tuple[list[float], Loop]:
    torch.manual_seed(5)
    part = torch.nn.Linear(3, 1)
    loop = Loop("line", torch.nn.ModuleDict({"part": part}), [(list(part.parameters()), config["rate"])], config=config)

    def losses(step: int) -> Iterator[tuple[str, torch.Tensor]]:
        inputs = torch.randn(16, 3, generator=torch.Generator().manual_seed(step))
        yield "fit", ((part(inputs)[:, 0] - inputs @ torch.tensor([1.0, -2.0, 0.5])) ** 2).mean()
        yield "small", 0.001 * (part.weight**2).sum()
        yield "watched", part.weight.detach().sum()

    def progress(stage: str, done: int, total: int | None) -> None:
        if done == kill_at:
            raise Killed

    try:
        loop.run(abs, losses, checkpoints=folder, progress=progress, workers=workers)
    except Killed:
        assert kill_at is not None
    return part.weight.detach().flatten().tolist(), loop


def test_learns() -> None:
    weights, loop = train(None)
    assert weights == pytest.approx([1.0, -2.0, 0.5], abs=0.05)
    assert len(loop.curve["fit"]) == 2
    assert loop.curve["fit"][1] < loop.curve["fit"][0]


def test_what_is_read_ahead_comes_in_its_order(tmp_path: Path) -> None:
    through, _ = train(None)
    train(tmp_path, kill_at=130, workers=2)
    resumed, loop = train(tmp_path, workers=2)
    assert resumed == through
    assert loop.curve.keys() == {"fit", "small", "watched"}


@pytest.mark.parametrize("kill_at", [40, 100, 130, 249])
def test_goes_on_as_if_nothing_had_happened(tmp_path: Path, kill_at: int) -> None:
    through, undisturbed = train(None)
    train(tmp_path, kill_at=kill_at)
    resumed, loop = train(tmp_path)
    assert resumed == through
    assert loop.curve == undisturbed.curve


def test_refuses_a_checkpoint_of_another_configuration(tmp_path: Path) -> None:
    train(tmp_path, kill_at=120)
    with pytest.raises(InputError, match="another configuration"):
        train(tmp_path, config={**CONFIG, "rate": 0.01})
