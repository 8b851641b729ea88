"""Where people live: street and number, or building and flat, in English, Chinese and German forms.

A town, a district or a street alone is not an address: "南京路很堵" stays. French and Spanish addresses, villages without street names and
buildings known by name only are missed.
"""

import re

from feedback_miner.stages.personal_data.rule import HAN, Rule, rule, words

__all__ = ["ADDRESS_RULES"]

_NOT_IN_STREETS = "我你您他她它们这那的了是在住到从往寄送至给就都也不没很说让叫把被及请问找着过将还有因对但而且又再只每个些位该"
_NOT_STREETS = words(
    """
    best block blocks car day days dead different down easy fast first good great half hour hours in inch km lane lanes long main mile
    miles minute minutes month months more new nice of old on one person point rated right second short side star stars step the their
    this times top total two up way week weeks wrong year years
    """
)
_STATES = "A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]|W[AIVY]"
_POSTCODE = r"[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][ABD-HJLNP-UW-Z]{2}"
_STREET = r"(?:[A-Z][A-Za-z'’.-]{0,20} ){1,4}"
_KIND_OF_STREET = (
    r"(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Boulevard|Blvd|Way|Court|Ct|Close|Crescent|Cres|Place|Pl|Square|Sq"
    r"|Terrace|Gardens|Grove"
    r"|Highway|Hwy|Parkway|Pkwy|Row|Mews|Hill|Circle|Trail)(?![A-Za-z])\.?"
)
_FLAT = r"(?i:apt|apartment|flat|unit|suite|room|#)\.? ?[0-9A-Za-z]{1,5}"
_PLACE_HAN = rf"(?:(?![{_NOT_IN_STREETS}])[{HAN}])"
_FIGURE = "[0-9A-Za-z一二三四五六七八九十百零〇甲乙丙]"
# Atomic: once a province, city or district is read it stays read, or "区区区区…" would be read in exponentially many ways.
_ADMIN = rf"(?>(?:{_PLACE_HAN}{{1,5}}?(?:自治区|自治州|街道|新区|开发区|省|市|区|县|镇|乡|州)){{1,4}})"
_FLAT_NUMBER = "(?:[0-9]{3,4}(?![0-9年月元米人块]))?"
_INDOORS = (
    rf"(?:[ ,-]?(?:{_FIGURE}{{1,5}}(?:号楼|单元|号院|号|弄|栋|幢|座|楼|层|室|房|户|院)|[A-Za-z]座"
    rf"|[0-9]{{1,3}}-[0-9]{{1,4}}(?:-[0-9]{{1,4}})?))"
)


def _street(text: str) -> int:
    """Number, name, street; not "2 Hour Drive" or "100 Best Places"."""
    named = {word.casefold().strip(".,") for word in re.findall(r"[A-Za-z'’.]+", text)[:-1]}
    return 0 if named & _NOT_STREETS else len(text)


def _postcode(text: str) -> int:
    """Not a size or a rank that looks like one: "S9 8GB", "Q1 2ND"."""
    return 0 if text.endswith(("GB", "TB", "HP", "HZ", "PX", "FT", "LB", "ST", "ND", "RD", "TH", "PT", "BN")) else len(text)


ADDRESS_RULES: tuple[Rule, ...] = (
    rule(
        "ADDRESS",
        rf"(?<![A-Za-z0-9])(?:{_FLAT},? )?[0-9]{{1,5}}[A-Za-z]?(?:[-/][0-9]{{1,5}})?,? {_STREET}{_KIND_OF_STREET}(?:,? {_FLAT})?"
        rf"(?:,? (?:[A-Z][A-Za-z'’-]{{1,20}},? ){{0,3}}(?:{_POSTCODE}|(?:{_STATES}),? [0-9]{{5}}(?:-[0-9]{{4}})?)(?![A-Za-z0-9]))?",
        _street,
        digits=1,
    ),
    rule("ADDRESS", r"(?<![A-Za-z0-9])[0-9]{1,5}[a-z]?,? [a-z]{3,15} (?:street|avenue)(?![a-z])", _street, needs=("street", "avenue")),
    rule("ADDRESS", r"(?<![A-Za-z])(?i:p\.? ?o\.? box) [0-9]{1,6}(?![0-9])", needs=("box",), digits=1),
    rule("ADDRESS", rf"(?<![A-Za-z0-9]){_POSTCODE.replace(' ?', ' ')}(?![A-Za-z0-9])", _postcode, digits=2),
    rule(
        "ADDRESS",
        rf"(?i:(?<![a-z])(?:post ?code|zip(?: code)?|邮编|邮政编码)(?: is)?[ :是为]{{1,3}})(?P<it>{_POSTCODE}|[0-9]{{5,6}}"
        rf"(?:-[0-9]{{4}})?)(?![A-Za-z0-9])",
        digits=2,
    ),
    rule("ADDRESS", rf"(?<=, )(?:{_STATES}) [0-9]{{5}}(?:-[0-9]{{4}})?(?![0-9A-Za-z])", digits=5),
    rule(
        "ADDRESS",
        r"(?<![A-Za-zÀ-ÿ])[A-ZÄÖÜ][A-Za-zäöüß-]{2,24}(?:straße|strasse|str\.|gasse|allee|platz) ?[0-9]{1,4}[a-z]?(?![0-9A-Za-z])",
        needs=("stra", "str.", "gasse", "allee", "platz"),
        digits=1,
    ),
    rule(
        "ADDRESS",
        rf"(?:{_ADMIN}{_PLACE_HAN}{{0,6}}|{_PLACE_HAN}{{1,6}})(?:大道|大街|公路|路|街|道|巷|胡同|里弄)"
        rf"(?:[东西南北中一二三四五六1-6]段)?[ ,]?"
        rf"(?:{_FIGURE}{{1,5}}号(?!线|门|出口|口|店|机|码|车)|[0-9]{{1,5}}弄)(?:{_INDOORS}{{1,6}}{_FLAT_NUMBER})?",
        needs=("号", "弄"),
    ),
    rule(
        "ADDRESS",
        rf"(?:{_ADMIN}{_PLACE_HAN}{{0,8}}|{_PLACE_HAN}{{1,8}})(?:小区|花园|公寓|苑|新村|家园|大厦|府|庭|社区|村|城"
        rf"|里)[ ,]?{_FIGURE}{{1,4}}(?:号楼|栋|幢|座|单元)"
        rf"(?:{_INDOORS}{{0,5}}{_FLAT_NUMBER})",
        needs=("栋", "幢", "号楼", "座", "单元"),
    ),
    rule("ADDRESS", r"(?<![0-9])[0-9]{1,3}(?:栋|幢|号楼)[0-9]{1,2}单元(?:[0-9]{1,2}楼)?[0-9]{2,4}(?:室|号|户)?", digits=4),
)
