"""What list items begin with."""

from __future__ import annotations

import re

from ingest.convert.pdf.lines import gap_of
from ingest.convert.pdf.pieces import Piece

BULLET = re.compile(r"(?:[•‣◦▪▫●○■□◆◇➢➤➔✓✔❖⁃∙·\uf0b7\uf0a7\uf0d8\uf076\uf0fc\u2043]|[-–—*](?=\s))\s*(?=\S)")
ENUMERATOR = re.compile(r"\(?(\d{1,3}|[a-zA-Z]|[ivxIVX]{2,5})[.)]\s+(?=\S)")
BARE_NUMBER = re.compile(r"(\d{1,2})\s+(?=\S)")
_FAR = 4.0
"""In line heights: text farther away belongs to another cell."""


def without_marker(text: str) -> str:
    """A list item's text."""
    match = BULLET.match(text) or ENUMERATOR.match(text) or BARE_NUMBER.match(text)
    return text[match.end() :] if match else text


def join_markers(row: list[Piece]) -> list[Piece]:
    """A row in which markers that stand before a text, over a gap, are one piece with it."""
    if len(row) < 2:
        return row
    joined = [row[0]]
    for piece in row[1:]:
        before = joined[-1]
        if _is_marker(before) and not piece.filler and gap_of(before, piece) < _FAR * piece.height:
            y0, y1 = min(before.y0, piece.y0), max(before.y1, piece.y1)
            text = f"{before.text} {piece.text}"
            joined[-1] = Piece(text, before.x0, y0, piece.x1, y1, piece.style, piece.link)
        else:
            joined.append(piece)
    return joined


def _is_marker(piece: Piece) -> bool:
    if piece.filler or not 0 < len(piece.text) <= 6:
        return False
    probe = piece.text + " x"
    matches = (pattern.match(probe) for pattern in (BULLET, ENUMERATOR))
    return any(match is not None and match.end() == len(probe) - 1 for match in matches)
