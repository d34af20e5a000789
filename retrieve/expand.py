"""Chunks and their neighbours in the document: what stands around a chunk says whether it matters.

It knows where chunks lie and what a search thought of them; it knows nothing of stores. Passages that
are put together from several chunks stay exact slices of the document: ``body[start:end] == text``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from retrieve.copies import joined_keys
from retrieve.filters import Filter, MatchAny, MatchValue
from retrieve.schema import RESERVED, Passage

REACH = 3
"""How many chunks before and after a found one may join it."""
SHARE = 0.5
"""What a chunk is worth at least, of the one beside it; measured on span_qa."""

OPTIONAL = ("parent", "header", "page", "regions", "copies")
"""What a chunk's payload has only where there is something to say."""

_SENTENCE_END = re.compile(r"""[.!?…]["'”’)\]*_`]*(?=\s)|[。！？](?!\Z)""")

Place = tuple[str, str, int]
"""Document, version of its content, ordinal of the chunk."""


@dataclass(frozen=True)
class Room:
    """What passages may take up together."""

    passages: int
    tokens: int


def place_of(passage: Passage) -> Place:
    """Where a chunk stands among the chunks of its document."""
    ours = passage.ours
    return ours["document_id"], ours["hash"], ours["ordinal"]


def beside(place: Place, steps: int = 1) -> tuple[Place, Place]:
    """The places so many steps before and after."""
    document, version, ordinal = place
    return (document, version, ordinal - steps), (document, version, ordinal + steps)


def in_context(found: Iterable[Passage], weight: float) -> list[Passage]:
    """Each chunk's score with a share of its two neighbours' scores added, as far as they were found."""
    passages = list(found)
    scores = {place_of(passage): passage.score for passage in passages}
    return [
        replace(
            passage,
            score=passage.score + weight * sum(scores.get(place, 0.0) for place in beside(place_of(passage))),
        )
        for passage in passages
    ]


def missing_neighbours(hits: Sequence[Passage], found: Iterable[Passage]) -> Filter | None:
    """The filter that passes chunks within reach of the hits which were not found; None: all were found."""
    known = {place_of(passage) for passage in found}
    wanted: dict[tuple[str, str], set[int]] = defaultdict(set)
    for hit in hits:
        for document, version, ordinal in _within_reach(place_of(hit)):
            if ordinal >= 0 and (document, version, ordinal) not in known:
                wanted[document, version].add(ordinal)
    if not wanted:
        return None
    chunks = (
        Filter(must=(MatchValue("_dl.document_id", document), MatchAny("_dl.ordinal", tuple(sorted(places)))))
        for (document, _), places in wanted.items()
    )
    return Filter(should=tuple(chunks))


def _within_reach(place: Place) -> Iterator[Place]:
    for steps in range(1, REACH + 1):
        yield from beside(place, steps)


def passage_from(payload: Mapping[str, Any]) -> Passage:
    """A chunk that no search found, from a payload as `Store.scroll` yields it."""
    rest = {key: value for key, value in payload.items() if key != "id"}
    return Passage(payload["id"], rest[RESERVED]["text"], 0.0, rest)


def grown(
    found: Sequence[Passage], neighbours: Iterable[Passage], room: Room, size: Callable[[Passage], int]
) -> list[Passage]:
    """Passages put together from the chunks that are worth most, best first.

    A chunk is worth its score, and at least a share of that of a found one beside it: the smaller the
    farther off it is, and smaller where it stands under other headings. Chunks are taken in this order
    while there is room; those that adjoin become one passage. The best chunk is always taken, and of the
    first that does not fit its first sentences are.

    Args:
        found: best first; a score above that of a better passage counts no more than that.
        neighbours: chunks within reach of the found ones; others, and other versions', do no harm.
        size: tokens of a chunk.
    """
    left, taken = room.tokens, dict[Place, Passage]()
    passages = 0
    for passage in _by_worth(found, neighbours):
        place = place_of(passage)
        joins = sum(other in taken for other in beside(place))
        if passages + 1 - joins > room.passages:
            continue
        tokens = size(passage)
        if taken and tokens > left:
            if part := _beginning(passage, left, size):
                taken[place] = part
            break
        taken[place] = passage
        passages, left = passages + 1 - joins, left - tokens
    return joined(taken.values())[: room.passages]


