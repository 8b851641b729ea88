"""Every sentence of the report, in Chinese and English side by side. Values in, a ``Both`` out; knows no figures and no layout."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup, escape

from feedback_miner.report.causes import Localized, pick_name

__all__ = ["LANGUAGES", "TEXTS", "Both", "both_names", "text"]

LANGUAGES = ("zh", "en")

# English only: the counted nouns of the sentences below, where the count is 1.
_ONE = {"people": "person", "opinions": "opinion", "answers": "answer", "rows": "row"}
_SINGULAR = re.compile(rf"(?<![\d.,])1 ({'|'.join(_ONE)})\b")


@dataclass(frozen=True, slots=True)
class Both:
    """A text in both languages; the page shows one of them."""

    zh: str
    en: str

    def __html__(self) -> Markup:
        """Return both, escaped, for the style sheet to choose from; once where they are the same."""
        if self.zh == self.en:
            return escape(self.en)
        return Markup('<span class="zh" lang="zh-Hans">{}</span><span class="en" lang="en">{}</span>').format(self.zh, self.en)

    @property
    def label(self) -> str:
        """Return both in one line, for attributes, which no style sheet can choose in."""
        return self.en if self.zh == self.en else f"{self.zh} / {self.en}"

    def pick(self, language: str) -> str:
        """Return the text in this language."""
        return self.zh if language == "zh" else self.en


def text(key: str, **values: object) -> Both:
    """Return the sentence with its values put in; a value may itself be a ``Both``."""
    zh, en = TEXTS[key]
    return Both(
        zh.format(**{name: value.zh if isinstance(value, Both) else value for name, value in values.items()}),
        _SINGULAR.sub(
            _make_singular, en.format(**{name: value.en if isinstance(value, Both) else value for name, value in values.items()})
        ),
    )


def _make_singular(found: re.Match[str]) -> str:
    return f"1 {_ONE[found.group(1)]}"


def both_names(names: Localized, otherwise: str) -> Both:
    """Return a name for each language, from the other language where one is missing."""
    return Both(pick_name(names, "zh", otherwise), pick_name(names, "en", otherwise))


TEXTS: Mapping[str, tuple[str, str]] = {
    # Page
    "page.title": ("客户反馈分析报告", "Customer feedback report"),
    "page.source": ("来源：{source}", "Source: {source}"),
    "page.answers": ("{rows} 行数据，其中 {people} 份有可分析的文字", "{rows} rows, {people} of them with text to analyse"),
    "page.dates": ("{first} 至 {last}", "{first} to {last}"),
    "page.no_dates": ("数据中没有日期", "no dates in the data"),
    "page.made": ("生成于 {date}", "made on {date}"),
    "page.stop": ("。", ". "),
    "page.contents": ("目录", "Contents"),
    # Sections
    "section.summary": ("要点", "In short"),
    "section.score": ("评分", "Score"),
    "section.hurts": ("最伤体验的问题及其原因", "What hurts most, and why"),
    "section.loves": ("推荐者喜爱什么", "What promoters love"),
    "section.praised": ("客户称赞什么", "What customers praise"),
    "section.detractors": ("贬损者的理由 → 根因", "Detractors' reasons → root causes"),
    "section.negatives": ("负面意见 → 根因", "Negative opinions → root causes"),
    "section.unhappy": ("不满意者的理由 → 根因", "Unhappy customers' reasons → root causes"),
    "section.owners": ("谁来行动", "Who should act"),
    "section.causes": ("按驱动因素看根因", "Root causes by driver"),
    "section.moves": ("升降变化", "What is rising and falling"),
    "section.themes": ("全部主题", "All themes"),
    "section.contradictions": ("评分与文字相左", "Where score and words disagree"),
    "section.aside": ("被搁置的内容及原因", "What was set aside, and why"),
    "section.file": ("文件是如何读取的", "How the file was read"),
    "section.method": ("如何阅读本报告", "How to read this"),
    # Score
    "score.nps": ("NPS", "NPS"),
    "score.csat": ("满意度 CSAT", "CSAT"),
    "score.ces": ("费力度 CES", "CES"),
    "score.stars": ("星级", "Stars"),
    "score.interval": ("95% 区间 {low} 至 {high}", "95% interval {low} to {high}"),
    "score.people": ("{people} 份回答", "{people} answers"),
    "score.few": ("回答较少，请谨慎解读", "few answers: read with care"),
    "score.mean": ("平均 {mean}", "mean {mean}"),
    "score.top_box": ("前两档占 {share}", "top two boxes {share}"),
    "score.none": ("数据中没有评分，因此以下按人数排序。", "The data has no score, so everything below is ranked by people."),
    "score.trend": ("评分走势，阴影为 95% 区间", "Score over time; the band is the 95% interval"),
    "score.groups": ("评分构成", "Who answered what"),
    "score.weighted": ("（已按调查权重计算；人数为实际人数）", "(survey weights applied; counts are people as they are)"),
    "group.promoters": ("推荐者 9–10", "Promoters 9–10"),
    "group.passives": ("被动者 7–8", "Passives 7–8"),
    "group.detractors": ("贬损者 0–6", "Detractors 0–6"),
    "group.satisfied": ("满意 4–5", "Satisfied 4–5"),
    "group.unsatisfied": ("不满意 1–3", "Not satisfied 1–3"),
    "unit.points": ("分", "points"),
    "unit.pp": ("个百分点", "percentage points"),
    # Headlines
    "headline.score": (
        "{name} 为 {value}（95% 区间 {low} 至 {high}），基于 {people} 份回答。",
        "{name} is {value} (95% interval {low} to {high}), from {people} answers.",
    ),
    "headline.few": (
        "只有 {people} 份评分，区间很宽：请把它当作线索，而不是结论。",
        "Only {people} answers, and the interval is wide: a lead, not a conclusion.",
    ),
    "headline.moved_up": (
        "从 {first} 到 {last}，评分由 {before} 升至 {after}，超出偶然波动。",
        "From {first} to {last} the score rose from {before} to {after}, more than chance explains.",
    ),
    "headline.moved_down": (
        "从 {first} 到 {last}，评分由 {before} 降至 {after}，超出偶然波动。",
        "From {first} to {last} the score fell from {before} to {after}, more than chance explains.",
    ),
    "headline.not_moved": (
        "从 {first} 到 {last}，评分由 {before} 到 {after}，差异未超出偶然波动。",
        "From {first} to {last} the score went from {before} to {after}; chance alone could explain that.",
    ),
    "headline.hurts": (
        "最突出的抱怨是“{theme}”：{people} 人提到（{share}，区间 {low}–{high}）。",
        "The complaint that stands out is “{theme}”, from {people} people ({share}, interval {low}–{high}).",
    ),
    "headline.impact": (
        "不计提到“{theme}”的人，评分会高 {points} {unit}（区间 {low} 至 {high}）。这是账面差额，并非修复后的保证。",
        (
            "Without the people who raise “{theme}” the score would be {points} {unit} higher (interval {low} to {high}): "
            "book-keeping, no promise of what a fix brings."
        ),
    ),
    "headline.cause": (
        "负面意见中最常见的根因是“{cause}”（{people} 人，{share}），通常由“{owner}”负责。",
        "The root cause read most often in negative opinions is “{cause}” ({people} people, {share}); {owner} usually owns it.",
    ),
    "headline.cause_unowned": (
        "负面意见中最常见的根因是“{cause}”（{people} 人，{share}）。",
        "The root cause read most often in negative opinions is “{cause}” ({people} people, {share}).",
    ),
    "headline.urgent": (
        "紧急：有 {people} 人提到“{cause}”，请当天安排人查看。",
        "Urgent: “{cause}”, from {people} people. Somebody should look at it today.",
    ),
    "headline.loves": (
        "最受称赞的是“{theme}”：{people} 人提到（{share}）。",
        "Praised most is “{theme}”, by {people} people ({share}).",
    ),
    "headline.rising": (
        "正在上升：“{theme}”（{change} 个百分点，已校正多重比较）。",
        "Rising: “{theme}” ({change} percentage points, corrected for multiple comparisons).",
    ),
    "headline.no_themes": (
        "没有找到主题：文字太少，或没有足够多的人说相似的话。",
        "No themes were found: too little text, or too few people say similar things.",
    ),
    "headline.outside": (
        "{residual} 的意见不属于任何主题，{unmapped} 的负面意见未能对应根因；原因见“{section}”。",
        "{residual} of the opinions fit no theme and {unmapped} of the negative ones could not be tied to a cause; see “{section}”.",
    ),
    # Themes
    "theme.people": ("人数", "People"),
    "theme.count": ("{count} 人", "{count} people"),
    "theme.share": ("占比", "Share"),
    "theme.interval": ("95% 区间", "95% interval"),
    "theme.opinions": ("{count} 条意见", "{count} opinions"),
    "theme.customers": ("{count} 位不同客户", "{count} distinct customers"),
    "theme.impact": ("剔除影响", "Leave-out impact"),
    "theme.impact_unsure": ("区间包含 0：方向不确定", "interval includes 0: the direction is uncertain"),
    "theme.score": ("他们的评分", "Their score"),
    "theme.why": ("原因", "Why"),
    "theme.in": ("属于：{parent}", "part of: {parent}"),
    "theme.quotes": ("原话", "In their words"),
    "theme.phrases": ("关键词：{phrases}", "Key phrases: {phrases}"),
    "theme.none": ("没有找到主题。", "No themes were found."),
    "theme.hurts_none": ("没有以负面意见为主的主题。", "No theme is mainly negative."),
    "theme.loves_none": ("没有以正面意见为主的主题。", "No theme is mainly positive."),
    "theme.open": ("点开主题可看原话。", "Open a theme to read what people said."),
    "theme.chart_impact": ("各主题的剔除影响（分），细线为 95% 区间", "Leave-out impact of themes in points; lines are 95% intervals"),
    "theme.chart_share": ("提到各主题的人数占比，细线为 95% 区间", "Share of people who raise each theme; lines are 95% intervals"),
    "polarity.negative": ("负面", "negative"),
    "polarity.neutral": ("中性", "neutral"),
    "polarity.positive": ("正面", "positive"),
    "polarity.mixed": ("褒贬兼有", "mixed"),
    "polarity.bar": (
        "意见：负面 {negative}，中性 {neutral}，正面 {positive}",
        "Opinions: {negative} negative, {neutral} neutral, {positive} positive",
    ),
    # Causes
    "cause.matrix": (
        "每格为提到该主题并对应该根因的人数；一个人可能计入多格。",
        "Each cell counts people who raise the theme for that cause; one person may count in several cells.",
    ),
    "cause.matrix_scope_detractors": ("仅限不满意的打分者（NPS 0–6）", "Only those who gave NPS 0–6"),
    "cause.matrix_scope_unhappy": ("仅限打低分的客户", "Only those who gave a low score"),
    "cause.matrix_scope_all": ("没有评分：涵盖全部负面意见", "No score: all negative opinions"),
    "cause.theme": ("主题", "Theme"),
    "cause.cause": ("根因", "Root cause"),
    "cause.other": ("其他根因", "Other causes"),
    "cause.unmapped": ("未对应", "Not tied to one"),
    "cause.none": ("没有读出根因。", "No root causes were read."),
    "cause.owner": ("负责方", "Owner"),
    "cause.stage": ("旅程阶段", "Stage"),
    "cause.themes": ("主要主题", "Main themes"),
    "cause.causes": ("根因（人数）", "Root causes (people)"),
    "cause.trend": ("走势", "Trend"),
    "cause.praised": ("称赞同一方面", "Praise the same"),
    "cause.urgent": ("紧急", "urgent"),
    "cause.driver_nobody": ("没有人提到。", "Nobody blames it."),
    "cause.driver_people": ("{people} 人，{share}（{interval}）", "{people} people, {share} ({interval})"),
    "cause.owners": (
        "按负责方汇总全部负面意见，一个人对同一负责方只计一次。",
        "All negative opinions by owner; a person counts once for each owner.",
    ),
    "strength.aspects": ("被称赞的方面", "Aspects praised"),
    "strength.aspect": ("方面", "Aspect"),
    # Moves
    "moves.rising": ("上升", "rising"),
    "moves.falling": ("下降", "falling"),
    "moves.new": ("新出现", "new"),
    "moves.gone": ("已消失", "gone"),
    "moves.steady": ("平稳", "steady"),
    "moves.change": ("后半段减前半段", "Later half minus earlier half"),
    "moves.points": ("{change} 个百分点", "{change} pp"),
    "moves.p": ("校正后 p", "Adjusted p"),
    "moves.line": ("各期人数占比", "Share of people by period"),
    "moves.none": (
        "没有主题的占比变化超出偶然波动（已校正多重比较）。",
        "No theme's share moved more than chance explains (corrected for multiple comparisons).",
    ),
    "moves.no_dates": ("没有可比较的时间段，因此无法判断升降。", "There are no periods to compare, so nothing can be said about change."),
    # Contradictions
    "contradiction.high": ("高分却在抱怨（共 {count} 份）", "High score, negative words ({count} in all)"),
    "contradiction.low": ("低分却在称赞（共 {count} 份）", "Low score, positive words ({count} in all)"),
    "contradiction.none": ("没有。", "None."),
    "contradiction.why": (
        "值得逐条查看：可能是量表被反着理解、出于客气，或情感判断有误。",
        "Worth reading one by one: a scale read backwards, politeness, or a misread sentiment.",
    ),
    "contradiction.no_score": ("数据中没有评分。", "The data has no score."),
    # Set aside
    "aside.rows": ("每一行都有去处", "Every row accounted for"),
    "aside.rows_total": ("数据行", "Rows"),
    "aside.themed": ("归入主题", "In a theme"),
    "aside.residual": ("有内容，但不属于任何主题", "Has content, fits no theme"),
    "aside.no_content": ("无实质内容（如“无”“n/a”）", "No content (“n/a”, “nothing”)"),
    "aside.without_text": ("没有文字（仍计入评分）", "Without text (still counts for the score)"),
    "aside.rejected": ("被拒绝的行", "Rejected rows"),
    "aside.opinions": ("不属于任何主题的意见", "Opinions outside every theme"),
    "aside.reason": ("原因", "Reason"),
    "aside.count": ("数量", "Count"),
    "residual.too_short": ("太短", "Too short"),
    "residual.between": ("介于两个主题之间", "Between two themes"),
    "residual.alone": ("很少有人这样说", "Few others say so"),
    "residual.moved_out": ("分析人员移出主题", "Taken out by an analyst"),
    "residual.no_content": ("分析人员标为无内容", "Says nothing, says an analyst"),
    "aside.all_themed": ("所有意见都归入了主题。", "Every opinion belongs to a theme."),
    "aside.unmapped": ("未对应根因的负面意见：{count} 条（{share}）", "Negative opinions not tied to a cause: {count} ({share})"),
    "aside.nothing_said": ("无实质内容的回答", "Answers without content"),
    "aside.issues_rejected": ("被拒绝的行及原因", "Rejected rows and reasons"),
    "aside.issues_kept": ("保留但有单元格未能使用的行", "Rows kept without one of their cells"),
    "aside.line": ("行号", "Line"),
    "aside.lines": ("行号（前几行）", "Lines (the first ones)"),
    "aside.column": ("列", "Column"),
    "aside.more": (
        "还有 {count} 行，全部列在 analysis.json 的 run.issues 中。",
        "{count} more; all are in analysis.json under run.issues.",
    ),
    "aside.no_issues": ("没有。", "None."),
    "aside.redactions": ("分析前已隐去的个人信息", "Personal data removed before analysis"),
    "aside.no_redactions": ("没有发现。", "None found."),
    "aside.copies": (
        "{documents} 段文字中有 {distinct} 段互不相同；{copies} 段与他人逐字相同，{reposts} 段为转发。它们都计入人数。",
        "Of {documents} texts {distinct} are distinct and {copies} repeat another word for word; reposts: {reposts}. All of them count.",
    ),
    "aside.languages": ("语言", "Languages"),
    # File
    "file.role": ("用途", "Role"),
    "file.reason": ("依据", "Because"),
    "file.text": ("文字", "text"),
    "file.score": ("评分", "score"),
    "file.date": ("日期", "date"),
    "file.customer": ("客户", "customer"),
    "file.channel": ("渠道", "channel"),
    "file.weight": ("权重", "weight"),
    "file.attribute": ("属性", "attribute"),
    "file.unused": ("未使用", "not used"),
    "file.format": ("文件格式：{format}", "Shape of the file: {format}"),
    # Quotes
    "quote.row": ("第 {row} 行", "row {row}"),
    "quote.score": ("评分 {score}", "score {score}"),
    "quote.copies": ("相同文字 ×{count}", "same words ×{count}"),
    # Method
    "opinions.all": ("全部意见", "All opinions"),
    "opinions.any": ("全部", "All"),
    "opinions.more": ("下一页", "Next page"),
    "opinions.none": ("没有符合条件的意见。", "No opinion is like that."),
    "opinions.sentiments": ("情感", "Sentiment"),
    "method.people": ("人数与意见", "People and opinions"),
    "method.people_is": (
        "一份回答算一个人；一个人可以说出几条意见。同一个人对同一主题、其上级主题、同一根因各只计一次。",
        (
            "One response is one person; a person may voice several opinions. A person counts once for a theme, once for its parent and "
            "once for a cause, however often they say so."
        ),
    ),
    "method.share": ("占比", "Share"),
    "method.share_is": (
        "占有可分析文字的回答的比例。一个人可提到多个主题，因此占比之和可超过 100%。",
        "Of the responses with text to analyse. People raise several themes, so shares may add up to more than 100%.",
    ),
    "method.interval": ("95% 区间", "95% interval"),
    "method.interval_is": (
        "同样的调查重复多次，这样得出的区间约有 95% 会包含真实值。区间重叠的两个数字不要排名次。",
        (
            "If the same survey were repeated many times, about 95% of such intervals would hold the true value. "
            "Do not rank two figures whose intervals overlap."
        ),
    ),
    "method.impact": ("剔除影响", "Leave-out impact"),
    "method.impact_is": (
        (
            "全体评分减去剔除该主题的人之后的评分。负值表示这些人拉低了评分。"
            "它是账面差额，不是因果效应：与另一主题常同时出现的主题会分走对方的影响。"
        ),
        (
            "Score of everybody minus score without the theme's people. Negative: they pull the score down. It is book-keeping, not "
            "effect: a theme that often comes with another one gets some of the other's impact."
        ),
    ),
    "method.polarity": ("正负意见", "Negative and positive"),
    "method.polarity_is": (
        "逐条意见判断，分开计数，从不相互抵消。",
        "Judged for each opinion, counted apart, never netted.",
    ),
    "method.cause": ("根因", "Root cause"),
    "method.cause_is": (
        "从负面意见的文字中读出，并保留证据片段；读不出时如实标为未对应。根因是客户的说法，不是内部调查的结论。",
        (
            "Read in the words of negative opinions, with the span as evidence; where none can be read, it says so. "
            "It is the customer's account, not the result of an internal inquiry."
        ),
    ),
    "method.trend": ("升降", "Rising and falling"),
    "method.trend_is": (
        "比较后半段与前半段中提到该主题的人数占比，而非数量；对所有主题做 Benjamini–Hochberg 校正，p < 0.05 才算变化。最多展示最近 36 期。",
        (
            "Shares of people, not counts, in the later half of the periods against the earlier half; Benjamini–Hochberg over all themes; "
            "a change needs p < 0.05. At most the latest 36 periods are used."
        ),
    ),
    "method.small": ("小群体", "Small groups"),
    "method.small_is": (
        "少于 {minimum} 人的群体不单独给出评分与影响。",
        "Groups of fewer than {minimum} people get no score or impact of their own.",
    ),
    "method.versions": ("版本", "Versions"),
}
