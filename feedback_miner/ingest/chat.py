"""Conversations: whose words are whose.

Comes in: column names with sample rows, or one cell that holds a whole transcript. Goes out: the columns that tell speakers and
conversations apart, and the customer's words alone. An agent's words are never mined as feedback.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .headers import word_set

__all__ = ["ChatColumns", "customer_words", "find_chat_columns", "is_agent"]

_CUSTOMER = tuple(
    sorted(
        word_set(
            "customer client user visitor guest consumer buyer caller requester end-user enduser end_user"
            " contact member shopper patient 客户 用户 顾客 访客 买家 会员 消费者 来访者 旅客 患者 家长"
        )
    )
)
_AGENT = tuple(
    sorted(
        word_set(
            "agent bot chatbot operator support staff rep representative assistant advisor adviser seller csr system admin moderator"
            " virtual 客服 坐席 座席 机器人 智能客服 人工客服 在线客服 商家 卖家 店家 店小二 小二 系统 专员 顾问 助手 管理员"
        )
    )
)
_SPEAKER_NAMES = word_set(
    "speaker role sender author from author_type sender_type participant who actor sent_by source_type party side"
    " 发言人 说话人 角色 发送者 发送人 发送方 消息来源 消息发送方 身份 发言者 会话角色"
)
_CONVERSATION_NAMES = re.compile(
    r"(?:conversation|chat|session|thread|ticket|dialog(?:ue)?|call|case|transcript)(?:[ _-]?(?:id|no|number|key))?"
    r"|(?:会话|对话|工单|通话)(?:id|编号|号)?",
    re.IGNORECASE,
)

# Fewer words inside a cell than in a column of speakers: "Staff: friendly" or "系统：卡" is how customers list their points.
_LINE_WORDS = word_set(
    "representative assistant operator customer chatbot advisor adviser visitor client caller agent buyer user rep bot csr"
    " 智能客服 人工客服 在线客服 机器人 消费者 客服 坐席 座席 卖家 客户 用户 顾客 访客 买家"
)
_WORDS = "|".join(sorted(_LINE_WORDS, key=lambda word: (-len(word), word)))
_TURN = re.compile(
    rf"\s{{0,8}}(?:[\[(（【]?[\d:：/.\-年月日 T]{{4,24}}(?:[ap]m)?[\])）】]?\s{{0,4}})?[-*•>]?\s{{0,2}}[\[【<]?"
    rf"(?P<speaker>{_WORDS})"
    r"(?:[ #_-]?[0-9A-Z]{1,12}|小[\u4e00-\u9fff]|\s?[(（\[][^()（）\[\]:：\n]{1,30}[)）\]])?[\]】>]?\s{0,3}[:：]\s{0,4}",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ChatColumns:
    """The columns of a conversation, by position."""

    speaker: int
    conversation: int | None


def is_agent(speaker: str) -> bool:
    """Tell whether a speaker's label is the company's side: an agent, a bot or the system."""
    label = speaker.strip().casefold()
    return label in _AGENT or (label.startswith(_AGENT) and not label.startswith(_CUSTOMER))


def _is_customer(speaker: str) -> bool:
    return speaker.strip().casefold().startswith(_CUSTOMER)


def find_chat_columns(names: Sequence[str], rows: Sequence[Sequence[str]]) -> ChatColumns | None:
    """Find the column that says who speaks: named like one, and with both sides among its values."""
    for index, name in enumerate(names):
        if name.strip().casefold().replace(" ", "_") not in _SPEAKER_NAMES:
            continue
        speakers = [row[index] for row in rows if row[index].strip()]
        agents = sum(map(is_agent, speakers))
        customers = sum(map(_is_customer, speakers))
        if agents and customers and agents + customers >= 0.8 * len(speakers):
            conversation = next(
                (other for other, label in enumerate(names) if other != index and _CONVERSATION_NAMES.fullmatch(label.strip())), None
            )
            return ChatColumns(index, conversation)
    return None


def customer_words(text: str) -> str | None:
    """Return the customer's lines of a transcript; ``None`` where the text is no transcript of two sides.

    A line without a speaker goes on with the turn before it; lines before the first turn are nobody's.
    """
    if "\n" not in text:
        return None
    customer = agent = 0
    speaking = False
    kept: list[str] = []
    for line in text.splitlines():
        if match := _TURN.match(line):
            speaking = not is_agent(match["speaker"])
            customer += speaking
            agent += not speaking
            line = line[match.end() :]
        if speaking and line.strip():
            kept.append(line.strip())
    return "\n".join(kept) if customer and agent else None
