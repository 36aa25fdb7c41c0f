"""The words of a sentence that code holds against the items it cites: numbers, names, claims."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable


def _words(text: str) -> frozenset[str]:
    return frozenset(text.casefold().split())


_NUMBER = re.compile(r"\d{4}-\d\d-\d\d(?!\d)|(?:(?<!\w)-)?\d+(?:[.,:]\d+)*(?:\s?%)?")
_WORD = re.compile(r"[\w@](?:[\w@./:'’-]*[\w@])?")
_PLAIN = re.compile(r"[^\W\d_]+")
_SPOKEN = {
    "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8",
    "nine": "9", "ten": "10", "eleven": "11", "twelve": "12", "twenty": "20", "thirty": "30",
    "forty": "40", "fifty": "50", "hundred": "100", "thousand": "1000", "million": "1000000",
    "dozen": "12", "half": "50%", "twice": "2", "zero": "0", "zwei": "2", "drei": "3", "vier": "4",
    "fünf": "5", "sechs": "6", "sieben": "7", "acht": "8", "neun": "9", "zehn": "10", "elf": "11",
    "zwölf": "12", "hundert": "100", "tausend": "1000",
}  # fmt: skip
_WHOLE = _words("""
    all every everything everyone everybody each always any never none nobody nothing only fully
    complete completely entire entirely whole wholly throughout most mostly many majority several
    few often regularly routinely continuously continually periodically daily weekly monthly
    quarterly yearly annually annual consistently systematically usually rarely seldom hardly
    frequently ongoing constantly alle allen aller alles jede jeder jedes immer nie niemand nichts
    nur vollständig ganz sämtliche meist meisten viele mehrere wenige oft selten regelmäßig ständig
    laufend täglich wöchentlich monatlich jährlich
""")
_JUDGING = _words("""
    good well better best effective effectively adequate adequately sufficient sufficiently robust
    fair safe safely secure securely appropriate appropriately proper properly reliable trustworthy
    strong excellent mature sound correct correctly responsible responsibly transparent ethical
    unbiased accurate ensure ensures ensured ensuring guarantee guarantees guaranteed prove proves
    proved proven demonstrate demonstrates demonstrated assure assures assured protect protects
    protected prevent prevents prevented angemessen wirksam sicher ausreichend gut zuverlässig
    ordnungsgemäß korrekt
""")
_DECIDING = _words("""
    approved approval rejected rejection accepted declined refused denied granted revoked signed
    closed opened open reopened resolved unresolved solved fixed mitigated remediated enabled
    disabled increased decreased rose fell above below over under exceeded exceeds higher lower more
    less fewer before after deleted removed added missing lacking absent present started stopped
    completed finished pending overdue late delayed expired renewed trained retrained deployed
    withdrawn retired confirmed verified validated improved worsened detected genehmigt
    abgelehnt geschlossen offen behoben erhöht gesenkt gelöscht fehlt fehlen bestätigt geprüft
""")
_NOT = re.compile(
    r"\b(?:no|not|never|none|nobody|nothing|neither|nor|without|cannot|\w+n['’]t|"
    r"kein\w*|nicht\w*|nie|niemand|ohne)\b",
    re.I,
)
_TURNS = ("un", "in", "im", "ir", "dis", "non", "mis")
_PASS = re.compile(
    r"\b(?:pass(?:ed|es|ing)?|succe(?:ed\w*|ss\w*)|green|bestanden|erfolgreich\w*)\b", re.I
)
_FAIL = re.compile(r"\b(?:fail(?:s|ed|ing|ures?)?|errors?|erred|red|fehlgeschlagen|Fehler)\b", re.I)
_NOW = re.compile(
    r"\b(?:currently|current|up[ -]to[ -]date|in date|fresh|recent\w*|today|now|still|valid|"
    r"aktuell\w*|derzeit|heute|gültig\w*)\b",
    re.I,
)
_CONFORMING = r"compl(?:y|ies|ied|iant|iance)|conform|certif|accredit|konform|zertifi"
_CONFORMS = re.compile(
    _CONFORMING + r"|"
    r"\b(?:fulfil\w*|satisf(?:y|ies|ied)|erfüll\w*|audit[ -]ready)|"
    r"\b(?:meets?|met)\s+(?:\w+\s+){0,3}(?:requirement|standard|control|clause|obligation|need)|"
    r"\b(?:in line|in accordance|in keeping|according|entspricht)\b.{0,30}"
    r"\b(?:iso|iec|standard|norm|requirement|clause|annex|anforderung)",
    re.I,
)
_STARTS = _words("""
    a an the on in of at by to for from with after before since as it its this that these those
    there his her their they he she we our both one no not when while during until under between
    evidence record records item items der die das ein eine am im in von vor nach mit es sie dies
    diese kein keine laut
""")
_SCRIPTS = {"LATIN", "GREEK", "CYRILLIC"}
_ODD = {"So", "Sk", "Mn", "Me", "Co", "Cn"}
_LATIN_ENDS = 0x250
"""Latin letters after these are made for phonetics, and look like others."""
_LEAST, _STEM = 3, 5
_TAIL = re.compile(r"(?<=\w{4})(?:ations?|ings?|ied|ies|ed|es|s|en|e|y)$")
_DONE = re.compile(r"(?:\w{2,}ed|ge\w{3,}(?:t|en))")
_TELLING = _words("""
    recorded observed listed named noted stated reported described reached showed used based counted
    amounted occurred happened genannt gegen gesamt gemäß geben
