"""How people are named, in English and Chinese.

A bare name is not recognised: "Grace" and "高峰" are words as often as people. A name counts behind or before something that only goes
with a person: a title, a family name with a Chinese title, "my name is", "spoke to", 客服小…, a signature.
"""

import re

from feedback_miner.stages.personal_data.rule import HAN, Rule, rule, words

__all__ = ["NAME_RULES"]

# --------------------------------------------------------------------------------------------------------- names in English


_COMMON = words(
    """
    a about absolutely account after again agent agents all already also always am america american an and another any anyone app
    appointment appointments apr april are arrived as at aug august autumn avoid away back bad be because been before being best better
    bill billing bit booking both bought branch british but buy by call called came can canada card care cash center centre change chat
    check china chinese christmas clearly clinic code company complaint complaints consultant could customer customers day days dec
    december delivery department dept desk did didn do does doesn doing don done driver each easter email emails england english eu europe
    even ever every everyone everything excellent experience extremely fast feb february few finally find first food for free french fri
    friday from front full german get give given go going good got great guest had half happy has have having he head help helpful her
    here hi him his home hope horrible hospital hour hours how however human i if in india indian info information internet into is issue
    it its jan january japan jul july jun june just keep kind know last late later led left less let like line live local london long lot
    made mail main make man management manager many mar march may maybe me mexico minute minutes mon monday month months more most much my
    myself need needs never new next nice no nobody none not nothing nov november now nurse oct october of off office okay on once one
    online only open operator or order orders other our out over own page parcel party payment people person phone place please policy
    poor practitioner practitioners price problem product quality quick quite rather real really recently reception receptionist
    receptionists refund reply representative reps return reviews right said sales same sat saturday say second seller sent sep sept
    september serious service services several she shop should since so some somebody someone soon spanish spring staff star stars still
    stop store such sue summer sun sunday super supervisor support sure surgery take team tech technical terrible than thank thanks that
    the their them then there these they thing things this those though three thu thursday time to today told tomorrow too took tried try
    tue tuesday two uk unacceptable under unfortunately until up update upset us usa use used user various very via visit visiting visits
    wait waited waiting want ward was wasn waste way we web website wed wednesday week weeks well went were what when where which while
    who whole why will winter with woman word work worst would year years yes yesterday yet you your yours zero
    """
)

_FIGURES = words(
    """
    bean beat clean coffee dolittle doubtfire dre evil fields frosty incredible jart kipling martens martin's muscle nice oetker oz pepper
    potato right robot scholl scholls seuss strange t universe whippy who wonderful world
    """
)
"""What follows "Mr" or "Dr" in brand and film names rather than in people's."""

