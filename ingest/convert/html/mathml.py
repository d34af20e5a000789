"""MathML without its source back to TeX."""

from __future__ import annotations

import re
import unicodedata

from lxml import etree

from ingest.convert.html.tree import word_set, words

_SYMBOLS = {
    "∑": r"\sum", "∏": r"\prod", "∫": r"\int", "∮": r"\oint", "∞": r"\infty",
    "∂": r"\partial", "∇": r"\nabla",
    "√": r"\surd", "±": r"\pm", "∓": r"\mp", "×": r"\times", "÷": r"\div", "⋅": r"\cdot", "·": r"\cdot",
    "∗": "*", "∘": r"\circ", "≤": r"\leq", "≥": r"\geq", "≠": r"\neq", "≈": r"\approx", "≡": r"\equiv",
    "∼": r"\sim", "≃": r"\simeq", "∝": r"\propto", "≪": r"\ll", "≫": r"\gg", "∈": r"\in", "∉": r"\notin",
    "⊂": r"\subset", "⊆": r"\subseteq", "⊃": r"\supset", "⊇": r"\supseteq", "∪": r"\cup", "∩": r"\cap",
    "∅": r"\emptyset", "∀": r"\forall", "∃": r"\exists", "¬": r"\neg", "∧": r"\land", "∨": r"\lor",
    "→": r"\rightarrow", "←": r"\leftarrow", "↔": r"\leftrightarrow", "⇒": r"\Rightarrow", "⇐": r"\Leftarrow",
    "⇔": r"\Leftrightarrow", "↦": r"\mapsto", "…": r"\ldots", "⋯": r"\cdots", "⋮": r"\vdots", "⋱": r"\ddots",
    "′": "'", "″": "''", "−": "-", "⟨": r"\langle", "⟩": r"\rangle", "‖": r"\|", "∥": r"\parallel",
    "⊥": r"\perp", "⊕": r"\oplus", "⊗": r"\otimes", "⋆": r"\star", "ℓ": r"\ell",
    "ℏ": r"\hbar", "ℝ": r"\mathbb{R}",
    "ℕ": r"\mathbb{N}", "ℤ": r"\mathbb{Z}", "ℚ": r"\mathbb{Q}", "ℂ": r"\mathbb{C}", "{": r"\{", "}": r"\}",
    "%": r"\%", "#": r"\#", "&": r"\&", "∠": r"\angle", "°": r"^{\circ}", "†": r"\dagger", "\u2061": "",
    "\u2062": "", "\u2063": "", "\u200b": "", "\xa0": " ",
}  # fmt: skip
_GREEK = words(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau "
    "upsilon phi "
    "chi psi omega"
)
_GREEK_LETTERS = dict(zip("αβγδεζηθικλμνξοπρστυφχψω", _GREEK, strict=True))
_LATIN_CAPITALS = frozenset("ΑΒΕΖΗΙΚΜΝΟΡΤΧ")
_ACCENTS = {
    "^": r"\hat", "ˆ": r"\hat", "~": r"\tilde", "˜": r"\tilde", "¯": r"\bar", "‾": r"\overline",
    "―": r"\overline",
    "→": r"\vec", "⃗": r"\vec", "˙": r"\dot", "¨": r"\ddot", "⏞": r"\overbrace", "_": r"\underline",
    "⏟": r"\underbrace", "̂": r"\hat",
}  # fmt: skip
_BIG = frozenset(
    (
        r"\sum",
        r"\prod",
        r"\int",
        r"\oint",
        r"\lim",
        r"\max",
        r"\min",
        r"\sup",
        r"\inf",
        r"\bigcup",
        r"\bigcap",
    )
)
_FUNCTIONS = word_set(
    "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln exp lim max min sup inf det dim "
    "ker gcd Pr arg deg"
)
_SKIPPED = word_set(
    "annotation annotation-xml mspace mprescripts none mphantom mjx-nstrut mjx-dstrut mjx-tstrut "
    "mjx-line mjx-surd"
)
_FENCES = {
    ("(", ")"): "pmatrix",
    ("[", "]"): "bmatrix",
    ("|", "|"): "vmatrix",
    ("\\|", "\\|"): "Vmatrix",
    (r"\{", r"\}"): "Bmatrix",
    (r"\{", ""): "cases",
}
_VARIANTS = {
    "bold": r"\mathbf",
    "bold-italic": r"\boldsymbol",
    "double-struck": r"\mathbb",
    "script": r"\mathcal",
    "fraktur": r"\mathfrak",
    "sans-serif": r"\mathsf",
}
_SECOND = {"msub": "_", "msup": "^", "munder": "_", "mover": "^"}
_LONGEST = 20_000