""")
_EMPTY = _words("""
    the and for was are has had its his her our who not but that this these those with from were
    been have which their there when where what will would into also such than then them they some
    more most very between during about after before record records recorded item items evidence
    shows showed states stated said says system outcome observed der die das und ist war den dem
    des ein eine einer eines einem diese dieser dieses wurde wurden nach sind auch
""")


def plainly(text: str) -> str:
    """The text as it is compared: signs that look alike are alike."""
    return unicodedata.normalize("NFKC", text).replace("\u2212", "-")


def numbers(text: str) -> frozenset[str]:
    """Every number, day and share in the text that is written in digits."""
    return frozenset(re.sub(r"\s", "", one) for one in _NUMBER.findall(plainly(text)))


def spoken(text: str) -> Iterable[tuple[str, str]]:
    """The numbers that the text has in words, each with its digits."""
    return ((word, _SPOKEN[word]) for word in bare(text) if word in _SPOKEN)


def bare(text: str) -> list[str]:
    """The words of letters only, in small ones."""
    return _PLAIN.findall(plainly(text).casefold())


def names(text: str) -> frozenset[str]:
    """The words that look like the name of somebody or something, in small letters.

    A word with a capital or a digit, an address, a path; the first word too, unless it is one that
    sentences begin with.
    """
    found = set()
    for number, word in enumerate(_WORD.findall(plainly(text))):
        small = word.casefold()
        if number == 0 and small in _STARTS:
            continue
        if word != word.lower() or any(sign.isdigit() or sign in "@/_.:" for sign in word):
            found.add(small.removesuffix("'s").removesuffix("’s"))
    return frozenset(one for one in found if not _NUMBER.fullmatch(one))


def known_names(text: str) -> frozenset[str]:
    """All that `names` may find in a text that holds it, as a whole and part by part."""
    words = [word.casefold() for word in _WORD.findall(plainly(text))]
    parts = [part for word in words for part in re.split(r"[@./:'’_-]", word) if part]
    return frozenset((*words, *parts))


def whole(text: str) -> frozenset[str]:
    """The words by which it speaks of all, of many, of none, or of how often."""
    return frozenset(bare(text)) & _WHOLE


def judging(text: str) -> frozenset[str]:
    """The words by which it says how good something is."""
    return frozenset(bare(text)) & _JUDGING


def deciding(text: str) -> frozenset[str]:
    """The words by which it says how a thing ended, or compares."""
    return frozenset(bare(text)) & _DECIDING


def denies(text: str) -> bool:
    """Whether a word of it says no."""
    return bool(_NOT.search(plainly(text)))


def turned(text: str, held: str) -> bool:
    """Whether a word of one stands in the other turned into its contrary, as in unapproved."""
    ours, theirs = set(bare(text)), set(bare(held))
    return any(
        turn + word in there and turn + word not in here
        for here, there in ((ours, theirs), (theirs, ours))
        for word in here
        if word not in there and len(word) >= _STEM
        for turn in _TURNS
    )


def says_passed(text: str) -> bool:
    """Whether it says that something passed."""
    return bool(_PASS.search(plainly(text)))


def says_failed(text: str) -> bool:
    """Whether it says that something failed."""
    return bool(_FAIL.search(plainly(text)))


def says_now(text: str) -> bool:
    """Whether it says that something holds today."""
    return bool(_NOW.search(plainly(text)))


def says_conforms(text: str) -> bool:
    """Whether it says of anything that it conforms, or does not: only people decide that."""
    letters = "".join(bare(text))  # written with gaps it says the same
    return bool(_CONFORMS.search(plainly(text)) or re.search(_CONFORMING, letters))


def readable(text: str) -> bool:
    """Whether every sign is seen as what it is: none hidden, no word of two alphabets."""
    return text.isprintable() and not any(_mixed(word) for word in _PLAIN.findall(text))


def in_words(text: str) -> bool:
    """Whether it says what it says in ordinary letters: no pictures, no strokes over letters."""
    signs = [sign for sign in unicodedata.normalize("NFKC", text) if not sign.isascii()]
    return not any(
        unicodedata.category(sign) in _ODD or (sign.isalpha() and _odd_latin(sign))
        for sign in signs
    )


def _odd_latin(sign: str) -> bool:
    return ord(sign) >= _LATIN_ENDS and unicodedata.name(sign, "").startswith("LATIN")


def _mixed(word: str) -> bool:
    scripts = {unicodedata.name(sign, "").partition(" ")[0] for sign in word}
    return len(scripts & _SCRIPTS) > 1


def deeds(text: str) -> frozenset[str]:
    """The words by which it says that something was done, as restricted or geprüft."""
    return frozenset(one for one in bare(text) if _DONE.fullmatch(one)) - _TELLING


def foreign(words: Iterable[str], held: str) -> frozenset[str]:
    """Of these words those that do not stand in the text `held`, in this or another form."""
    stems = {_stem(word) for word in bare(held)}
    return frozenset(word for word in words if _stem(word) not in stems)


def _stem(word: str) -> str:
    return _TAIL.sub("", word)[:_STEM]


def borne_out(text: str, held: str) -> float:
    """The share of its words with a meaning that stand, by their stem, in the text `held`."""
    said = [word for word in bare(text) if len(word) >= _LEAST and word not in _EMPTY]
    if not said:
        return float(bool(numbers(text) | names(text)))
    strange = foreign(said, held)
    return sum(word not in strange for word in said) / len(said)
