"""The exception tree: what can go wrong, in the words of whoever has to mend it. Knows nothing of HTTP or exit codes.

    FeedbackMinerError
    ├── InputError            the file, the texts or the options; the message names the value and the way out
    │   ├── FileFormatError   the file cannot be read as what it claims to be
    │   └── ColumnError       a column is missing, ambiguous or of the wrong kind
    ├── TaxonomyError         a taxonomy pack does not hold together
    ├── WeightsError          weights are missing, corrupt or not the ones in the manifest
    ├── ThemeSetError         a saved analysis or theme set cannot be read or does not fit this version
    ├── OutputError           results could not be written (disk full, no permission); nothing half-written is left
    ├── StoreError            the database cannot be used as it is
    ├── NotFoundError         there is no such project, batch, job, theme or key
    ├── ConflictError         it was changed meanwhile, or is not in a state for this
    └── MissingExtraError     an optional part is not installed; the message says which extra brings it

The web turns these into problem documents and jobs turn them into reasons; the command line turns every one into exit code 1 and its
message; a wrong option is exit code 2.
"""

__all__ = [
    "ColumnError",
    "ConflictError",
    "FeedbackMinerError",
    "FileFormatError",
    "InputError",
    "MissingExtraError",
    "NotFoundError",
    "OutputError",
    "StoreError",
    "TaxonomyError",
    "ThemeSetError",
    "WeightsError",
]


class FeedbackMinerError(Exception):
    """Anything this package raises on purpose."""


class InputError(FeedbackMinerError):
    """What was handed in cannot be used as it is."""


class FileFormatError(InputError):
    """The file cannot be read as what it claims to be."""


class ColumnError(InputError):
    """A column is missing, ambiguous or of the wrong kind."""


class TaxonomyError(FeedbackMinerError):
    """A taxonomy pack does not hold together."""


class WeightsError(FeedbackMinerError):
    """Weights are missing, corrupt or not the ones in the manifest."""


class ThemeSetError(FeedbackMinerError):
    """A saved analysis or theme set cannot be read, or does not fit this version."""


class OutputError(FeedbackMinerError):
    """Results could not be written; nothing half-written is left behind."""


class MissingExtraError(FeedbackMinerError):
    """An optional part is not installed."""


class StoreError(FeedbackMinerError):
    """The database cannot be used as it is."""


class NotFoundError(FeedbackMinerError):
    """There is no such thing."""


class ConflictError(FeedbackMinerError):
    """It was changed meanwhile, or is not in a state for this."""
