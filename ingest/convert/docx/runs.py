"""The text of a Word paragraph: runs with their form, links, formulas, marks of notes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ingest.convert.build import Form, Line, described_image, make
from ingest.convert.docx.names import M, R, W, is_on, value
from ingest.convert.docx.omml import to_tex
from ingest.convert.docx.styles import Styles

_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_WP = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}"
_INLINE = frozenset(
    (W + "ins", W + "moveTo", W + "smartTag", W + "sdtContent", W + "customXml", W + "dir", W + "bdo")
)
_HYPERLINK = re.compile(r'\s*HYPERLINK\s+"([^"]{1,2000})"', re.IGNORECASE)
_NOTES = {W + "footnoteReference": "footnotes", W + "endnoteReference": "endnotes"}
_SHORT = {W + "tab": "\t", W + "noBreakHyphen": "-", W + "ptab": "\t"}


class Runs:
    """Fills an element with a paragraph's text."""

    def __init__(
        self,
        styles: Styles,
        links: dict[str, str],
        skip: Callable[[str], None],
        boxed: Callable[[Any], Any],
        note: Callable[[str, str], int | None],
    ) -> None:
        self.links = links
        self._styles, self._skip, self._boxed, self._note = styles, skip, boxed, note

    def fill(self, element: Any, paragraph: Any, *, bold: bool) -> list[Any]:
        """Append a paragraph's text.

        Args:
            bold: whether bold and italic words are marked; in a heading all are.

        Returns:
            What stands in text boxes that hang on it, as elements of their own.
        """
        line = _Line(element, bold)
        self._children(paragraph, line)
        line.finish()
        return line.boxes

    def formulas(self, parent: Any, block: Any) -> None:
        """Displayed formulas, each as a block of its own."""
        for formula in block.iter(M + "oMath"):
            parent.append(_math(formula, display=True))

    def _children(self, parent: Any, line: _Line) -> None:
        for child in parent:
            tag = child.tag
            if tag == W + "r":
                self._run(child, line)
            elif tag == W + "hyperlink":
                outer, line.href = line.href, self.links.get(child.get(R + "id", ""), "") or line.href
                self._children(child, line)
                line.href = outer
            elif tag == W + "fldSimple":
                found = _HYPERLINK.match(child.get(W + "instr", ""))
                outer, line.href = line.href, found[1] if found else line.href
                self._children(child, line)
                line.href = outer
            elif tag == W + "sdt":
                for content in child.iterfind(W + "sdtContent"):
                    self._children(content, line)
            elif tag in _INLINE:
                self._children(child, line)
            elif tag == M + "oMath":
                line.put(_math(child, display=False))
            elif tag == M + "oMathPara":
                for formula in child.iter(M + "oMath"):
                    line.put(_math(formula, display=True))
            elif tag == _MC + "AlternateContent":
                self._alternative(child, line, self._children)

    def _run(self, run: Any, line: _Line) -> None:
        properties = run.find(W + "rPr")
        if is_on(properties, "vanish") or is_on(properties, "webHidden"):
            return
        self._pieces(run, line, self._form(properties, line))

    def _form(self, properties: Any, line: _Line) -> Form:
        names = self._styles.names(value(properties, "rStyle"))[:1]
        form = []
        if line.bold and (is_on(properties, "b") or (names == ["strong"] and is_on(properties, "b") is None)):
            form.append("strong")
        if line.bold and (
            is_on(properties, "i") or (names == ["emphasis"] and is_on(properties, "i") is None)
        ):
            form.append("em")
        if is_on(properties, "strike") or is_on(properties, "dstrike"):
            form.append("del")
        raised = value(properties, "vertAlign")
        if raised in ("superscript", "subscript"):
            form.append(raised[:3])
        if self._styles.is_code_word(properties):
            form = ["code"]
        return tuple(form)

    def _pieces(self, run: Any, line: _Line, form: Form) -> None:
        for piece in run:
            tag = piece.tag
            if tag == W + "fldChar":
                line.field(piece.get(W + "fldCharType", ""))
            elif tag == W + "instrText":
                line.instruction(piece.text or "")
            elif line.in_instruction:
                continue
            elif tag == W + "t":
                line.text(piece.text or "", form)
            elif tag in _SHORT:
                line.text(_SHORT[tag], form)
            elif tag in (W + "br", W + "cr"):
                if piece.get(W + "type") in (None, "textWrapping"):
                    line.line_break()
            elif tag == W + "sym":
                line.text(_symbol(piece.get(W + "char", "")), form)
            elif tag in _NOTES:
                number = self._note(_NOTES[tag], piece.get(W + "id", ""))
                if number is not None:
                    line.put(make("x-ref", n=str(number)))
            elif tag in (W + "drawing", W + "pict", W + "object"):
                self._drawing(piece, line)
            elif tag == _MC + "AlternateContent":
                self._alternative(piece, line, lambda part, into: self._pieces(part, into, form))

    def _alternative(self, element: Any, line: _Line, read: Callable[[Any, _Line], None]) -> None:
        """The first of several forms of the same thing."""
        chosen = element.find(_MC + "Choice")
        chosen = element.find(_MC + "Fallback") if chosen is None else chosen
        if chosen is not None:
            read(chosen, line)

    def _drawing(self, drawing: Any, line: _Line) -> None:
        boxes = [box for box in drawing.iter(W + "txbxContent") if _outermost(box, drawing)]
        line.boxes += [self._boxed(box) for box in boxes]
        if boxes:
            return
        described = next(
            (found.get("descr") for found in drawing.iter(_WP + "docPr") if found.get("descr")), ""
        )
        if described:
            line.text(described_image(described), ("em",))
        else:
            self._skip(
                "embedded objects" if drawing.tag == W + "object" else "pictures without a description"
            )


class _Line(Line):
    """A line with Word's fields, and the boxes that hang on it."""

    def __init__(self, element: Any, bold: bool) -> None:
        super().__init__(element)
        self.bold = bold
        self.boxes: list[Any] = []
        self._fields: list[list[str]] = []

    @property
    def in_instruction(self) -> bool:
        """Whether what follows tells how a field is made and not what it says."""
        return bool(self._fields) and self._fields[-1][0] == "instruction"

    def field(self, kind: str) -> None:
        if kind == "begin":
            self._fields.append(["instruction", "", self.href])
        elif kind == "separate" and self._fields:
            field = self._fields[-1]
            field[0] = "result"
            found = _HYPERLINK.match(field[1])
            self.href = found[1] if found else self.href
        elif kind == "end" and self._fields:
            self.href = self._fields.pop()[2]

    def instruction(self, text: str) -> None:
        if self.in_instruction and len(self._fields[-1][1]) < 4000:
            self._fields[-1][1] += text


def _math(formula: Any, *, display: bool) -> Any:
    element = make("x-math", tex=to_tex(formula))
    if display:
        element.set("display", "block")
    return element


def _outermost(box: Any, drawing: Any) -> bool:
    """Not a box in a box, nor the second form of one that older programs read."""
    for ancestor in box.iterancestors():
        if ancestor is drawing:
            return True
        if ancestor.tag in (W + "txbxContent", _MC + "Fallback"):
            return False
    return True


def _symbol(code: str) -> str:
    """A character of a symbol font; those that only that font has are a bullet of some kind."""
    try:
        point = int(code, 16)
    except ValueError:
        return ""
    return (
        ""
        if 0xE000 <= point <= 0xF8FF or not 32 <= point <= 0xFFFF or 0xD800 <= point < 0xE000
        else chr(point)
    )
