"""multilingual-e5-small, opened for training: token ids in, unit vectors out, with the gradients that serving has no use for.

Layers are named and shaped as `feedback_miner.embedders.e5_weights` finds them in the packed file, so that what is trained here is served
by the graph of `e5_graph` without another word. Adapters (low-rank updates beside frozen matrices, Hu et al. 2021,
https://arxiv.org/abs/2106.09685) train a third faster than the matrices themselves, forget less, and make a trained encoder 3 MB instead
of 42.

Imports torch: the [train] extra.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from feedback_miner.embedders.e5_weights import PackedModel, expand_blocks, float_weights

__all__ = [
    "Adapter",
    "Backbone",
    "Encoder",
    "Layer",
    "Tokens",
    "adapters_off",
    "add_adapters",
    "attend",
    "first_of_tokens",
    "layer_weights",
    "mean_of_tokens",
    "open_backbone",
    "pad_tokens",
    "parameter_name",
    "reads_halves",
]


_ROWS = 256
_COLUMNS = 8
"""Matrices are padded to multiples of these: for every new shape oneDNN compiles a kernel, which takes a fifth of the time if let."""
_NEVER = -1e9
"""Nearness of what is not there. Not minus infinity: a row of nothing else has a softmax all the same."""


class Tokens(NamedTuple):
    """Some texts as a model reads them, see `pad_tokens`."""

    ids: Tensor
    """(texts, longest or a little more)"""
    present: Tensor
    """Of the same shape: where there is a token."""
    places: Tensor
    """(tokens of all texts,): each token's place among all cells. Matrices see tokens only, attention sees the table."""

    def to(self, device: torch.device) -> "Tokens":
        """Return the same on a device."""
        return Tokens(*(part.to(device, non_blocking=True) for part in self))


class Layer(nn.Module):
    """One transformer layer, normalised after each of its two halves (as BERT)."""

    def __init__(self, hidden: int, heads: int, feed_forward: int, epsilon: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = nn.Dropout(0.0)
        self.qkv: nn.Module = nn.Linear(hidden, 3 * hidden)
        self.attention_out: nn.Module = nn.Linear(hidden, hidden)
        self.attention_norm = nn.LayerNorm(hidden, eps=epsilon)
        self.up: nn.Module = nn.Linear(hidden, feed_forward)
        self.down: nn.Module = nn.Linear(feed_forward, hidden)
        self.norm = nn.LayerNorm(hidden, eps=epsilon)

    def forward(self, states: Tensor, present: Tensor, places: Tensor) -> Tensor:
        """``states`` (rows, hidden): the tokens of all texts, then padding; ``present`` and ``places`` as `Tokens` has them."""
        hidden, padding = states.shape[1], len(states) - len(places)
        packed = self.qkv(states)
        padded = packed.new_zeros(present.numel(), 3 * hidden).index_copy(0, places, packed[: len(places)])
        query, key, value = padded.view(*present.shape, 3, self.heads, hidden // self.heads).permute(2, 0, 3, 1, 4)
        seen = attend(query, key, value, present, fused=states.is_cuda)
        seen = seen.transpose(1, 2).reshape(-1, hidden).index_select(0, places)
        seen = functional.pad(seen, (0, 0, 0, padding))
        states = self.attention_norm(states + self.dropout(self.attention_out(seen)))
        normed: Tensor = self.norm(states + self.dropout(self.down(functional.gelu(self.up(states)))))
        return normed


def attend(query: Tensor, key: Tensor, value: Tensor, present: Tensor, *, fused: bool) -> Tensor:
    """Return what each token sees of the tokens that are ``present`` (texts, tokens); all others (texts, heads, tokens, width).

    ``fused``: by torch's own kernel, whose gradient takes four times as long on a CPU at these sizes, and a fraction on a GPU.
    """
    absent = torch.where(present, 0.0, _NEVER)[:, None, None, :].to(query.dtype)
    if fused:
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=absent)
    nearness = (query / math.sqrt(query.shape[-1])) @ key.transpose(-1, -2)
    return (nearness + absent).softmax(dim=-1).to(value.dtype) @ value


class Backbone(nn.Module):
    """Word, position and type embeddings (one table each, types folded into positions), layers, the mean over tokens."""

    def __init__(self, *, vocabulary: int, positions: int, hidden: int, layers: int, heads: int, feed_forward: int, epsilon: float) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, hidden)
        self.positions = nn.Parameter(torch.zeros(positions, hidden))
        self.embedding_norm = nn.LayerNorm(hidden, eps=epsilon)
        self.layers = nn.ModuleList(Layer(hidden, heads, feed_forward, epsilon) for _ in range(layers))

    def forward(self, tokens: Tokens) -> Tensor:
        """Return unit rows (texts, hidden)."""
        return mean_of_tokens(self.states(tokens), tokens.present)

    def states(self, tokens: Tokens) -> Tensor:
        """Return what the last layer says of each token (tokens of all texts, hidden), no padding among them."""
        ids, present, places = tokens
        states = self.embedding_norm(self.words(ids.flatten()[places]) + self.positions[places % ids.shape[1]])
        states = functional.pad(states, (0, 0, 0, -len(states) % _ROWS))
        for layer in self.layers:
            states = layer(states, present, places)
        return states[: len(places)]


class Encoder(nn.Module):
    """Tokens in, two unit rows for each text out: what it is about, how it feels about it."""

    def __init__(self, backbone: Backbone, *, sentiment_dimensions: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.backbone = backbone
        self.sentiment = nn.Linear(backbone.positions.shape[1], sentiment_dimensions)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tokens) -> tuple[Tensor, Tensor, Tensor]:
        """Return (texts, hidden), (texts, sentiment dimensions) and, of each token, (tokens of all texts, hidden)."""
        states = self.backbone.states(tokens)
        sentiments = self.sentiment(self.dropout(first_of_tokens(states, tokens.present)))
        return mean_of_tokens(states, tokens.present), functional.normalize(sentiments.float(), dim=1), states


