"""Empty answers: a filler is taken away only whole, and in doubt an answer is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_miner.stages.content import is_no_content

EMPTY = """
无|没有|没|略|暂无|没有了|没什么|没啥|无意见|没意见|没有意见|没有建议|无建议|没有什么意见|我没有什么意见|目前没有|暂时没有什么建议
没有其他意见了|无其他意见|不知道|不清楚|不太清楚|没想好|想不出来|同上|不予置评
没什么好说的|没啥可说的|没有需要改进的地方|我不知道该说什么|无无无|没有没有|沒有意見|無|暫無|測試|测试|没有建议，谢谢|（空）|(跳过)|嗯
哈哈哈|你好|无。|没有！！！
n/a|N/A|n.a.|na|NA|none|None.|nothing|Nothing at all|nil|no|No.|nope|no comment|No comments!|no suggestions|No suggestions at this time
not applicable|nothing to add
nothing to improve|No improvements needed|nothing else to say thank you|None that I can think of|can't think of any|I don't know
idk|i dont know|No thanks|No, thank you|No idea|never mind|not at this moment|no further comments
Nothing, thanks so much|N/A. None. Nothing.|yes|test|see above|nothing comes to mind|There is nothing to suggest.
nothing in particular|I have nothing to add right now|n / a|null|hmm
keine|Keine Angabe|nichts|kein Kommentar|weiß nicht|nada|ninguno|sin comentarios|Nada que añadir|rien|RAS|aucune|Rien à dire
je ne sais pas|niente|nessuna|niente da dire|non so|nenhum|sem comentários|Nada a declarar
特になし|特にありません。|なし|わかりません|없음|없습니다|딱히 없음|모르겠어요|нет|ничего|geen|n.v.t.
-|...|。。。|???|。|1|123|12345|<EMAIL>|<PHONE> <EMAIL>|http://a.test/b|https://a.test/x?y=:)|@someone|me@a.test|[图片]|🍎|🙃|✅|🤔🤔
x|xxx|X|aaaa|jjjj|asdf|asdfgh|qwerty|hjkl|sdfsdf|asdasd|zxcvbnm|fghfgh
"""
CONTENT = """
好|差|不错|还可以|一般|就那样|贵|慢|爽|垃圾|无语|无聊|无所谓|无敌|没用|没效果|没意思|没差|没劲|不好|不行|不满意|不方便|呵呵|没问题
没有问题|没毛病|没有不满|没有，都挺好|谢谢|没提升|没有改进
没有信号|没有说明|没有反馈|没人管|没有人理我|无人接听|无法登录|无法使用|没货|没有发票|没赠品|不知道怎么取消|不知道为什么一直闪退
不了解产品|没有想象中好|没想到这么慢|没说清楚|不需要这么多广告|不用排队|没有说服力|不想再来|不会再买|没下次了|說明不清楚|沒有信號
good|ok|OK|bad|slow|great|wifi|KFC|app|thanks|Thank you|Nothing works|no signal|None of the staff helped|Nothing, all good|no complaints
No issues|no problems|no refund|No response|no reply|never again|nobody answered
not good|not working|not worth it|not at all helpful|not really|I don't think so|No help at all|no stock|no wifi|No parking|no one cares
nothing changed|no improvement|nothing but trouble|thanks for nothing|can't log in|cannot pay|can't comment on posts
don't know who to contact|no clue how to cancel it|it can not|Never answers|they don't say anything|I am not so sure of that
Nothing you did helped|no feedback|niceeeee|property|were|no more|nothing special|not available
gut|schlecht|keine Hilfe|kein Internet|nichts geht|nada funciona|sin agua|rien ne marche|pas de wifi|niente funziona|nunca mais
sem internet|反応なし|最悪|特に接客が悪い|연결 없음|별로|нет связи|geen hulp
😡|👍|❤️|😡👍❤️|👎👎|🤮|:(|:)|:-(|<3|T_T|^_^|10/10|0/10|5/5|4.5 / 5|666|100分|五星|五分好评|3 stars|[怒]
"""


def rows(table: str) -> list[str]:
    return [answer for line in table.strip().splitlines() for answer in line.split("|")]


@pytest.mark.parametrize("answer", rows(EMPTY))
def test_no_content_for_fillers(answer: str) -> None:
    assert is_no_content(answer)


@pytest.mark.parametrize("answer", rows(CONTENT))
def test_content_for_whoever_says_something(answer: str) -> None:
    assert not is_no_content(answer)


def test_tables_hold_sixty_answers_each_way() -> None:
    assert len(rows(EMPTY)) >= 60
    assert len(rows(CONTENT)) >= 60
    assert not set(rows(EMPTY)) & set(rows(CONTENT))


def test_no_content_for_the_empty_text() -> None:
    assert is_no_content("")
    assert is_no_content(" \n ")


@pytest.mark.parametrize("filler", ["n/a", "没有", "nada", "-"])
@pytest.mark.parametrize("opinion", ["the queue is far too long", "客服态度很差", "😡"])
def test_content_when_an_opinion_stands_beside_a_filler(filler: str, opinion: str) -> None:
    assert not is_no_content(f"{filler}. {opinion}")
    assert not is_no_content(f"{opinion}\n{filler}")


@given(st.lists(st.sampled_from(["n/a", "None.", "没有", "无", "...", "thanks", "no comment", "<EMAIL>"]), min_size=1, max_size=5))
def test_no_content_for_fillers_in_a_row(fillers: list[str]) -> None:
    answer = "\n".join(fillers)
    assert is_no_content(answer) is (not set(fillers) <= {"thanks", "...", "<EMAIL>"} or "thanks" not in fillers)


@given(st.text(max_size=40))
def test_no_content_ignores_surrounding_white_space(text: str) -> None:
    assert is_no_content(text) is is_no_content(f" {text}\n")


@pytest.mark.parametrize("unit", ["无", "no ", "asdf ", "a", "说是想", "。", "没有什么"])
def test_no_content_reads_long_nasty_text_to_its_end(unit: str) -> None:
    assert is_no_content(unit * 60_000) in {True, False}
