"""Tell answers that say nothing from answers that say little.

In comes a verbatim; out comes whether the whole of it is an empty answer. The rule: **an answer has no content if nothing is left once
fillers are taken away**. Fillers are links and placeholders, punctuation, bare numbers, keyboard noise, emoji without feeling, and what
people answer to "anything else?": "n/a", "no comment", 无, 没什么意见, with the small words and thanks around them.

A filler is taken away only whole: "nothing" is one, "nothing works" is not; 没有 is one, 没有信号 is not. Every sentence of an answer must
be filler for the answer to be empty. One opinion word ("ok", 差), one emoji with feeling (😡, 👍) or a mark ("10/10") is content, and so
are thanks alone: whoever means nothing by them says "no, thanks". In doubt an answer is kept, because a lost complaint costs more than a
filler among the opinions. It never looks at the language: an answer of one word is too short to tell it.
"""

import re
import unicodedata
from itertools import groupby, pairwise

__all__ = ["is_no_content"]


def _set_of(phrases: str) -> frozenset[str]:
    """Read a table: phrases separated by ``|``, on as many lines as they need."""
    return frozenset(phrase for phrase in (" ".join(cell.split()) for cell in phrases.split("|")) if phrase)


_FEELINGS = frozenset(
    # Faces, hearts and hands that say what their writer thinks. Left out: faces that may mean anything (🙃 🙂 😐 🤔 😅 😜), things (🍎),
    # signs (✅) and flags.
    "😀😃😄😁😆😊😇🥰😍🤩😘😋😎🤗🥳🤣😂😻😸👍👏🙌👌🤝💪🙏🔥🎉🥇🏆⭐🌟💯❤🧡💛💚💙💜🖤🤍🤎💖💗💓💕💞💘💝♥🌹💐🌸"
    "😞😔😟😕🙁☹😣😖😫😩🥺😢😭😤😠😡🤬😱😨😰😥😓😒🙄😑🤮🤢🤦😾😿💔👎🖕💩👿🤡😪😮😷🆘"
)
_FEELING_FACE = re.compile(r"[:;=]['’]?-?(?:[()](?!\w)|[D|\\/](?!\w))|\)-?:(?!\w)|</?3(?!\d)|\^[_-]?\^|\bT_T\b|\bQAQ\b|>_<|-_-|╯.{0,2}□")
_MARK = re.compile(r"\d{1,3}(?:[.,]\d)?\s*/\s*(?:5|10|100)|6{3,}")
"""A mark given in figures; 666 is applause in Chinese."""

_IGNORED = re.compile(
    r"(?:https?://|www\.)[!-~]+|<[a-z][a-z0-9_]*>"
    r"|(?<![a-z0-9_.+-])[a-z0-9_.+-]*+@(?:[a-z0-9_.·-]++(?![^\W\d_])|[\w.·-]{1,16}+(?=[\s:：]|//|\Z))"
    r"|\[(?:图片|圖片|照片|视频|視頻|语音|語音|链接|表情|动画表情|文件|位置|image|photo|video|sticker|gif)\]",
    re.IGNORECASE,
)
_RESPELLED = (
    (re.compile(r"\bn[./\\ ]{1,2}a\b"), "na"),
    (re.compile(r"\b(?:right now|so far)\b"), "now"),
    (re.compile(r"\bthank you(?: (?:so|very) much)?\b"), "thanks"),
)
_PIECE = re.compile(r"[^.。!！?？;；,，、:：~～…\n|/()（）\[\]【】\"“”]+")
_OTHER_LETTER = re.compile(r"[^\W\d_a-z\u00df-\u024f]")
_TO_SIMPLIFIED = str.maketrans(
    "無沒暫時問題議見評論價補充說話麼麽嗎還別個們謝對項內測試寫該應當這兩開來過於想覺係優數湊點饋訴慮",
    "无没暂时问题议见评论价补充说话么么吗还别个们谢对项内测试写该应当这两开来过于想觉系优数凑点馈诉虑",
)

# --- English: at least one head, and besides only words that may stand around it ---------------------------------------------------------