_GIVEN = words(
    """
    aaron abby abdul abigail adam adrian ahmed aisha alan albert alejandro alex alexander alexandra alexis ali alice alicia alison allison
    amanda amir amit amy ana anastasia andre andrea andrew andy angela anil anita anjali ann anna anne annie anthony antonio arjun arthur
    ashley audrey barbara ben benjamin bernard beth bethany betty beverly bob bobby bonnie brad bradley brandon brenda brian bridget bruce
    bryan caitlin cameron carl carla carlos carmen caroline carolyn catherine cathy cheryl chloe chris christina christine christopher
    cindy claire claudia colin connor craig cynthia dan daniel daniela danielle darren dave david dawn debbie deborah debra deepak denise
    dennis derek diana diane diego dominic donald donna doris dorothy doug douglas duncan dylan eddie edward eileen elaine elena elizabeth
    ella ellen emily emma eric erica erin ethan eugene evan evelyn fatima fernando fiona frances francesca frank gabriel gareth gary gavin
    geoff george gerald gillian gina giovanni glenn gloria gordon graham greg gregory hannah harold harriet harry hassan heather heidi
    helen henry howard hugh ian ibrahim irene isaac isabel isabella ivan jackie jacob jacqueline jake james jamie jan jane janet janice
    jason javier jean jeff jeffrey jen jennifer jenny jeremy jerry jesse jessica jill jim jimmy joan joanna joanne joe joel johan john
    johnny jon jonathan jorge jose joseph josh joshua joyce juan judith judy julia julian julie justin karen karl kate katherine kathleen
    kathryn kathy katie keith kelly ken kenneth kerry kevin kim kimberly kirsten kumar kyle lakshmi larry laura lauren laurie lawrence lee
    leila leo leon leonard leslie lewis liam linda lisa liz lorraine louis louise lucas lucy luis luke lynn maggie malcolm marcus margaret
    maria marie marilyn mario marion mark marta martha martin mary mateo matt matthew maureen maurice megan mei melissa michael michelle
    miguel mike mohamed mohammed molly monica muhammad nadia nancy naomi natalie natasha nathan neil nicholas nicola nicole nigel nikhil
    nina noah nora olga oliver olivia omar oscar owen pablo pamela patricia patrick paul paula pauline pedro peggy penny peter phil philip
    phyllis pooja priya rachel rahul raj rajesh ralph ramesh raquel ravi raymond rebecca ricardo richard rick rita robert roberta robin
    roger roland ronald rosa rosie ross roy russell ruth ryan sally sam samantha samuel sandra sandy sanjay sara sarah scott sean sergio
    shannon sharon shaun shawn sheila shirley simon sofia sonia sophia sophie stacey stanley stella stephanie stephen steve steven stuart
    sunil susan suzanne sylvia tamara tanya tara ted teresa terry theresa thomas tim timothy tina todd tom tony tracey tracy travis trevor
    tyler valerie vanessa vera veronica vicki victoria vijay vincent vivian walter wanda wayne wei wendy william yusuf yvonne zach zachary
    zoe
    """
)
"""Enough given names to tell "spoke to Karen" from "spoke to Billing" without listing companies."""

_WORD = r"[A-ZÀ-Þ][A-Za-zÀ-ÿ'’-]{1,24}"
_FULL = rf"{_WORD}(?:(?: (?:[A-Z]\.|van|von|de|der|da|di|bin|al))?(?: {_WORD})){{0,2}}(?![A-Za-zÀ-ÿ])"
_ROLE = (
    r"(?:agent|rep|representative|man|woman|lady|guy|gentleman|person|someone|somebody|advis[oe]r|manager|supervisor|nurse"
    r"|doctor|driver|girl|boy"
    r"|assistant|colleague|employee|clerk|waiter|waitress|server|associate|operator|steward|stewardess|member of staff"
    r"|staff member|receptionist|technician"
    r"|engineer|cashier|barista|host|hostess|consultant|midwife|paramedic|dentist|stylist|therapist|teacher|instructor"
    r"|salesman|saleswoman|salesperson)"
)
_MET = (
    r"(?:sp[eo]a?ke?n? (?:to|with)|speaking (?:to|with)|talk(?:ed|ing)? (?:to|with)|chatt(?:ed|ing) (?:to|with)|deal(?:t"
    r"|ing) with|(?:served|helped|assisted|seen"
    r"|treated|greeted|answered|handled) by|transferred (?:me )?to|thanks to|thank you,?|shout ?out to|kudos to|ask(?:ed)? for)"
)
_MET_WORDS = (
    *("spoke", "spoken", "speak", "talk", "chat", "deal", "served", "helped", "assisted", "seen", "treated", "greeted", "answered"),
    *("handled", "transferred", "thanks to", "thank you", "shout", "kudos", "ask"),
)
_ROLE_WORDS = tuple(re.findall(r"(?<![a-z])[a-z ]{3,}(?![a-z])", _ROLE.replace("advis[oe]r", "advis")))
_TITLES_EN = ("mr", "ms", "miss", "mx", "dr", "prof", "doctor", "nurse", "sister", "sir", "matron", "officer", "captain", "madam")


def _plain(word: str) -> str:
    return re.sub(r"['’]s$", "", word).strip("'’-").casefold()


def _name_length(text: str, start: int) -> int:
    """How far the name that begins at ``start`` goes: up to the first common word or possessive; ``start`` itself if it is none."""
    end = start
    for match in re.finditer(r"[^ ]+", text[start:]):
        word = match[0]
        if _plain(word) in _COMMON or len(_plain(word).strip(".")) < 1:
            break
        possessive = re.search(r"['’][sS]?$", word)
        end = start + match.end() - (len(possessive[0]) if possessive else 0)
        if possessive:
            break
    return end


