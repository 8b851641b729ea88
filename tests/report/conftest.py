"""A small world with known themes: responses of an imaginary gadget shop, in Chinese and English, written for these tests."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from feedback_miner.domain import (
    Aspect,
    CauseScore,
    Coding,
    ColumnMapping,
    ContentStatus,
    Counts,
    Document,
    Exemplar,
    FeedbackType,
    Findings,
    ItemRecord,
    Opinion,
    Polarity,
    ResidualReason,
    RowIssue,
    Run,
    ScoreKind,
    Sentiment,
    Theme,
    ThemeScore,
)
from feedback_miner.insight.measures import measure
from feedback_miner.report.causes import CauseBook, CauseInfo
from feedback_miner.report.json import ANALYSIS_SCHEMA

BOOK = CauseBook(
    causes={
        "product.quality": CauseInfo(
            "product.quality",
            "product",
            {"zh": "质量缺陷、损坏", "en": "Defect or damage"},
            {"zh": "质量", "en": "Build quality"},
            "use",
            "quality",
            False,
        ),
        "product.price": CauseInfo(
            "product.price",
            "product",
            {"zh": "价格高", "en": "Poor value for money"},
            {"zh": "价格", "en": "Price"},
            "purchase",
            "pricing",
            False,
        ),
        "service.wait": CauseInfo(
            "service.wait",
            "service",
            {"zh": "响应慢、等待久", "en": "Slow response"},
            {"zh": "响应速度", "en": "Response time"},
            "support",
            "operations",
            False,
        ),
        "service.attitude": CauseInfo(
            "service.attitude",
            "service",
            {"zh": "态度差", "en": "Rude staff"},
            {"zh": "服务态度", "en": "Staff attitude"},
            "support",
            "customer-service",
            False,
        ),
        "process.delivery": CauseInfo(
            "process.delivery",
            "process",
            {"zh": "配送慢、送错", "en": "Late or wrong delivery"},
            {"zh": "配送", "en": "Delivery"},
            "delivery",
            "logistics",
            False,
        ),
        "process.payment": CauseInfo(
            "process.payment",
            "process",
            {"zh": "扣费错误", "en": "Billing errors"},
            {"zh": "支付", "en": "Payment"},
            "purchase",
            "finance",
            False,
        ),
        "brand.privacy": CauseInfo(
            "brand.privacy",
            "brand",
            {"zh": "隐私与账户安全", "en": "Privacy and account safety"},
            {"zh": "隐私", "en": "Privacy"},
            "use",
            "security",
            True,
        ),
    },
    drivers={
        "product": {"zh": "产品体验", "en": "Product experience"},
        "service": {"zh": "服务质量", "en": "Service quality"},
        "communication": {"zh": "沟通效率", "en": "Communication"},
        "brand": {"zh": "品牌与信任", "en": "Brand and trust"},
        "process": {"zh": "流程与触点", "en": "Process and touchpoints"},
    },
    stages={
        "use": {"zh": "使用", "en": "Use"},
        "purchase": {"zh": "购买", "en": "Purchase"},
        "support": {"zh": "求助", "en": "Support"},
        "delivery": {"zh": "交付", "en": "Delivery"},
    },
    owners={
        "quality": {"zh": "质量", "en": "Quality"},
        "pricing": {"zh": "定价", "en": "Pricing"},
        "operations": {"zh": "运营", "en": "Operations"},
        "customer-service": {"zh": "客服", "en": "Customer service"},
        "logistics": {"zh": "物流", "en": "Logistics"},
        "finance": {"zh": "财务", "en": "Finance"},
        "security": {"zh": "安全", "en": "Security"},
    },
)

DRIVERS = {cause.id: cause.driver for cause in BOOK.causes.values()}

# Leaf theme, parent, names, cause, (polarity, sentences).
LEAVES = (
    (
        "late",
        "logistics",
        {"zh": "包裹迟到", "en": "Parcels arrive late"},
        "process.delivery",
        "negative",
        (
            "说好三天到，结果等了整整两个星期才收到包裹",
            "The parcel came nine days after the promised date",
            "Tracking said delivered, yet nothing arrived until the week after",
        ),
    ),
    (
        "packaging",
        "logistics",
        {"zh": "包装破损", "en": "Crushed packaging"},
        "product.quality",
        "negative",
        ("外箱压扁了，里面的杯子碎成好几片", "The box was crushed and the lamp inside had a crack right across the shade"),
    ),
    (
        "courier",
        "logistics",
        {"zh": "快递员热心", "en": "Friendly couriers"},
        "service.attitude",
        "positive",
        ("快递小哥特别热心，还帮我把箱子搬上五楼", "The courier even carried the heavy box up to our flat"),
    ),
    (
        "hotline",
        "support",
        {"zh": "客服电话难打通", "en": "Hotline hard to reach"},
        "service.wait",
        "negative",
        (
            "客服电话打了四十分钟都没有人接",
            "I waited on the hotline for most of my lunch break and then got cut off",
            "排队排到第七十二位，最后系统自动挂断了",
        ),
    ),
    (
        "rude",
        "support",
        {"zh": "客服态度敷衍", "en": "Dismissive agents"},
        "service.attitude",
        "negative",
        ("客服只会复制粘贴，问什么都是“请您耐心等待”", "The agent sighed and told me to read the manual"),
    ),
    (
        "helpful",
        "support",
        {"zh": "客服专业耐心", "en": "Patient, expert support"},
        "service.attitude",
        "positive",
        (
            "客服小姐姐一步一步教我设置，非常耐心",
            "Support walked me through the setup and called back to check",
            "The person in chat knew exactly which cable was missing",
        ),
    ),
    (
        "battery",
        "product",
        {"zh": "电池耗电快", "en": "Battery drains fast"},
        "product.quality",
        "negative",
        ("充满电用不到半天就没电了", "The battery is empty before noon even when I hardly touch it"),
    ),
    (
        "sound",
        "product",
        {"zh": "音质出色", "en": "Great sound"},
        "product.quality",
        "positive",
        ("音质真的很棒，低音特别有层次", "The sound is warm and clear, far better than my old pair"),
    ),
    (
        "price",
        "product",
        {"zh": "价格偏高", "en": "Too expensive"},
        "product.price",
        "negative",
        ("同样的配置别家便宜三百块", "For this money I expected a case and a spare cable"),
    ),
    (
        "billing",
        "payment",
        {"zh": "重复扣款", "en": "Charged twice"},
        "process.payment",
        "negative",
        ("同一个订单扣了我两次钱", "My card was charged twice for one order and nobody noticed"),
    ),
    (
        "privacy",
        "payment",
        {"zh": "个人信息泄露", "en": "Personal details leaked"},
        "brand.privacy",
        "negative",
        ("下单第二天就接到诈骗电话，连我买了什么都知道", "A stranger phoned me and knew what I had bought the day before"),
    ),
)
PARENTS = {
    "logistics": {"zh": "物流配送", "en": "Delivery"},
    "support": {"zh": "客户服务", "en": "Customer support"},
    "product": {"zh": "产品本身", "en": "The product"},
    "payment": {"zh": "支付与账户", "en": "Payment and account"},
}
NOTHING = ("无", "n/a", "没有", "...")
ODD = (
    ("嗯嗯好的", ResidualReason.TOO_SHORT),
    ("My neighbour's parrot repeats the start-up jingle all day", ResidualReason.ALONE),
    ("等了很久，电池也不行，说不清是哪个更糟", ResidualReason.BETWEEN),
)
SENTIMENTS = {"negative": Sentiment(0.91, 0.06, 0.03), "neutral": Sentiment(0.1, 0.82, 0.08), "positive": Sentiment(0.02, 0.07, 0.91)}


class World:
    """Draws responses one after the other; the same arguments give the same findings."""

    def __init__(self, *, people, kind, dated, leaves, seed):
        self.random = random.Random(seed)
        self.kind = kind
        self.dated = dated
        self.leaves = leaves
        self.people = people
        self.items, self.documents, self.opinions, self.codings = [], [], [], []

    def draw(self, number):
        name = f"r{number:05d}"
        roll = self.random.random()
        if roll < 0.04:
            return self.add_item(name, "without_text", None, self.random.random())
        if roll < 0.09 or not self.leaves:
            self.add_document(name, self.random.choice(NOTHING), ContentStatus.NO_CONTENT)
            return self.add_item(name, "no_content", None, self.random.random())
        mood = self.random.random()
        wanted = "positive" if mood > 0.45 else "negative"
        chosen = [leaf for leaf in self.leaves if leaf[4] == wanted] or list(self.leaves)
        picks = self.random.sample(chosen, min(len(chosen), self.random.choice((1, 1, 2))))
        if self.random.random() < 0.12:
            picks.append(self.random.choice(self.leaves))
        late = [leaf for leaf in self.leaves if leaf[0] == "hotline"]
        if late and wanted == "negative" and number > self.people / 2 and self.random.random() < 0.5:
            picks = late
        parts = [(leaf, self.random.choice(leaf[5])) for leaf in {leaf[0]: leaf for leaf in picks}.values()]
        odd = self.random.choice(ODD) if self.random.random() < 0.15 else None
        self.say(name, parts, odd)
        score = sum(SENTIMENTS[leaf[4]].score for leaf, _ in parts) / len(parts)
        polarity = Polarity.MIXED if len({leaf[4] for leaf, _ in parts}) > 1 else Polarity(parts[0][0][4])
        return self.add_item(name, "themed", (polarity, score), 0.62 + 0.36 * score * self.random.choice((1,) * 30 + (-1,)))

    def say(self, name, parts, odd):
        text, spans = "", []
        for leaf, sentence in parts:
            text += "；" if text else ""
            spans.append((len(text), len(text) + len(sentence), leaf))
            text += sentence
        if odd:
            text += "；"
            spans.append((len(text), len(text) + len(odd[0]), None))
            text += odd[0]
        document = self.add_document(name, text, ContentStatus.THEMED)
        for start, end, leaf in spans:
            opinion = Opinion(f"{document}#{start}", document, start, end, text[start:end])
            self.opinions.append(opinion)
            self.codings.append(self.code(opinion, leaf, odd))

    def code(self, opinion, leaf, odd):
        if leaf is None:
            return Coding(opinion.id, (), odd[1], (), SENTIMENTS["neutral"], FeedbackType.STATEMENT, (), ())
        theme, _, _, cause, polarity, _ = leaf
        strength = ThemeScore(theme, 0.5 + self.random.random() / 2)
        negative = polarity == "negative"
        causes = (
            (CauseScore(cause, 0.83, "service.wait", 0.21, opinion.start, opinion.end),) if negative and self.random.random() < 0.85 else ()
        )
        kind = FeedbackType.COMPLAINT if negative else FeedbackType.PRAISE
        return Coding(opinion.id, (strength,), None, (strength,), SENTIMENTS[polarity], kind, (Aspect(cause, 0.8),), causes)

    def add_document(self, item, text, status):
        language = "zh" if any("一" <= letter <= "鿿" for letter in text) else "en"
        document = Document(
            f"{item}.0", item, "为什么给这个分数？", text, language, status, redactions=(("PHONE", 1),) if "<PHONE>" in text else ()
        )
        self.documents.append(document)
        return document.id

    def add_item(self, name, status, sentiment, mood):
        score = None
        if self.kind is not None:
            low, high = {ScoreKind.NPS: (0, 10), ScoreKind.CSAT: (1, 5), ScoreKind.CES: (1, 7), ScoreKind.STARS: (1, 5)}[self.kind]
            blurred = min(1.0, max(0.0, mood + self.random.gauss(0, 0.18)))
            score = float(round(low + blurred * (high - low)))
        number = int(name[1:])
        created = datetime(2026, 1, 3, tzinfo=UTC) + timedelta(days=170 * number / self.people) if self.dated else None
        self.items.append(
            ItemRecord(
                name,
                status,
                score,
                created,
                f"c{number % 97:03d}",
                ("app", "web", "门店")[number % 3],
                1.0,
                {"地区": ("北方", "南方")[number % 2]},
                sentiment[0] if sentiment else None,
                sentiment[1] if sentiment else None,
            )
        )


def make_findings(*, people=240, kind=ScoreKind.NPS, dated=True, leaves=LEAVES, seed=3, samples=60):
    """Build findings of so many drawn responses, with everything counted by the real ``measure``."""
    world = World(people=people, kind=kind, dated=dated, leaves=leaves, seed=seed)
    for number in range(people):
        world.draw(number)
    parents = {leaf[1]: PARENTS.get(leaf[1], {"en": leaf[1]}) for leaf in leaves}
    themes = [Theme(parent, None, names) for parent, names in parents.items()]
    for theme, parent, names, *_, sentences in leaves:
        said = [
            opinion
            for opinion, coding in zip(world.opinions, world.codings, strict=True)
            if any(one.theme == theme for one in coding.themes)
        ]
        exemplars = tuple(Exemplar(opinion.id, opinion.text, "zh") for opinion in said[:1])
        themes.append(Theme(theme, parent, names, {"en": tuple(sentences[-1].split()[:2])}, exemplars))
    themes.sort(key=lambda theme: theme.id)
    counted = measure(
        world.items,
        world.documents,
        world.opinions,
        world.codings,
        themes=themes,
        drivers=DRIVERS,
        score_kind=kind,
        bootstrap_samples=samples,
    )
    status = [item.status for item in world.items]
    findings = Findings(
        schema=ANALYSIS_SCHEMA,
        version="0.1.0",
        versions={"taxonomy_version": "1.0+0", "theme_set_version": "abc", "model_version": "tiny"},
        config={"seed": 7, "encoder": "tiny", "labeller_url": None},
        columns=ColumnMapping(
            texts=("为什么给这个分数？",),
            score="NPS" if kind else None,
            score_kind=kind,
            date="date" if dated else None,
            customer="id",
            channel="channel",
            attributes=("地区",),
            reasons=(("NPS", "whole numbers from 0 to 10"), ("为什么给这个分数？", "long free text")),
        ),
        counts=Counts(
            rows=people + 2,
            rejected=2,
            without_text=status.count("without_text"),
            no_content=status.count("no_content"),
            themed=status.count("themed"),
            residual=0,
            documents=len(world.documents),
            opinions=len(world.opinions),
            distinct_texts=len({document.text for document in world.documents}),
            reposts=1,
            redactions={"PHONE": 3, "EMAIL": 1},
            languages={
                "en": sum(document.language == "en" for document in world.documents),
                "zh": sum(document.language == "zh" for document in world.documents),
            },
            residual_opinions={reason.value: sum(coding.residual is reason for coding in world.codings) for reason in ResidualReason},
            unmapped_opinions=sum(coding.sentiment.label is Polarity.NEGATIVE and not coding.causes for coding in world.codings),
        ),
        score=counted.score,
        score_trend=counted.score_trend,
        themes=tuple(themes),
        theme_measures=counted.theme_measures,
        cause_measures=counted.cause_measures,
        strength_measures=counted.strength_measures,
        detractor_causes=counted.detractor_causes,
        items=tuple(world.items),
        documents=tuple(world.documents),
        opinions=tuple(world.opinions),
        codings=tuple(world.codings),
    )
    run = Run(
        started_at=datetime(2026, 7, 1, 9, 30, tzinfo=UTC),
        seconds={"embed": 1.25, "total": 3.5},
        source="2026上半年_nps.csv",
        source_sha256="0" * 64,
        rows={item.id: row + 2 for row, item in enumerate(world.items)},
        issues=(
            RowIssue(812, None, "more cells than the header", False),
            RowIssue(97, "NPS", "no number from 0 to 10", True),
            RowIssue(901, None, "not valid UTF-8", False),
        ),
        machine="test",
    )
    return findings, run


@pytest.fixture(scope="session")
def world():
    """The world in its usual size: (findings, run)."""
    return make_findings()


@pytest.fixture(scope="session")
def build():
    """The builder itself, for worlds of another kind or size."""
    return make_findings


@pytest.fixture(scope="session")
def book():
    """The root causes of that world."""
    return BOOK


@pytest.fixture(scope="session")
def leaves():
    """The leaf themes of that world."""
    return LEAVES
