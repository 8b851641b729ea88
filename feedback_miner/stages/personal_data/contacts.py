"""How people can be reached online: e-mail, links, handles, messenger accounts, network addresses."""

import ipaddress
import re

from feedback_miner.stages.personal_data.rule import HAN, Rule, count_digits, rule

__all__ = ["CONTACT_RULES"]

_LOCAL = r"(?<![A-Za-zÀ-ÿ0-9_])[A-Za-zÀ-ÿ0-9_][A-Za-zÀ-ÿ0-9._%+-]{0,63}"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PROVIDER = r"(?:gmail|googlemail|hotmail|outlook|yahoo|icloud|qq|163|126|foxmail|sina|sohu|aol|protonmail|proton|live|msn|gmx)"
_TLD = r"(?:com|cn|net|org|io|co|me|app|uk|de|fr|jp|hk|tw|top|xyz|info|link|ly|gl|cc|shop|club|vip|site|online)"
_PATH = r"[^\s<>\"，。！？；、（）《》【】“”…\u3400-\u9fff]"
_HANDLE_CUT = re.compile(r"(?<=..)[我你您他她它们这那的了是在吗怎为请快把被给都也就不没太真说]")


def _account(text: str) -> int:
    """An account name without a clear label has to carry a digit or an underscore: "WeChat payment" is no account."""
    return len(text) if re.search(r"[0-9_]", text) and not re.fullmatch(r"[0-9.]{1,5}", text) else 0


def _spelled_mail(text: str) -> int:
    """ "available at shop dot com" is no address: before "at" there has to be something that no word is."""
    return len(text) if re.match(r"[^ ]*[0-9._]", text) else 0


def _link(text: str) -> int:
    """Without the stop, comma or bracket that ends the sentence around it."""
    stripped = text.rstrip(".,;:!?'\"*")
    if stripped.endswith((")", "]")) and not set(stripped) & set("(["):
        stripped = stripped.rstrip(")].,")
    return len(stripped)


def _public_ip(text: str) -> int:
    """Four numbers under 256 with eight digits or more; shorter ones are mostly versions ("8.0.30.1")."""
    return len(text) if count_digits(text) >= 8 and all(int(part) < 256 for part in text.split(".")) else 0


def _ip(text: str) -> int:
    """Any valid address; a colon typed twice in a clock time ("08::30") makes too few groups."""
    try:
        address = ipaddress.ip_address(text)
        return len(text) if address.version == 4 or len(re.findall(r"[0-9A-Fa-f]+", text)) >= 4 else 0
    except ValueError:
        return 0


def _chinese_handle(text: str) -> int:
    """A nickname ends at a space or stop. Where none comes, the sentence follows at once: cut before its first pronoun or particle."""
    if len(text) <= 15:
        return len(text)
    cut = _HANDLE_CUT.search(text, 2)
    return cut.start() if cut else len(text)