def _titled(text: str) -> int:
    """Title and name; nothing where a brand ("Dr. Martens"), a film or a common word follows the title."""
    head = re.match(r"[A-Za-z]+\.? ?", text)
    start = head.end() if head else 0
    first = _plain(text[start:].split(" ")[0])
    end = start if first in _FIGURES else _name_length(text, start)
    return end if end > start else 0


def _any_name(text: str) -> int:
    return _name_length(text, 0)


def _given_name(text: str) -> int:
    return _name_length(text, 0) if _plain(text.split(" ")[0]) in _GIVEN else 0


def _lower_titled(text: str) -> int:
    name = text.split(maxsplit=1)[1]
    return 0 if _plain(name) in _COMMON | _FIGURES or len(name) < 3 else len(text)


# --------------------------------------------------------------------------------------------------------- names in Chinese

# A family name, then the characters that make a word with it from before: 行李, 紧张, 金黄. There it is no name.
_SURNAMES = {
    word[0]: word[1:]
    for word in sorted(
        words("""
    王国大霸帝女 李行桃 张一二两三四五六七八九十几每紧夸主慌扩半 刘 陈新 杨 赵 吴 徐 孙子 朱 胡二含柴 郭 林森园树雨密农 罗包网
    梁桥脊房 宋 郑 韩日 唐荒颓 冯 董古校 萧 肖生 曹 袁 邓 沈 彭 吕 苏江流复 卢 蒋 蔡 贾商 丁布园肉补鸡 魏 薛 潘 杜 汪汪 姜生洋老
    范师规示模防典 姚 谭 廖 邹 熊狗 金现奖押租资基美佣定酬违白黄合五 陆登着大上内水 郝 崔 邱 秦 侯 邵 孟 黎 贺祝恭 龚 赖依信无耍 樊 殷
    陶 翟 倪 俞 黄蛋泛发枯金硝土 马人骑斑河罗赛上木 何任如为几 戴佩穿爱 洪山防抗 傅师 葛瓜 江长珠 田农油稻 尹 鲍 莫 柯 裴 覃 辛艰 窦
    霍 詹 甘 兰马荷芬波 聂 焦烤聚 邢 岳 耿 庞 闫 阎 涂糊 毕完 齐整 伍队 牛奶水黄吹肥 颜容 庄农村山酒 梅杨 尤 卓 欧西北东南 冼 池电水
    """)
    )
}
_RISKY_SURNAMES = "周高谢许曾叶余程任方石白康毛史顾龙万段雷钱汤易常武乔文施温关向于夏章华季付孔安游包龚骆柳阮"
_COMPOUND_SURNAMES = "欧阳|上官|司马|诸葛|皇甫|尉迟|公孙|慕容|司徒|令狐|夏侯|端木|独孤|南宫|宇文"
_TITLE = (
    r"(?:先生|女士(?!鞋|包包|衣|裤|款|装|衬|裙|羽|泳|表|手表|运动|香水|专用)|小姐(?!姐)|太太|总经理|总裁|副?经理|店长|主管|总监"
    r"|师傅|老师(?!傅)|医生|医师|大夫"
    r"|主任|工程师|护士|教授|律师|警官|院长|校长|队长|所长|处长|科长|局长|部长|组长|班长|站长|老板|阿姨|大姐|大哥|顾问|专员)"
)
_FUNCTION = (
    "我你您他她它们这那的了是住在到从去往寄送至于和给有就也都不没很太真说让叫把被个位为与或及跟请问找来上下前后着过得地但"
    "而且又还再才刚最更好"
)
_INTRODUCER = "找给让叫跟与由请问被姓位们说服购售员系谢是台名"


def _either(guards: dict[str, str]) -> str:
    return "|".join(f"(?<![{before}]){name}" if before else name for name, before in guards.items())