def mean_of_tokens(states: Tensor, present: Tensor) -> Tensor:
    """Return unit rows (texts, hidden): the direction of the mean over a text's tokens."""
    lengths = present.sum(dim=1)
    owners = torch.arange(len(present), device=states.device).repeat_interleave(lengths, output_size=len(states))
    sums = torch.zeros(len(present), states.shape[1], device=states.device).index_add(0, owners, states.float())
    return functional.normalize(sums / lengths[:, None], dim=1)


def first_of_tokens(states: Tensor, present: Tensor) -> Tensor:
    """Return rows (texts, hidden): what the last layer says of each text's begin marker."""
    ends = present.sum(dim=1).cumsum(dim=0)
    return states[functional.pad(ends[:-1], (1, 0))].float()


class Adapter(nn.Module):
    """A frozen linear map with a trainable update of low rank beside it; the update starts at zero."""

    on = True
    """Whether updates count, in every adapter at once: without them the model is its untrained self."""

    def __init__(self, linear: nn.Linear, *, rank: int, strength: float) -> None:
        super().__init__()
        self.linear = linear
        self.narrow = nn.Parameter(torch.empty(rank, linear.in_features))
        self.widen = nn.Parameter(torch.zeros(linear.out_features, rank))
        self.scale = strength / rank
        nn.init.kaiming_uniform_(self.narrow, a=math.sqrt(5))

    def forward(self, states: Tensor) -> Tensor:
        """Add the update to the frozen product."""
        product: Tensor = self.linear(states)
        if not Adapter.on:
            return product
        return product + functional.linear(functional.linear(states, self.narrow), self.widen) * self.scale

    def merged(self) -> nn.Linear:
        """Return one linear map that does the same."""
        with torch.no_grad():
            self.linear.weight += self.widen @ self.narrow * self.scale
        return self.linear


class adapters_off:  # noqa: N801  (a context manager, used as one)
    """Within it, every adapted model answers as before training. Not for several threads at once."""

    def __enter__(self) -> None:
        Adapter.on = False

    def __exit__(self, *error: object) -> None:
        Adapter.on = True


def open_backbone(model: PackedModel, rows: Sequence[int] | None = None) -> Backbone:
    """Expand the packed weights into a model whose parameters are all frozen.

    ``rows``: of which of the model's pieces its tokens are; without it, of all (0.5 GB, nearly all of it vocabulary).
    """
    rows = range(len(model.pieces)) if rows is None else rows
    place = model.floats("emb.pos").reshape(-1, model.hidden) + model.floats("emb.type")[: model.hidden]
    backbone = Backbone(
        vocabulary=len(rows),
        positions=len(place),
        hidden=model.hidden,
        layers=model.layers,
        heads=model.heads,
        feed_forward=model.feed_forward,
        epsilon=model.epsilon,
    )
    words = expand_blocks(model.blocks("emb.word", columns=model.hidden)[np.asarray(rows)])
    state = {"positions": place, "words.weight": words}
    state |= {parameter_name(name): array for name, array in float_weights(model).items()}
    backbone.load_state_dict({name: torch.from_numpy(np.array(values, np.float32)) for name, values in state.items()})
    backbone.requires_grad_(requires_grad=False)
    return backbone


def parameter_name(name: str) -> str:
    """Return what an array of the graph (``float_weights``) is called here."""
    return f"layers.{name}" if name[0].isdigit() else name.replace("embeddings.", "embedding_")


def layer_weights(backbone: Backbone) -> dict[str, NDArray[np.float32]]:
    """Return every array of the layers by its name in the graph, as ``float_weights`` does of the packed file."""
    state = {name: value.detach().cpu().numpy() for name, value in backbone.state_dict().items()}
    names = [name.removeprefix("layers.").replace("embedding_", "embeddings.") for name in state]
    return {name: array for name, array in zip(names, state.values(), strict=True) if name[0].isdigit() or name.startswith("embeddings.")}


def add_adapters(backbone: Backbone, *, rank: int, strength: float, dropout: float = 0.0) -> Iterator[nn.Parameter]:
    """Put an adapter around each matrix of each layer; return what is trainable now. ``dropout`` is each layer's, in training only."""
    for layer in backbone.layers:
        layer.dropout = nn.Dropout(dropout)
        for name in ("qkv", "attention_out", "up", "down"):
            setattr(layer, name, Adapter(getattr(layer, name), rank=rank, strength=strength))
    return (parameter for parameter in backbone.parameters() if parameter.requires_grad)


def pad_tokens(rows: Sequence[Sequence[int]]) -> Tokens:
    """Return texts' tokens as a table."""
    lengths = np.array([len(row) for row in rows])
    longest = int(lengths.max())
    present = np.arange(longest + -longest % _COLUMNS) < lengths[:, None]
    places = np.flatnonzero(present)
    ids = np.zeros(present.shape, np.int64)
    ids.flat[places] = np.fromiter(chain.from_iterable(rows), np.int64, len(places))
    return Tokens(*(torch.from_numpy(part) for part in (ids, present, places)))


def reads_halves(device: torch.device) -> bool:
    """Return whether bfloat16 is faster there: a processor without instructions for it imitates them, five to fifteen times slower."""
    instructions = torch.cpu.get_capabilities()
    return device.type != "cpu" or any(instructions.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
