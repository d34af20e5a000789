"""Texts that stand in a store several times: shown once, with all their places.

Every chunk is stored, with keys that it shares with those that say the same (`retrieve.resemblance`); what
repeats a better passage is left out when a search ranks its finds. So nothing depends on which copy came
first, a filter finds a text by the metadata of any document that holds it, and when one of them goes, the
others are as they were. Keys are made with the labels: texts of different tenants or access labels share
none.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from retrieve.filters import Filter, HasId, MatchAny
from retrieve.resemblance import THRESHOLD, Shingles, inclusion, resemblance, shingles
from retrieve.schema import RESERVED, Copy, Passage

FIELD = "_dl.copies"
CROWD = 3
"""A text found so often crowds out others."""
INCLUDED = 2 * THRESHOLD / (1 + THRESHOLD)
"""What texts of one length that resemble each other to the threshold include of each other."""
MOST = 200
"""Copies of the passages of a search that are looked at."""


class Alike:
    """Compares passages; each is cut into shingles once."""

    def __init__(self) -> None:
        self._shingles: dict[str, Shingles] = {}

    def same(self, a: Passage, b: Passage) -> bool:
        """Whether two passages that share a key say the same."""
        return resemblance(self.of(a), self.of(b)) >= THRESHOLD

    def one_in_other(self, a: Passage, b: Passage) -> bool:
        """Whether one of two passages that share a key is in the other."""
        return inclusion(self.of(a), self.of(b)) >= INCLUDED

    def of(self, passage: Passage) -> Shingles:
        """The shingles of all that a reader sees of a passage."""
        if passage.id not in self._shingles:
            self._shingles[passage.id] = shingles(f"{passage.header}\n{passage.text}")
        return self._shingles[passage.id]


def distinct(passages: Iterable[Passage]) -> list[Passage]:
    """Passages without those that repeat a better one: its text, or half of it from the same place."""
    alike, kept = Alike(), list[Passage]()
    texts: set[tuple[object, ...]] = set()
    places: dict[str, list[tuple[int, int]]] = defaultdict(list)
    sharing: dict[int, list[Passage]] = defaultdict(list)
    for passage in passages:
        text, here = _text_and_labels(passage), (passage.start, passage.end)
        others = places[passage.ours["document_id"]]
        # Most places of a document lie apart, and there may be a hundred.
        near = [other for other in others if here[0] < other[1] and other[0] < here[1]]
        if text in texts or any(_repeats(here, other) for other in near):
            continue
        if any(alike.same(passage, other) for key in keys_of(passage) for other in sharing[key]):
            continue
        kept.append(passage)
        texts.add(text)
        others.append(here)
        for key in keys_of(passage):
            sharing[key].append(passage)
    return kept


def keys_of(passage: Passage) -> Sequence[int]:
    """See `retrieve.resemblance.copy_keys`."""
    keys: Sequence[int] = passage.ours.get("copies", ())
    return keys


def crowding(found: Iterable[Passage]) -> set[int]:
    """Keys of texts that were found so often that a search ought to look beyond them."""
    counts = Counter(key for passage in found for key in keys_of(passage))
    return {key for key, count in counts.items() if count >= CROWD}


def beyond(crowd: Iterable[int], kept: Iterable[Passage]) -> Filter:
    """The filter that passes what is none of these texts, and the passages that stand for them."""
    others = Filter(must_not=(MatchAny(FIELD, tuple(sorted(crowd))),))
    return Filter(should=(others, HasId(tuple(sorted({passage.id for passage in kept})))))


def copies_of(passages: Iterable[Passage]) -> Filter | None:
    """The filter that passes what may hold the same text as one of these; None: nothing can."""
    keys = {key for passage in passages for key in keys_of(passage)}
    return Filter(must=(MatchAny(FIELD, tuple(sorted(keys))),)) if keys else None


def with_copies(passages: Sequence[Passage], read: Iterable[Passage]) -> list[Passage]:
    """The passages, each with its copies in other documents among the chunks that were read."""
    alike, sharing = Alike(), dict[int, list[Passage]]()
    for chunk in read:
        for key in keys_of(chunk):
            sharing.setdefault(key, []).append(chunk)
    return [replace(passage, copies=_copies(passage, sharing, alike)) for passage in passages]


def _copies(passage: Passage, sharing: Mapping[int, list[Passage]], alike: Alike) -> tuple[Copy, ...]:
    home = passage.ours["document_id"]
    chunks = {chunk.id: chunk for key in keys_of(passage) for chunk in sharing.get(key, ())}
    found = [
        Copy(chunk.document, chunk.start, chunk.text)
        for chunk in chunks.values()
        if chunk.ours["document_id"] != home and alike.one_in_other(passage, chunk)
    ]
    return tuple(sorted(found, key=lambda copy: (copy.document, copy.start)))


def joined_keys(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[int]:
    """The keys of two neighbours' texts together."""
    return sorted({*left.get("copies", ()), *right.get("copies", ())})


def _text_and_labels(passage: Passage) -> tuple[object, ...]:
    ours = passage.payload[RESERVED]
    return passage.header, passage.text, ours.get("tenant"), tuple(ours.get("access", ()))


def _repeats(here: tuple[int, int], other: tuple[int, int]) -> bool:
    shared = min(here[1], other[1]) - max(here[0], other[0])
    return shared > 0 and 2 * shared >= min(here[1] - here[0], other[1] - other[0])
