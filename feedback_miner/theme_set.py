"""Theme sets on disk: ``theme_set.json`` beside ``theme_set.npz`` (arrays, never pickle); written and read back bit for bit."""

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from feedback_miner.domain import Theme, ThemeSet
from feedback_miner.errors import ThemeSetError

__all__ = ["load_theme_set", "read_theme_set", "theme_set_files", "theme_set_version"]

_FORMAT = "feedback-miner/theme-set/1"
_ARRAYS = ("prototypes", "thresholds", "projection", "cause_weights", "cause_priors")
_THEMES = TypeAdapter(tuple[Theme, ...])


def theme_set_files(theme_set: ThemeSet) -> Mapping[str, bytes]:
    """Return file name -> content of a theme set."""
    arrays = {name: getattr(theme_set, name) for name in _ARRAYS}
    arrays |= {f"mean_{language}": mean for language, mean in theme_set.language_means.items()}
    return {"theme_set.json": _canonical(_described(theme_set) | {"version": theme_set.version}), "theme_set.npz": _pack(arrays)}


def theme_set_version(theme_set: ThemeSet) -> str:
    """Hash everything a theme set codes with (its ``version`` aside). Arrays count rounded to 1e-4: the same on every machine."""
    digest = hashlib.sha256(_canonical(_described(theme_set)))
    for array in (
        *(getattr(theme_set, name) for name in _ARRAYS),
        *(theme_set.language_means[key] for key in sorted(theme_set.language_means)),
    ):
        digest.update(np.round(array.astype(np.float64), 4).astype("<f4").tobytes())
    return digest.hexdigest()[:12]


def load_theme_set(directory: Path) -> ThemeSet:
    """Load the theme set saved in a directory.

    Raises ThemeSetError where a file is missing, damaged, or of another format than this version reads.
    """
    files = {}
    for name in ("theme_set.json", "theme_set.npz"):
        try:
            files[name] = (directory / name).read_bytes()
        except FileNotFoundError:
            raise ThemeSetError(f"no {name} in {directory}; give the folder that `feedback-miner analyze -o` wrote") from None
        except OSError as error:
            raise ThemeSetError(f"{directory / name} cannot be read: {error.strerror}") from error
    return read_theme_set(files, place=str(directory))


def read_theme_set(files: Mapping[str, bytes], *, place: str) -> ThemeSet:
    """Read what ``theme_set_files`` wrote; ``place`` says in errors where it lay. Raises ThemeSetError as ``load_theme_set`` does."""
    try:
        values = json.loads(files["theme_set.json"])
        if values.get("format") != _FORMAT:
            raise ThemeSetError(
                f"the theme set in {place} has format {values.get('format')!r}; this version reads {_FORMAT}: mine the file again"
            )
        with np.load(io.BytesIO(files["theme_set.npz"]), allow_pickle=False) as arrays:
            theme_set = ThemeSet(
                version=values["version"],
                themes=_THEMES.validate_python(values["themes"]),
                encoder=values["encoder"],
                encoder_version=values["encoder_version"],
                heads_version=values["heads_version"],
                prototype_themes=tuple(values["prototype_themes"]),
                masks=tuple(values["masks"]),
                taxonomy=values["taxonomy"],
                cause_ids=tuple(values["cause_ids"]),
                cause_threshold=values["cause_threshold"],
                wave_starts=tuple(values.get("wave_starts", ())),
                learned=int(values.get("learned", 0)),
                language_means={key.removeprefix("mean_"): arrays[key] for key in arrays.files if key.startswith("mean_")},
                **{name: arrays[name] for name in _ARRAYS},
            )
    except (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise ThemeSetError(f"the theme set in {place} is damaged ({type(error).__name__}); mine the file again") from error
    if theme_set_version(theme_set) != theme_set.version:
        raise ThemeSetError(
            f"the theme set in {place} is not what was saved (its hash differs from {theme_set.version}); mine the file again"
        )
    return theme_set


def _described(theme_set: ThemeSet) -> dict[str, object]:
    described: dict[str, object] = {
        "format": _FORMAT,
        "themes": _THEMES.dump_python(theme_set.themes, mode="json"),
        "encoder": theme_set.encoder,
        "encoder_version": theme_set.encoder_version,
        "heads_version": theme_set.heads_version,
        "prototype_themes": list(theme_set.prototype_themes),
        "masks": list(theme_set.masks),
        "taxonomy": theme_set.taxonomy,
        "cause_ids": list(theme_set.cause_ids),
        "cause_threshold": theme_set.cause_threshold,
    }
    # Of one wave, and of nothing learned, there is nothing to say: sets saved before there was either keep their version.
    later: dict[str, object] = {"wave_starts": list(theme_set.wave_starts), "learned": theme_set.learned}
    return described | {name: value for name, value in later.items() if value}


def _canonical(values: Mapping[str, object]) -> bytes:
    return json.dumps(values, ensure_ascii=False, sort_keys=True, indent=1).encode()


def _pack(arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    """Write an npz with fixed dates, so that equal arrays give equal bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(arrays):
            content = io.BytesIO()
            np.save(content, arrays[name], allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), content.getvalue())
    return packed.getvalue()
