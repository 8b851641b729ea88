"""The shapes of what goes in and out. ``…In`` is what a caller sends, ``…Out`` what is answered."""

from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

__all__ = [
    "AuditOut",
    "BatchOut",
    "ClassifyIn",
    "ClassifyOut",
    "EditIn",
    "EditOut",
    "ForgottenOut",
    "IssueOut",
    "ItemIn",
    "ItemsIn",
    "JobOut",
    "KeyIn",
    "KeyOut",
    "LogOut",
    "NewKeyOut",
    "OpinionOut",
    "Page",
    "PreviewOut",
    "Problem",
    "ProjectIn",
    "ProjectOut",
]


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("half a surrogate pair is no text") from None
    return text


T = TypeVar("T")
Moment = Annotated[datetime, AfterValidator(lambda moment: moment.replace(tzinfo=UTC))]
"""Stored without a zone, shown with it."""
Text = Annotated[str, AfterValidator(_encodable)]
Name = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f]+$")]
Id = Annotated[str, Field(max_length=32, pattern=r"^\w+$")]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] | None = None


class Page(BaseModel, Generic[T]):
    """Some of a list. ``next`` is the cursor of the following page; ``null`` on the last."""

    items: list[T]
    next: str | None


class ProjectIn(_In):
    """A new project."""

    name: Name
    encoder: Name | None = Field(None, description="One the server has; its default where left out.")
    taxonomy: Literal["default", "telecom", "ecommerce", "hospital"] = "default"


class ProjectOut(BaseModel):
    """A project."""

    id: str
    name: str
    created_at: Moment
    config: dict[str, Any]
    theme_set: int | None = Field(description="Number of the living theme set; null before the first wave is mined.")


class ItemIn(_In):
    """One response."""

    text: str = Field(max_length=100_000)
    score: float | None = None
    created_at: str | None = Field(None, max_length=40)
    customer: str | None = Field(None, max_length=200)
    channel: str | None = Field(None, max_length=200)
    weight: float | None = Field(None, gt=0)


class ItemsIn(_In):
    """A batch as JSON."""

    items: list[ItemIn] = Field(min_length=1, max_length=50_000)
    score_kind: Literal["nps", "csat", "ces", "stars"] | None = None


class BatchOut(BaseModel):
    """A batch, and the job that mines it."""

    id: str
    project: str
    number: int
    created_at: Moment
    source: str
    sha256: str
    rows: int
    rejected: int
    columns: dict[str, Any] | None
    job: str | None
    duplicate: bool = Field(False, description="This very content was uploaded before; nothing was changed.")


class IssueOut(BaseModel):
    """What was wrong with a row; it counts in its file, header included."""

    row: int
    column: str | None
    reason: str
    kept: bool = Field(description="The row was kept without this value.")


class PreviewOut(BaseModel):
    """How a file would be read."""

    columns: dict[str, Any]
    rows: list[dict[str, Any]] = Field(description="The first rows, redacted.")


class JobOut(BaseModel):
    """A job."""

    id: str
    project: str
    batch: str | None
    state: Literal["queued", "running", "cancelling", "succeeded", "failed", "cancelled"]
    stage: str
    done: int
    total: int | None
    percent: float
    seconds_left: float | None
    reason: str | None
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None


class OpinionOut(BaseModel):
    """An opinion in its document: ``document[span[0]:span[1]] == text``."""

    id: str
    text: str
    span: tuple[int, int]
    document: str
    language: str
    score: float | None
    created_at: str | None = Field(description="As uploaded: ISO 8601, of no known zone.")
    sentiment: dict[str, Any]
    type: str
    theme: str | None
    strength: float | None
    residual: str | None
    nearest: list[dict[str, Any]]
    causes: list[dict[str, Any]]


class EditIn(_In):
    """An analyst's change."""

    kind: str = Field(max_length=24)
    values: dict[str, Any]


class EditOut(BaseModel):
    """An entry of the log of edits."""

    number: int
    kind: str
    values: dict[str, Any]
    author: str
    created_at: Moment
    job: str | None = Field(description="The job that codes and counts anew; null where the log is read.")


class LogOut(BaseModel):
    """The log of edits, oldest first, and those that hold no more because what they name is gone."""

    items: list[EditOut]
    conflicts: list[dict[str, Any]]
    next: str | None


class ClassifyIn(_In):
    """Texts to classify."""

    texts: list[Text] = Field(min_length=1)
    project: Id | None = Field(None, description="Code with this project's themes; without, no themes are assigned.")
    language: Literal["en", "zh"] = Field("en", description="Of the labels.")


class ClassifyOut(BaseModel):
    """Readings, in the order of the texts."""

    results: list[dict[str, Any]]


class KeyIn(_In):
    """A new key."""

    name: Name
    scopes: list[str] = Field(min_length=1, max_length=8)
    project: Id | None = None
    expires_at: datetime | None = None


class KeyOut(BaseModel):
    """A key, without itself."""

    id: str
    name: str
    scopes: list[str]
    project: str | None
    created_at: Moment
    expires_at: Moment | None
    last_used_at: Moment | None


class NewKeyOut(KeyOut):
    """A key, shown this once."""

    key: str


class AuditOut(BaseModel):
    """An entry of the audit."""

    id: int
    at: Moment
    actor: str
    action: str
    project: str | None
    subject: str | None


class ForgottenOut(BaseModel):
    """What was deleted of a customer."""

    responses: int
    job: str | None = Field(description="The job that counts the rest anew.")