def _by_worth(found: Sequence[Passage], neighbours: Iterable[Passage]) -> list[Passage]:
    chunks = {place_of(passage): passage for passage in (*neighbours, *found)}
    worth: dict[Place, float] = {}
    bound = float("inf")
    for passage in found:
        bound = worth[place_of(passage)] = max(0.0, min(bound, passage.score))
    for place, score in list(worth.items()):
        for other in _within_reach(place):
            if other in chunks:
                apart = abs(other[2] - place[2]) + (chunks[other].section != chunks[place].section)
                worth[other] = max(worth.get(other, 0.0), SHARE**apart * score)
    # A stable sort: found ones stay in their order, and go before neighbours of equal worth.
    return [chunks[place] for place in sorted(worth, key=lambda place: -worth[place])]


def _beginning(passage: Passage, tokens: int, size: Callable[[Passage], int]) -> Passage | None:
    """As many of a chunk's first sentences as fit; None when not even one does."""
    for match in reversed(list(_SENTENCE_END.finditer(passage.text))):
        text = passage.text[: match.end()]
        part = {**passage.ours, "text": text, "end": passage.start + len(text)}
        shorter = replace(passage, text=text, payload={**passage.payload, RESERVED: part})
        if size(shorter) <= tokens:
            return shorter
    return None


def joined(chunks: Iterable[Passage]) -> list[Passage]:
    """The chunks as passages, in their order; those that adjoin become one, at the place of the best."""
    ordered = list(chunks)
    ranks = {passage.id: rank for rank, passage in enumerate(ordered)}
    documents: dict[tuple[str, str], list[Passage]] = defaultdict(list)
    for passage in ordered:
        documents[passage.ours["document_id"], passage.ours["hash"]].append(passage)
    passages: list[Passage] = []
    for members in documents.values():
        run: Passage | None = None
        for passage in sorted(members, key=lambda member: (member.start, member.end)):
            union = _union(run, passage, ranks) if run else None
            if run and union is None:
                passages.append(run)
            run = union or passage
        if run:
            passages.append(run)
    return sorted(passages, key=lambda passage: ranks[passage.id])


def _union(left: Passage, right: Passage, ranks: Mapping[str, int]) -> Passage | None:
    """Two neighbours as one passage under the better one's id; None when text between them is unknown."""
    gap = str(right.ours.get("gap", ""))
    if right.start < left.end:
        text = left.text + right.text[left.end - right.start :]
    elif right.start == left.end + len(gap):
        text = left.text + gap + right.text
    else:
        return None
    best = min(left, right, key=lambda passage: ranks[passage.id])
    shared = {
        "text": text,
        "start": left.start,
        "end": max(left.end, right.end),
        "section": _common(left.section, right.section),
        "gap": left.ours.get("gap", ""),
        "parent": _around(left.ours.get("parent"), right.ours.get("parent")),
        "header": left.header,
        "page": left.ours.get("page", right.ours.get("page")),
        "regions": _pages(left, right),
        "copies": joined_keys(left.ours, right.ours),
    }
    ours = {**best.ours, **shared}
    return replace(
        best,
        text=text,
        payload={**best.payload, RESERVED: {k: v for k, v in ours.items() if v or k not in OPTIONAL}},
        relevance=max(left.relevance, right.relevance),
        matched={**left.matched, **right.matched},
    )


def _around(a: Sequence[int] | None, b: Sequence[int] | None) -> list[int] | None:
    return [min(a[0], b[0]), max(a[1], b[1])] if a and b else None


def _pages(left: Passage, right: Passage) -> list[Mapping[str, Any]]:
    """The regions of both, in order; a page that both stand on has two."""
    regions = [*left.ours.get("regions", ()), *right.ours.get("regions", ())]
    return sorted(regions, key=lambda region: region["start"])


def _common(a: Sequence[str], b: Sequence[str]) -> list[str]:
    length = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return list(a[:length])