CONTACT_RULES: tuple[Rule, ...] = (
    # E-mail addresses: plain, with the spaces and =40 of broken mail clients, and spelled out where the provider leaves no doubt.
    rule("EMAIL", rf"{_LOCAL}(?:@|=40|%40)(?:{_LABEL}[.。]){{1,5}}[A-Za-z]{{2,24}}(?![A-Za-z0-9])", needs=("@", "=40", "%40")),
    rule(
        "EMAIL",
        rf"{_LOCAL} ?[(\[{{] ?(?i:at|@) ?[)\]}}] ?{_LABEL}(?: ?[(\[{{] ?(?i:dot|\.) ?[)\]}}] ?| (?i:dot) |\.)[A-Za-z]{{2,24}}"
        r"(?![A-Za-z0-9])",
        needs=("(", "[", "{"),
    ),
    rule(
        "EMAIL",
        rf"{_LOCAL}(?i: at |艾特|圈a| ?[#@] ?)(?i:{_PROVIDER} ?(?:\.|点| dot ) ?(?:com|cn|net|org|de|co\.uk))(?![A-Za-z0-9])",
        needs=(" at ", "艾特", "圈a", "#", "@"),
    ),
    rule("EMAIL", rf"{_LOCAL} ?@ ?(?:{_LABEL}[.。]){{1,5}}{_TLD}(?![A-Za-z0-9])", needs=("@ ", " @")),
    rule("EMAIL", rf"{_LOCAL}(?i: at ){_LABEL}(?i: dot )(?:{_TLD})(?![A-Za-z0-9])", _spelled_mail, needs=(" dot ",)),
    # Links: with a scheme, with www, or with a path behind the domain. A bare "shop.com" is mostly the company's name and stays.
    rule(
        "URL",
        rf"(?:(?i:https?|ftp)|(?<![A-Za-z0-9])(?![A-Za-z]{{0,12}}https?:)[A-Za-z][A-Za-z0-9+.-]{{1,11}})://{_PATH}{{2,}}+",
        _link,
        needs=("://",),
    ),
    rule("URL", rf"(?<![A-Za-z0-9.@])(?i:www)\.{_PATH}{{3,}}+", _link, needs=("www.",)),
    rule("URL", rf"(?<![A-Za-z0-9.@_/-])(?:{_LABEL}\.){{1,4}}{_TLD}(?::[0-9]{{2,5}})?[/?]{_PATH}++", _link, needs=("/", "?")),
    # Social handles.
    rule(
        "HANDLE",
        rf"(?<![A-Za-z0-9_])@(?![0-9]+(?i:am|pm|k|g|gb|mb|p|hz|usd|rmb|x|th|st)?(?![A-Za-z0-9_]))[A-Za-z0-9_]{{2,40}}"
        rf"(?:\.[a-z0-9_]{{1,30}}){{0,3}}(?:@(?:{_LABEL}\.){{1,4}}[A-Za-z]{{2,24}})?",
        needs=("@",),
    ),
    rule("HANDLE", rf"(?<![A-Za-z0-9_])@(?=[A-Za-z0-9_·-]{{0,20}}[{HAN}])[A-Za-z0-9_·{HAN}-]{{2,30}}", _chinese_handle, needs=("@",)),
    rule("HANDLE", r"(?<![A-Za-z0-9/])/?u/[A-Za-z0-9_-]{3,20}(?![A-Za-z0-9_/-])", needs=("u/",)),
    # Messenger accounts: after a clear label anything that may be an id; after a loose one only what cannot be a word.
    rule(
        "ACCOUNT",
        r"(?:微信号码?|微信(?:id|ID)|(?:加|\+)(?:我|个|下|一下|他|她|你|您|客服)?(?:的)?(?:微信?|薇信?|[vV][xX]?(?![A-Za-z])"
        r"|[wW][xX](?![A-Za-z]))|[vV]信|薇信|威信号?)"
        r"[ :是为号=]{0,4}(?P<it>[A-Za-z][A-Za-z0-9_-]{3,19}|[1-9][0-9]{4,11})(?![A-Za-z0-9_])(?![元块人个多])",
        needs=("微", "加", "+", "v信", "薇", "威"),
    ),
    rule(
        "ACCOUNT",
        r"(?:微信|(?<![A-Za-z])(?:[wW]e[cC]hat|WECHAT|[wW]eixin|[vV][xX]?|[wW][xX]))(?: ?(?i:id|account|number))?"
        r"(?:(?: ?[:=是]| is|号| ) ?|(?<=微信))(?P<it>[A-Za-z][A-Za-z0-9_-]{5,19})(?![A-Za-z0-9_])",
        _account,
        needs=("微信", "wechat", "weixin", "v", "wx"),
    ),
    rule(
        "ACCOUNT",
        r"(?:(?<![A-Za-z])[qQ]{2}|扣扣|企鹅)(?:号码?|群号?|邮箱)?[ :是为号=]{0,4}(?P<it>[1-9][0-9]{4,11})(?![0-9A-Za-z])(?!\.[0-9]"
        r"|[元块人个多万])",
        digits=5,
    ),
    rule(
        "ACCOUNT",
        r"(?i:(?<![a-z])(?:skype|telegram|line id|whatsapp|snapchat|instagram|insta|ig|tiktok|facebook|fb|twitter|user ?name"
        r"|user ?id|login)"
        r"(?: (?:id|name|handle|account))?(?: ?[:=]| is) ?)(?P<it>[A-Za-z][A-Za-z0-9_.:-]{3,30}[A-Za-z0-9])",
        _account,
        needs=(
            "skype",
            "telegram",
            "line id",
            "whatsapp",
            "snapchat",
            "insta",
            "ig",
            "tiktok",
            "facebook",
            "fb",
            "twitter",
            "user",
            "login",
        ),
    ),
    rule(
        "ACCOUNT",
        r"(?:抖音号|快手号|小红书号|微博(?:id|ID|号|名)|支付宝(?:账号|帐号|号)?|淘宝(?:id|ID|账号|号)|旺旺号?|用户名|账号"
        r"|帐号)[ :是为叫=]{0,4}"
        r"(?P<it>[A-Za-z][A-Za-z0-9_-]{3,24})(?![A-Za-z0-9_])",
        _account,
        needs=("号", "微博", "支付宝", "淘宝", "旺旺", "用户名"),
    ),
    # Network addresses.
    rule(
        "IP",
        r"(?<![0-9A-Za-z.])(?<!版本)(?<!版本 )(?<!version )(?<!Version )[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?!\.?[0-9])",
        _public_ip,
        digits=8,
    ),
    rule(
        "IP", r"(?i:(?<![a-z])ip)(?i: ?address)?[ :地址是为=]{1,6}(?:is )?(?P<it>[0-9]{1,3}(?:\.[0-9]{1,3}){3})(?!\.?[0-9])", _ip, digits=4
    ),
    rule("IP", r"(?<![0-9A-Za-z:.])(?=[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:)[0-9A-Fa-f:]{6,39}(?![0-9A-Za-z:])", _ip, needs=(":",)),
    rule("IP", r"(?<![0-9A-Za-z:-])(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}(?![0-9A-Za-z:])", needs=(":",)),
)
