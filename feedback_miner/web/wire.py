"""The shapes of what goes in and out. ``…In`` is what a caller sends, ``…Out`` what is answered."""

from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from feedback_miner.store.outbox import Event, State

__all__ = [
    "AuditOut",
    "BatchOut",
    "ClassifyIn",
    "ClassifyOut",
    "CustomerOut",
    "DeliveryOut",
    "EditIn",
    "EditOut",
    "ForgottenOut",
    "Id",
    "In",
    "IssueOut",
    "ItemIn",
    "ItemsIn",
    "JobOut",
    "KeyIn",
    "KeyOut",
    "LineageOut",
    "LogOut",
    "Moment",
    "NewKeyOut",
    "NewWebhookOut",
    "OpinionOut",
    "Page",
    "PreviewOut",
    "Problem",
    "ProjectChange",
    "ProjectIn",
    "ProjectOut",
    "SplitByClustersIn",
    "SplitByQueryIn",
    "SplitPartOut",
    "SplitPreviewIn",
    "SplitPreviewOut",
    "Text",
    "WebhookChangeIn",
    "WebhookIn",
    "WebhookOut",
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


class In(BaseModel):
    """What a caller sends: nothing beside what is named, and no number that is none."""

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


class ProjectIn(In):
    """A new project."""

    name: Name
    encoder: Name | None = Field(None, description="One the server has; its default where left out.")
    taxonomy: Literal["default", "telecom", "ecommerce", "hospital"] = "default"


class ProjectChange(In):
    """What is to be different in a project; what is left out stays."""

    name: Name | None = None
    retention_days: Annotated[int, Field(ge=1, le=36_500)] | None = Field(
        None, description="Responses older than this many days are deleted; null: kept for ever."
    )


class ProjectOut(BaseModel):
    """A project."""

    id: str
    name: str
    created_at: Moment
    config: dict[str, Any]
    theme_set: int | None = Field(description="Number of the living theme set; null before the first wave is mined.")
    retention_days: int | None = Field(description="Responses older than this many days are deleted; null: kept for ever.")


class ItemIn(In):
    """One response."""

    text: str = Field(max_length=100_000)
    score: float | None = None
    created_at: str | None = Field(None, max_length=40)
    customer: str | None = Field(None, max_length=200)
    channel: str | None = Field(None, max_length=200)
    weight: float | None = Field(None, gt=0)


class ItemsIn(In):
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
    kind: Literal["batch", "count", "remine"] = Field(description="Mines a batch, codes and counts anew, or finds the themes anew.")
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


class LineageOut(BaseModel):
    """What became of a theme when a theme set was made: opinions in the old theme, in the new one, and in both."""

    at: Moment
    theme_set: int
    kind: Literal["continued", "merged", "split", "born", "retired"]
    old: str | None
    new: str | None
    shared: int
    old_opinions: int
    new_opinions: int


class OpinionOut(BaseModel):
    """An opinion in its document: ``document[span[0]:span[1]] == text``."""

    id: str
    text: str
    span: tuple[int, int]
    document: str
    language: str
    score: float | None
    created_at: str | None = Field(description="As uploaded: ISO 8601, of no known zone.")
    channel: str | None
    attributes: dict[str, Any]
    sentiment: dict[str, Any]
    type: str
    theme: str | None
    strength: float | None
    residual: str | None
    nearest: list[dict[str, Any]]
    causes: list[dict[str, Any]]
    similarity: float | None = Field(None, description="Cosine with the phrase, where opinions are asked for by meaning.")


class CustomerOut(BaseModel):
    """A customer to call back, and what they said of what was asked for. Score, date and channel are of their latest response."""

    customer: str = Field(description="Their key as it stands in the uploaded files.")
    score: float | None
    created_at: str | None = Field(description="As uploaded: ISO 8601, of no known zone.")
    channel: str | None
    opinions: list[dict[str, str]] = Field(description="Each with its id and text.")


class EditIn(In):
    """An analyst's change."""

    kind: str = Field(max_length=24)
    values: dict[str, Any]


class SplitByClustersIn(In):
    """Parts that lie apart."""

    by: Literal["clusters"]
    parts: int = Field(2, ge=2, le=6)


class SplitByQueryIn(In):
    """Two parts: what the query is about, and the rest. Either words that an opinion contains, or a phrase near to it in meaning."""

    by: Literal["query"]
    words: Text = Field("", max_length=100)
    meaning: Text = Field("", max_length=300)

    @model_validator(mode="after")
    def _asks_for_one(self) -> Self:
        if bool(self.words.strip()) == bool(self.meaning.strip()):
            raise ValueError("give either words or meaning")
        return self


SplitPreviewIn = Annotated[SplitByClustersIn | SplitByQueryIn, Field(discriminator="by")]


class SplitPartOut(BaseModel):
    """A part of a theme."""

    opinions: int = Field(description="How many of those that were compared a split by these examples gives to the part.")
    examples: list[str] = Field(description="Ids of opinions; the lists of all parts are the `examples` of a `split`.")
    texts: list[str] = Field(description="What the examples say.")


class SplitPreviewOut(BaseModel):
    """What a theme might be split into."""

    theme: str
    opinions: int
    compared: int = Field(description="Of a large theme, not all opinions are compared.")
    parts: list[SplitPartOut]


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


class ClassifyIn(In):
    """Texts to classify."""

    texts: list[Text] = Field(min_length=1)
    project: Id | None = Field(None, description="Code with this project's themes; without, no themes are assigned.")
    language: Literal["en", "zh"] = Field("en", description="Of the labels.")


class ClassifyOut(BaseModel):
    """Readings, in the order of the texts."""

    results: list[dict[str, Any]]


class KeyIn(In):
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


class WebhookIn(In):
    """A new webhook."""

    url: Text = Field(max_length=2_000, description="Begins with https://; at no private address unless the operator allows those.")
    events: list[Event] = Field(min_length=1, max_length=8)


class WebhookChangeIn(In):
    """What is to change of a webhook; what is left out stays."""

    url: Text | None = Field(None, max_length=2_000)
    events: list[Event] | None = Field(None, min_length=1, max_length=8)


class WebhookOut(BaseModel):
    """A webhook, without its secret."""

    id: str
    project: str
    url: str
    events: list[str]
    switched_off: bool = Field(description="Its receiver answered 410: it is told nothing until its events are named again.")
    created_at: Moment


class NewWebhookOut(WebhookOut):
    """A webhook with its secret, shown this once."""

    secret: str


class DeliveryOut(BaseModel):
    """An event on its way to a webhook, and what came of the latest attempt."""

    id: int
    event: str
    event_id: str = Field(description="Sent as Webhook-Id: the same at every attempt.")
    body: dict[str, Any]
    state: State
    attempts: int
    status: int | None = Field(description="HTTP status of the answer; null where none came.")
    reason: str | None = Field(description="Why it did not arrive.")
    created_at: Moment
    next_at: Moment | None = Field(description="When it is tried next.")
    delivered_at: Moment | None


class AuditOut(BaseModel):
    """An entry of the audit."""

    id: int
    at: Moment
    actor: str
    action: str
    project: str | None
    subject: str | None


class ForgottenOut(BaseModel):
    """What was deleted: of a customer, or of what was too old."""

    responses: int
    job: str | None = Field(description="The job that counts the rest anew.")