def to_tex(math: etree._Element) -> str:
    """TeX for a MathML tree, as good as its structure allows; empty where nothing is in it."""
    return re.sub(r" {2,}", " ", _tex(math)).strip()[:_LONGEST]


def _name(element: etree._Element) -> str:
    tag = element.tag if isinstance(element.tag, str) else ""
    return tag.rpartition("}")[2].removeprefix("mjx-").lower()


def _children(element: etree._Element) -> list[etree._Element]:
    return [
        child
        for child in element
        if _name(child) and _name(child) not in _SKIPPED and str(child.tag) not in _SKIPPED
    ]


def _tex(element: etree._Element) -> str:
    name = _name(element)
    if name in ("mi", "mn", "mo", "mtext", "ms"):
        return _leaf(name, "".join(element.itertext()), element.get("mathvariant"))
    children = _children(element)
    if name == "semantics":
        return _tex(children[0]) if children else ""
    if name == "mtable":
        return _table(element, "aligned")
    if str(element.tag).startswith("mjx-"):
        children = _arguments(element, name, children)
    parts = [_tex(child) for child in children]
    made = _structure(element, name, children, parts)
    return _row(children, parts) if made is None else made


def _structure(
    element: etree._Element, name: str, children: list[etree._Element], parts: list[str]
) -> str | None:
    """Fractions, roots, scripts and fences; None for what only groups."""
    if name == "mfrac" and len(parts) >= 2:
        return rf"\frac{{{parts[0].strip()}}}{{{parts[1].strip()}}}"
    if name == "mroot" and len(parts) >= 2:
        return rf"\sqrt[{parts[1].strip()}]{{{parts[0].strip()}}}"
    if name == "msqrt":
        return rf"\sqrt{{{_row(children, parts).strip()}}}"
    if (
        name in ("mover", "munder")
        and len(parts) >= 2
        and parts[1].strip()
        and (mark := _accent(children[1]))
    ):
        return f"{mark}{{{parts[0].strip()}}}"
    if name in _SECOND and len(parts) >= 2:
        return f"{_base(parts[0])}{_SECOND[name]}{_script(parts[1])}"
    if name in ("msubsup", "munderover") and len(parts) >= 3:
        return f"{_base(parts[0])}_{_script(parts[1])}^{_script(parts[2])}"
    if name == "mfenced":
        opening, closing = element.get("open", "("), element.get("close", ")")
        return rf"\left{opening or '.'}{', '.join(parts)}\right{closing or '.'}"
    return None


def _row(children: list[etree._Element], parts: list[str]) -> str:
    """Parts beside each other: brackets around a table are its own, letters keep their distance."""
    if len(children) == 3 and _name(_only(children[1])) == "mtable":
        kind = _FENCES.get((parts[0].strip(), parts[2].strip()))
        if kind:
            return _table(_only(children[1]), kind)
    out = ""
    for part in parts:
        apart = (out[-1:].isalnum() and part[:1].isalnum()) or (out[-1:] == "}" and part[:1].isalpha())
        out += (" " if apart else "") + part
    return out


