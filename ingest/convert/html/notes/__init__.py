"""Footnotes: marks become ``x-ref``, what they lead to is set aside under the same number.

Pages link a mark to its note, number both, hide the note behind the mark, or set it in the margin. A mark is
only one if a note is found for it.
"""

from __future__ import annotations

from ingest.convert.html.notes.linked import settle_inline, settle_linked
from ingest.convert.html.notes.loose import drop_margins, settle_loose
from ingest.convert.html.notes.parts import Notes
from ingest.convert.html.tree import Element, sweep


def settle_footnotes(root: Element) -> Notes:
    """Replace marks by ``x-ref`` elements whose attribute ``n`` is the number of their note."""
    notes = Notes()
    settle_inline(root, notes)
    settle_linked(root, notes)
    settle_loose(root, notes)
    drop_margins(root)
    sweep(root)
    return notes


__all__ = ["Notes", "settle_footnotes"]