_VOID_HEADS = _set_of("no | none | nothing | nothin | nil | na | nowt | naught")
_HEADS = _VOID_HEADS | _set_of(
    "nan | null | nope | nah | not | dont | don't | cant | can't | cannot | without | void | blank | skip | unsure | idk | dunno"
)
_AROUND = _set_of(
    """the | of | my | any | some | at | all | for | from | to | as | is | are | was | were | be | been | being | it | it's | this | that
    | there | there's | here | i | i'm | im | i've | ive | me | myself | have | has | had | do | does | can | would | will | in | on
    | by | or | and | just | really | only | sorry | please | thanks | thank | thankyou | thx | ty | cheers | much | very | now
    | currently | present | moment | time | stage | today | yet | know | sure | think | say | said | tell | add | mention | mind | comes
    | come | comment | comments | commenting | suggestion | suggestions | suggest | recommendation | recommendations | feedback | remark
    | remarks | opinion | opinions | thought | thoughts | idea | ideas | anything | something | else | more | further | other | others
    | additional | extra | particular | specific | special | especially | applicable | apply | applies | available | improve
    | improvements"""
)
_NOT_EMPTY = _set_of(
    # Made of the words above, and yet they say something.
    """no feedback | not available | no more | not sure | not very | not at all | no time | not much | not really | can't improve
    | cannot improve | cant improve | dont improve | don't improve | do not improve | not improve | without | thanks for nothing
    | thank for nothing | do not come | don't come | dont come | can't tell | don't think | dont think | do not think | i don't think
    | i do not think | not special | nothing special | not for me | nothing for me | no special | not available at all
    | nothing available | not any more | no thought | don't recommend | does not improve | did not improve"""
)
_WHOLE = _set_of(
    # Empty without a head of their own, in the languages we meet most.
    """not applicable | not relevant | same as above | as above | see above | ditto | yes | yep | yeah | hi | hello | hey | test | testing
    | test test | no change | no changes | nothing to change | nothing to report | nothing to declare | nothing needs improving
    | nothing needs changing | nothing to be improved | nothing needs to be improved | no improvement needed | no improvement necessary
    | no improvement required | no improvements needed | nothing springs to mind | prefer not to say | rather not say
    | i'd rather not say | no idea | pass | hmm | hm | um | uh | er | bla bla | blah | blah blah | blah blah blah | haha | hahaha | hehe
    | lorem ipsum | undefined | empty | none given | left blank | never mind | nevermind | no question | no questions | i'm not sure
    | im not sure | i am not sure

    | nein | nichts | keine | keiner | keines | kein kommentar | keine kommentare | keine angabe | keine angaben | k a | entfällt | nix
    | nö | keine anmerkung | keine anmerkungen | keine anregungen | keine vorschläge | keine verbesserungsvorschläge | keine ahnung
    | keine meinung | weiß nicht | weiss nicht | weiß ich nicht | weiss ich nicht | ich weiß nicht | ich weiss nicht | gar nichts
    | garnichts | nichts weiter | nicht zutreffend | trifft nicht zu | mir fällt nichts ein | derzeit nichts | momentan nichts
    | nichts bekannt | keine besonderen | ja | keine wünsche | nichts hinzuzufügen | siehe oben | mir fallt nichts ein
    | keine weiteren anmerkungen

    | nada | ninguno | ninguna | ningunos | ningún comentario | ningun comentario | sin comentario | sin comentarios | no aplica
    | nada más | si | nada mas | no sé | no se | no lo sé | no lo se | ninguna sugerencia | sin sugerencias | no tengo
    | no tengo comentarios | nada que decir | no tengo sugerencias | no tengo ninguna | nada que añadir | nada que agregar
    | nada en particular | ninguno por ahora | por ahora nada | por el momento nada | por el momento no | nada por el momento
    | nada por ahora | no hay | sí

    | non | rien | aucun | aucune | aucun commentaire | aucune suggestion | aucune idée | aucune remarque | pas de commentaire
    | sans commentaire | pas de commentaires | rien à dire | rien a dire | rien à signaler | rien a signaler | ras | rien à ajouter
    | rien a ajouter | rien de plus | rien de particulier | rien de spécial | je ne sais pas | je sais pas | ne sais pas | sans objet
    | néant | neant | sans avis | pas d'avis | pas d'idée | pas de remarque | pas de suggestion | rien du tout | oui

    | niente | nulla | nessuno | nessuna | nessun commento | niente da dire | nulla da dire | niente da aggiungere | nulla da aggiungere
    | sì | niente di particolare | nulla di particolare | non so | non lo so | non saprei | nessun suggerimento | nessuna idea
    | non applicabile | niente da segnalare | nulla da segnalare | per ora niente | niente per ora | no grazie

    | não | nao | nenhum | nenhuma | nenhum comentário | nenhum comentario | sem comentário | sem comentários | sem comentarios
    | nada a declarar | nada a dizer | nada a acrescentar | não sei | nao sei | não se aplica | nao se aplica | nenhuma sugestão
    | nenhuma sugestao | sem sugestões | sem sugestoes | nada mais | não tenho | nao tenho | não há | nao ha | nada em especial
    | por enquanto nada | por enquanto não | sim

    | niets | geen | nee | geen opmerkingen | geen commentaar | geen idee | weet ik niet | weet niet | niet van toepassing | nvt | нет
    | ничего | не знаю | нет комментариев | без комментариев | никаких | нет предложений | нету | да

    | なし | 無し | 无し | ない | ありません | ございません | 特になし | 特に无し | 特にない | 特に无い | 特にありません
    | 特にございません | とくになし | とくにない | とくにありません | わからない | わかりません | 分からない | 分かりません | 知りません
    | 未记入 | 无回答 | 该当なし | はい | いいえ | なにもない | 何もない | 何もありません | 今のところなし | 今のところない
    | 今のところありません | 今のところ特になし | コメントなし | ノーコメント

    | 없음 | 없습니다 | 없어요 | 없다 | 없네요 | 특별히없음 | 특별히없습니다 | 특이사항없음 | 딱히없음 | 딱히없어요 | 모름 | 모르겠음
    | 모르겠어요 | 모르겠습니다 | 해당없음 | 해당사항없음 | 해당무 | 무 | 의견없음 | 별로없음 | 별로없어요 | 네 | 아니요 | 아니오
    | 따로없음 | 따로없습니다"""
)
_COURTESY = _set_of(
    # Said beside an empty answer they are empty; alone they are content.
    """thanks | thank you | thankyou | thx | ty | cheers | sorry | thanks a lot | many thanks | thank you very much | thanks so much | well
    | thank you so much | danke | vielen dank | gracias | muchas gracias | merci | grazie | obrigado | obrigada | bedankt | 谢谢 | 多谢
    | 感谢 | 谢谢你 | 谢谢您 | 谢谢大家 | 谢谢啦 | 辛苦了 | 不好意思 | 抱歉 | ありがとう | ありがとうございます | 감사합니다 | спасибо"""
)

