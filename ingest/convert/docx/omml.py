"""Office Math as TeX (ECMA-376 Part 1, section 22.1)."""

from __future__ import annotations

from typing import Any

from ingest.convert.docx.names import M

_MAX_DEPTH = 60
_FUNCTIONS = frozenset(
    ["sin", "cos", "tan", "cot", "log", "ln", "exp", "lim", "max", "min", "sup", "inf", "det", "dim", "gcd"]
)
_SYMBOLS = {
    "∑": r"\sum",
    "∏": r"\prod",
    "∫": r"\int",
    "∬": r"\iint",
    "∮": r"\oint",
    "⋃": r"\bigcup",
    "⋂": r"\bigcap",
    "±": r"\pm",
    "×": r"\times",
    "÷": r"\div",
    "⋅": r"\cdot",
    "≤": r"\le",
    "≥": r"\ge",
    "≠": r"\ne",
    "≈": r"\approx",
    "≡": r"\equiv",
    "∈": r"\in",
    "∉": r"\notin",
    "⊂": r"\subset",
    "⊆": r"\subseteq",
    "∪": r"\cup",
    "∩": r"\cap",
    "∞": r"\infty",
    "∂": r"\partial",
    "∇": r"\nabla",
    "→": r"\to",
    "⇒": r"\Rightarrow",
    "⇔": r"\Leftrightarrow",
    "∀": r"\forall",
    "∃": r"\exists",
    "α": r"\alpha",
    "β": r"\beta",
    "γ": r"\gamma",
    "δ": r"\delta",
    "ε": r"\varepsilon",
    "ζ": r"\zeta",
    "η": r"\eta",
    "θ": r"\theta",
    "κ": r"\kappa",
    "λ": r"\lambda",
    "μ": r"\mu",
    "ν": r"\nu",
    "ξ": r"\xi",
    "π": r"\pi",
    "ρ": r"\rho",
    "σ": r"\sigma",
    "τ": r"\tau",
    "φ": r"\varphi",
    "χ": r"\chi",
    "ψ": r"\psi",
    "ω": r"\omega",
    "Γ": r"\Gamma",
    "Δ": r"\Delta",
    "Θ": r"\Theta",
    "Λ": r"\Lambda",
    "Π": r"\Pi",
    "Σ": r"\Sigma",
    "Φ": r"\Phi",
    "Ψ": r"\Psi",
    "Ω": r"\Omega",
}
_ACCENTS = {"\u0302": "hat", "\u0303": "tilde", "\u0304": "bar", "\u0305": "overline", "\u0307": "dot"}
_ACCENTS |= {"\u0308": "ddot", "\u20d7": "vec", "\u030c": "check", "\u0306": "breve"}
_SPECIAL = {"{": r"\{", "}": r"\}", "%": r"\%", "#": r"\#", "&": r"\&", "$": r"\$", "_": r"\_"}


def to_tex(formula: Any) -> str:
    """A formula's TeX without delimiters."""
    return " ".join(_children(formula, 0).split())


def _children(element: Any, depth: int) -> str:
    if element is None or depth > _MAX_DEPTH:
        return ""
    return "".join(_tex(child, depth + 1) for child in element)


def _tex(element: Any, depth: int) -> str:
    name = str(element.tag).removeprefix(M)
    part = {child.tag.removeprefix(M): child for child in element if isinstance(child.tag, str)}

    def inner(which: str) -> str:
        return _children(part.get(which), depth)

    def chosen(which: str) -> str | None:
        found = element.find(f"{M}{name}Pr/{M}{which}")
        return found.get(M + "val") if found is not None else None

    if name == "r":
        return _text("".join(text.text or "" for text in element.iter(M + "t")))
    if name == "f":
        return f"\\frac{{{inner('num')}}}{{{inner('den')}}}"
    if name in ("sSup", "sSub", "sSubSup"):
        below = f"_{{{inner('sub')}}}" if "sub" in part else ""
        above = f"^{{{inner('sup')}}}" if "sup" in part else ""
        return _base(inner("e")) + below + above
    if name == "sPre":
        return f"{{}}_{{{inner('sub')}}}^{{{inner('sup')}}}{_base(inner('e'))}"
    if name == "rad":
        degree = inner("deg")
        return f"\\sqrt[{degree}]{{{inner('e')}}}" if degree else f"\\sqrt{{{inner('e')}}}"
    if name == "nary":
        sign, below, above = _text(chosen("chr") or "∫").strip(), inner("sub"), inner("sup")
        return (
            sign + (f"_{{{below}}}" if below else "") + (f"^{{{above}}}" if above else "") + f" {inner('e')}"
        )
    if name == "d":
        return _delimited(element, chosen, depth)
    if name == "func":
        word = inner("fName").strip()
        return (f"\\{word}" if word in _FUNCTIONS else word) + f"{{{inner('e')}}}"
    if name in ("limLow", "limUpp"):
        word = inner("e").strip()
        return (
            f"\\{word}" if word in _FUNCTIONS else word
        ) + f"{'_' if name == 'limLow' else '^'}{{{inner('lim')}}}"
    if name == "acc":
        return f"\\{_ACCENTS.get(chosen('chr') or '', 'hat')}{{{inner('e')}}}"
    if name == "bar":
        return f"\\{'underline' if chosen('pos') == 'bot' else 'overline'}{{{inner('e')}}}"
    if name in ("m", "eqArr"):
        return _matrix(element, name, depth)
    return "" if name.endswith("Pr") else _children(element, depth)


def _delimited(element: Any, chosen: Any, depth: int) -> str:
    begin, end, between = (chosen(key) for key in ("begChr", "endChr", "sepChr"))
    inside = (between or "|").join(_children(child, depth) for child in element.iterfind(M + "e"))
    left, right = ("(" if begin is None else begin) or ".", (")" if end is None else end) or "."
    return f"\\left{_SPECIAL.get(left, left)}{inside}\\right{_SPECIAL.get(right, right)}"


def _matrix(element: Any, name: str, depth: int) -> str:
    if name == "eqArr":
        rows = [_children(child, depth) for child in element.iterfind(M + "e")]
    else:
        lines = element.iterfind(M + "mr")
        rows = [" & ".join(_children(cell, depth) for cell in row.iterfind(M + "e")) for row in lines]
    kind = "aligned" if name == "eqArr" else "matrix"
    return f"\\begin{{{kind}}}" + r" \\ ".join(rows) + f"\\end{{{kind}}}"


def _base(text: str) -> str:
    return text if len(text.strip()) <= 1 or text.startswith("\\left") else f"{{{text}}}"


def _text(text: str) -> str:
    return "".join(f"{_SYMBOLS[sign]} " if sign in _SYMBOLS else _SPECIAL.get(sign, sign) for sign in text)