_SAFE = rf"(?:{_COMPOUND_SURNAMES}|{_either(_SURNAMES)})"
_RISKY = rf"(?:(?<![{HAN}])|(?<=[{_INTRODUCER}]))(?!(?<=谢)谢|(?<=[由位])于|(?<=[购售])方)[{_RISKY_SURNAMES}]"
_ANY_SURNAME = rf"(?:{_COMPOUND_SURNAMES}|[{''.join(_SURNAMES)}{_RISKY_SURNAMES}])"
_CONTENT_HAN = rf"(?:(?![{_FUNCTION}])[{HAN}])"
"""A character of a name or place: no pronoun, particle or preposition."""
_SURE = rf"(?:{_COMPOUND_SURNAMES}|[{''.join(_SURNAMES)}])"
_TITLE_WORDS = tuple(
    sorted(
        words(
            "先生 女士 小姐 太太 经理 主管 总监 总裁 师傅 老师 医生 医师 大夫 主任 工程师 护士 教授 律师 警官 长 老板 阿姨 大姐 大哥"
            " 顾问 专员"
        )
    )
)
_NICKNAMES = "王李张刘陈杨赵吴徐孙朱胡郭林梁宋郑韩唐冯董曹袁邓沈彭吕苏卢蒋蔡贾丁魏薛潘杜汪姜范姚谭廖邹陆郝崔邱秦侯邵孟贺龚罗周谢叶余何顾毛"
_PLAIN_SURNAMES = "王李张刘陈杨赵吴徐孙朱郭宋郑韩唐冯董曹袁邓沈彭吕卢蒋蔡贾魏薛潘杜姚谭廖邹郝崔邱秦侯邵孟龚"
_ROLE_WORDS_ZH = (
    "客服",
    "导购",
    "员",
    "骑手",
    "师",
    "销售",
    "经理",
    "顾问",
    "前台",
    "司机",
    "小哥",
    "主管",
    "护士",
    "安装工",
    "维修工",
    "店长",
)
_CHINESE_ROLE = (
    r"(?:客服|导购|快递员|骑手|师傅|店员|销售|服务员|客户经理|顾问|前台|理发师|司机|工作人员|专员|小哥|经理|主管|护士"
    r"|配送员|安装工|维修工|柜员|收银员)"
)