# --- Chinese: an optional run of small words, what there is none of, particles -----------------------------------------------------------

_ZH_BEFORE = (
    "我|我们|本人|个人|自己|这边|这里|这个|这方面|对此|目前|暂时|暂|现在|当前|现阶段|至今|今天|这次|本次|真的|确实|实在|基本上?|好像|应该|可能|大概|"
    "也|都|并|还|还是|其他|其它|其余|别的|另外|真|觉得|感觉|想|就|是|说|额|嗯|呃|啊|哦"
)
_ZH_NONE = "没有?|木有|冇|么有|无"
_ZH_QUALITY = (
    "什么|啥|任何|其他|其它|别的|更多|特别|太多|太大|过多|多余|进一步|额外|具体|特殊|更好|好|的|需要|可以?|要|想|值得|大|个人|有效|相关"
)
_ZH_THING = (
    "意见|建议|评论|点评|评价|想法|看法|补充|补充说明|备注|附言|要求|诉求|内容|答案|提议|可说|说|好说|要说|想说|可说的|说的|好说的|要说的|想说的|"
    "补充的|提的|可提|要提|提|可写|写|可写的|写的|好写|改进|改善|提升|优化|建议的|改进的|改善的|提升的|优化的|反馈的|讲的|评价的|评论的"
)
_ZH_AFTER = "了|的|呢|吧|啊|呀|哦|哈|啦|呐|哟|额|嗯|喔|喽|咯|诶|耶|嘛|呵"
_ZH_EMPTY = re.compile(
    rf"(?:{_ZH_BEFORE})*(?:"
    rf"(?:(?:{_ZH_NONE})(?:{_ZH_AFTER}|{_ZH_NONE})*"
    rf"|(?:{_ZH_NONE}|没得|提不出)(?:{_ZH_QUALITY})*(?:{_ZH_THING})?(?:的?地方|之处|意见|建议|点)?"
    r"|没(?:什么|啥|想法|想好|想到|想过|意见|建议|填|填写|写)|没什么的?|没啥"
    r"|不(?:太|是很|是太|怎么|大)?(?:知道|清楚|了解|晓得|记得|确定)(?:该?(?:说|写|填|提|讲)(?:什么|啥)好?)?"
    r"|不(?:太?想|愿意?|方便|便|需要|用|做|予|作)(?:多说|说|填写|写|填|回答|评价|评论|透露|置评|补充|作答)|不详|不适用|不评价|不评论"
    r"|(?:还?没|尚未|暂未|未)(?:想到|想好|填写|填|考虑)(?:过|有)?(?:什么|啥)?|说不(?:清楚?|上来|出来|好)|想不(?:到|出来?|起来?)(?:有?什么)?"
    rf")(?:{_ZH_AFTER}|没有?|无)*"
    r"|略+|同上|如上|见上|如上所述|同前|跳过|空|空白|未填写?|保密|是|是的|对|否|有|有的|的|一|测试|测一下|试试|试一下|你好|您好|嗯+|哦+|啊|额+|呃+|唔|喔"
    r"|哈{2,}|嘿嘿|嘻嘻|凑个?字数?|打酱油|路过|随便填的?|无内容|无意义|不适用|暂缺|缺|待定|待补充|以后再说|下次再说|再说吧?)"
)
_ZH_NOT_EMPTY = _set_of(
    # The pattern above would take these for empty answers.
    """没有要求 | 没要求 | 没提升 | 没改进 | 没改善 | 没优化 | 没有提升 | 没有改进 | 没有改善 | 没有优化 | 无提升 | 无改进 | 无改善
    | 无优化 | 没说 | 没有说 | 没有写 | 没评价 | 没内容 | 没有内容 | 没答案 | 没有答案 | 没有想法 | 没想法 | 没提 | 没有提 | 没点评
    | 没好 | 没有好 | 无好 | 没大 | 没说的 | 没得说 | 没有点 | 没得 | 没点 | 没有特别 | 不方便 | 不便 | 没要 | 没有要 | 没需要 | 没好说
    | 没好的 | 无特殊 | 不确定 | 没诉求 | 无好评 | 没有好评 | 没好评"""
)

