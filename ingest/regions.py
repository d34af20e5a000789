"""Where a chunk stands in the original file: on which pages, and where on each."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from retrieve.schema import Box, Region

DIGITS = 4
"""Decimal places of a box: a ten-thousandth of a page is a tenth of a letter."""


class RegionIndex:
    """The regions of one body; each look-up costs what it finds."""

    def __init__(self, regions: Sequence[Region]) -> None:
        self._regions = regions
        self._starts = [region.start for region in regions]
        self._ends = [region.end for region in regions]

    def within(self, start: int, end: int) -> tuple[Region, ...]:
        """One region for each page that ``body[start:end]`` stands on, in the order of the text.

        A box holds all that stands on its page; it is None where the place of some of it is not known.
        """
        first, last = bisect_right(self._ends, start), bisect_left(self._starts, end)
        pages: dict[int, Region] = {}
        for region in self._regions[first:last]:
            left, right = max(start, region.start), min(end, region.end)
            known = pages.get(region.page)
            if known is None:
                pages[region.page] = Region(left, right, region.page, _rounded(region.box))
            else:
                box = _around(known.box, _rounded(region.box))
                pages[region.page] = Region(known.start, right, region.page, box)
        return tuple(pages.values())


def _around(a: Box | None, b: Box | None) -> Box | None:
    if a is None or b is None:
        return None
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _rounded(box: Box | None) -> Box | None:
    if box is None:
        return None
    left, top, right, bottom = (round(value, DIGITS) for value in box)
    return left, top, right, bottom