NAME_RULES: tuple[Rule, ...] = (
    rule(
        "NAME",
        rf"(?<![A-Za-z])(?:Mr|MR|Mrs|MRS|Ms|Miss|Mx|Dr|DR|Prof|Professor|Doctor|Nurse|Sister|Sir|Matron|Officer|Captain|Madam)"
        rf"(?:\. ?| ){_FULL}",
        _titled,
        needs=_TITLES_EN,
    ),
    rule("NAME", r"(?<![A-Za-z])(?:mr|mrs)\.? [A-Za-z]{3,24}(?![A-Za-z])", _lower_titled, needs=("mr",)),
    rule(
        "NAME",
        rf"(?<![A-Za-z])(?:(?:dr|prof)\.?|ms|miss|professor|doctor|nurse) (?P<it>{_FULL})",
        _any_name,
        needs=("dr", "prof", "ms", "miss", "doctor", "nurse"),
    ),
    rule(
        "NAME",
        rf"(?i:(?<![a-z])(?:my name(?: is|['’]s| was)|(?:customer |full |patient |contact |first |last )?names? ?:|(?:(?:his"
        rf"|her) name|name of the {_ROLE}) (?:is|was)"
        rf"|{_ROLE}(?: was| is|,|,? who (?:is|was))? (?:called|named|by the name of)|agent name[d:]?) ?)(?P<it>{_FULL})",
        _any_name,
        needs=("name", "called"),
    ),
    rule("NAME", rf"(?i:(?<![a-z]){_MET} )(?P<it>{_FULL})", _given_name, needs=_MET_WORDS),
    rule("NAME", rf"(?i:(?<![a-z]){_ROLE},? )(?P<it>{_FULL})", _given_name, needs=_ROLE_WORDS),
    rule(
        "NAME",
        rf"(?i:(?<![a-z]){_MET} )(?P<it>{_WORD}(?: {_WORD})?)(?=,? (?:who|from|(?:the|a|your|our) {_ROLE})(?![A-Za-z]))",
        _any_name,
        needs=_MET_WORDS,
    ),
    rule("NAME", r"(?i:(?<![a-z])sp(?:oke|eaking) (?:to|with) )(?P<it>[a-z]{3,12})(?![a-z])", _given_name, needs=("spoke ", "speaking ")),
    rule(
        "NAME",
        rf"(?i:(?<![a-z])(?:regards|sincerely|faithfully|signed|yours truly|best wishes)[,:!.]{{0,2}}[ \n]{{1,3}})"
        rf"(?P<it>{_FULL})(?= *(?:[^A-Za-z ]|$))",
        _any_name,
        needs=("regards", "sincerely", "faithfully", "signed", "yours truly", "best wishes"),
    ),
    rule(
        "NAME", rf"(?i:(?<![a-z])(?:regards|sincerely|signed)[,:] )(?P<it>{_FULL})", _given_name, needs=("regards", "sincerely", "signed")
    ),
    rule(
        "NAME",
        rf"(?<![A-Za-z])(?P<it>{_WORD}) (?=(?:at|in|from|on) (?:the |your )?"
        r"(?:reception|desk|front|billing|sales|support|customer|till|checkout|counter|tech))",
        _given_name,
        needs=("reception", "desk", "front", "billing", "sales", "support", "customer", "till", "checkout", "counter", "tech"),
    ),
    rule("NAME", rf"(?:{_SAFE}|{_RISKY}){_TITLE}", needs=_TITLE_WORDS),
    rule(
        "NAME",
        rf"(?:(?<![{HAN}])|(?<=[{_INTRODUCER}]))(?:{_SURE}{_CONTENT_HAN}{{1,2}})(?=先生|女士|小姐|太太|医|大夫|教授|老师|师傅"
        rf"|主任|护士|律师|警官|校长){_TITLE}",
        needs=_TITLE_WORDS,
    ),
    rule("NAME", rf"(?:{_SAFE})总(?![是部体的之共算结会数分能得有在觉额量值裁归要想会])", needs=("总",)),
    rule(
        "NAME",
        rf"{_CHINESE_ROLE}(?P<it>[小老][{_NICKNAMES}](?![子打板师])|[小老]{_ANY_SURNAME}(?=说|的服务|的?态度|服务|很|非常|特别"
        rf"|告诉|帮|不|$|[^{HAN}]))",
        needs=("小", "老"),
    ),
    rule(
        "NAME",
        rf"(?:名字叫|我叫|本人叫|名叫|姓名|联系人|收[件货]人|寄件人|下单人|持卡人|乘客|患者|投诉人|机主|署名)[ :是为]{{0,3}}"
        rf"(?P<it>{_ANY_SURNAME}{_CONTENT_HAN}{{1,2}})(?![{HAN}])",
        needs=("叫", "名", "人", "客", "者", "主"),
    ),
    rule(
        "NAME",
        rf"(?:名字叫|我叫|本人叫|姓名|联系人|收[件货]人|寄件人|持卡人)[ :是为]{{0,3}}(?P<it>{_ANY_SURNAME}{_CONTENT_HAN}{{1,2}})"
        r"(?=谢谢|请|您好|你好|电话|手机|地址|身份证|联系)",
        needs=("叫", "名", "人"),
    ),
    rule(
        "NAME",
        rf"(?:{_CHINESE_ROLE}员?|店长)(?P<it>[{_PLAIN_SURNAMES}](?![口嘴开者牌])(?:{_CONTENT_HAN}){{1,2}})(?=的|不|很|态度|服务|说|[^{HAN}]|$)",
        needs=_ROLE_WORDS_ZH,
    ),
    rule("NAME", rf"(?:我是|本人)(?P<it>{_SURE}{_CONTENT_HAN}{{2}}(?<![人号市区族级卡党员控粉迷]))(?![{HAN}])", needs=("我是", "本人")),
    rule("NAME", rf"叫(?P<it>{_ANY_SURNAME}{_CONTENT_HAN}{{1,2}})(?=的?{_CHINESE_ROLE})", needs=("叫",)),
)