# --- Keyboard noise --------------------------------------------------------------------------------------------------------------------

_KEY_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEXT_KEYS = frozenset(pair for row in _KEY_ROWS for side in (row, row[::-1]) for pair in pairwise(side))
_REAL_WORDS = _set_of(
    "were | tree | poor | pool | look | property | retry | query | quit | quiet | power | pretty | error | saw | redo | rewe | fewer"
)
_REPEATED_UNIT = re.compile(r"([a-z]{2,4}?)\1+[a-z]?")
_ONE_LETTER = re.compile(r"([a-z])\1*")
_LONGEST_FILLER = 120
"""Characters of one sentence. Nobody needs more to say nothing, and no pattern here has to read more."""


def is_no_content(text: str) -> bool:
    """Tell whether ``text`` as a whole says nothing; the rule stands in the module docstring."""
    stripped = _IGNORED.sub(" ", text)
    if not _FEELINGS.isdisjoint(stripped) or _FEELING_FACE.search(stripped):
        return False
    folded = unicodedata.normalize("NFKC", stripped).casefold().translate(_TO_SIMPLIFIED).replace("’", "'")
    if _MARK.fullmatch(folded.strip(" .!")):
        return False
    for pattern, replacement in _RESPELLED:
        folded = pattern.sub(replacement, folded)
    pieces = [piece for piece in (_letters_only(found[0]) for found in _PIECE.finditer(folded)) if piece]
    if not pieces:
        return True
    rest = [piece for piece in pieces if piece not in _COURTESY]
    return bool(rest) and (" ".join(pieces) in _WHOLE or all(_is_filler(piece) for piece in rest))


def _letters_only(piece: str) -> str:
    """Keep words, one space between them; Chinese, Japanese and Korean are written together."""
    words = "".join(character if character.isalpha() or character == "'" else " " for character in piece).split()
    words = [word for word in (word.strip("'") for word in words) if word]
    return ("" if any(word[0] >= "\u1100" for word in words) else " ").join(words)


def _is_filler(piece: str) -> bool:
    if piece in _WHOLE:
        return True
    words = piece.split()
    if all(_is_noise(word) for word in words):
        return True
    if len(piece) > _LONGEST_FILLER:
        return False
    if _OTHER_LETTER.search(piece):
        return piece not in _ZH_NOT_EMPTY and _ZH_EMPTY.fullmatch(piece) is not None
    if piece in _NOT_EMPTY or ("it" in words and _VOID_HEADS.isdisjoint(words)):
        return False  # "it can not": that is about a thing, not about the answer
    return not _HEADS.isdisjoint(words) and all(word in _HEADS or word in _AROUND or len(word) == 1 for word in words)


def _is_noise(word: str) -> bool:
    """Whether a Latin word is one letter again and again, or fingers running over the keyboard."""
    if _ONE_LETTER.fullmatch(word):
        return True
    if len(word) < 4 or word in _REAL_WORDS:
        return False
    if not re.search("[aeiouy]", word) and _REPEATED_UNIT.fullmatch(word):
        return True
    keys = [key for key, _ in groupby(word)]  # "niceeee" is a word
    neighbours = sum(pair in _NEXT_KEYS for pair in pairwise(keys))
    return len(keys) >= 4 and 4 * neighbours >= 3 * (len(keys) - 1)