def _only(element: etree._Element) -> etree._Element:
    """What a row holds, where that is a single thing."""
    while _name(element) in ("mrow", "mstyle", "mpadded") and len(_children(element)) == 1:
        element = _children(element)[0]
    return element


def _arguments(element: etree._Element, name: str, children: list[etree._Element]) -> list[etree._Element]:
    """The arguments of a node in MathJax's own rendering, in MathML's order."""
    if name == "mfrac":
        return [part for kind in ("num", "den") for part in list(element.iter(f"mjx-{kind}"))[:1]]
    if name == "msqrt":
        return list(element.iter("mjx-box"))[:1] or children
    if name in ("munderover", "munder", "mover"):
        found = [next(element.iter(f"mjx-{kind}"), None) for kind in ("base", "under", "over")]
        held = [part for part in found if part is not None]
        return held if len(held) == (3 if name == "munderover" else 2) else children
    scripts = [child for child in children if _name(child) == "script"]
    if scripts and name in ("msub", "msup", "msubsup"):
        inner = [part for part in _children(scripts[0]) if _name(part) != "spacer"]
        return [child for child in children if child not in scripts] + inner[::-1]
    return children


def _accent(element: etree._Element) -> str | None:
    return _ACCENTS.get("".join(element.itertext()).strip())


def _base(part: str) -> str:
    part = part.strip()
    return part if len(part) <= 1 or part in _BIG or re.fullmatch(r"\\[a-zA-Z]+|\w", part) else f"{{{part}}}"


def _script(part: str) -> str:
    return f"{{{part.strip()}}}"


def _leaf(name: str, text: str, variant: str | None) -> str:
    text = unicodedata.normalize("NFKC", text.strip(" \t\r\n")) if text.strip() else text[:1]
    if name in ("mtext", "ms"):
        return rf"\text{{{text}}}" if any(map(str.isalpha, text)) else text
    if len(text) > 1 and name in ("mi", "mo") and text.isalpha():
        return (
            rf"\{text} "
            if text in _FUNCTIONS
            else rf"\operatorname{{{text}}}"
            if name == "mo"
            else rf"\mathrm{{{text}}}"
        )
    out = "".join(_symbol(character) for character in text)
    if variant in _VARIANTS and out.strip():
        return f"{_VARIANTS[variant]}{{{out.strip()}}}"
    if name == "mo" and out.strip() not in (
        "",
        "(",
        ")",
        "[",
        "]",
        "|",
        ",",
        "'",
        "!",
        "/",
        ".",
        ";",
        r"\{",
        r"\}",
    ):
        return f" {out.strip()} "
    return f"{out} " if name == "mo" and out.strip() in (",", ";") else out


def _symbol(character: str) -> str:
    if character in _SYMBOLS:
        found = _SYMBOLS[character]
        return f"{found} " if found.startswith("\\") and found[-1].isalpha() else found
    if character in _GREEK_LETTERS:
        return rf"\{_GREEK_LETTERS[character]} "
    lower = character.lower()
    if lower in _GREEK_LETTERS and character not in _LATIN_CAPITALS:
        return rf"\{_GREEK_LETTERS[lower].title()} "
    return character


def _table(table: etree._Element, kind: str) -> str:
    rows = [row for row in _children(table) if _name(row) in ("mtr", "mlabeledtr", "itable")]
    lines = []
    for row in rows:
        cells = [_tex(cell).strip() for cell in _children(row)]
        if _name(row) == "mlabeledtr" and len(cells) > 1:
            cells = [" ".join(cells[1:]), cells[0]] if len(rows) == 1 else [*cells[1:], cells[0]]
        lines.append((" " if len(rows) == 1 else " & ").join(cells))
    if len(lines) <= 1 and kind == "aligned":
        return "".join(lines)
    joined = r" \\ ".join(lines)
    return rf"\begin{{{kind}}} {joined} \end{{{kind}}}"
