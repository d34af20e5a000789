"""The suffix automaton against a search that tries every substring."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generate.automaton import Match, SuffixAutomaton

# Two or three letters: repeats, and with them clones, are then the rule.
sequences = st.integers(1, 3).flatmap(lambda top: st.lists(st.integers(0, top), max_size=40))


def places(sequence: Sequence[int], part: Sequence[int]) -> list[int]:
    """Where a part ends in a sequence, by looking everywhere."""
    size = len(part)
    return [
        end - 1 for end in range(size, len(sequence) + 1) if list(sequence[end - size : end]) == list(part)
    ]


def longest_suffix(sequence: Sequence[int], text: Sequence[int]) -> list[int]:
    """The longest suffix of a text that occurs in a sequence."""
    return next(
        list(text[at:]) for at in range(len(text) + 1) if places(sequence, text[at:]) or at == len(text)
    )


def check_walk(sequence: Sequence[int], text: Sequence[int]) -> None:
    automaton, match = SuffixAutomaton(sequence), Match()
    for end, token in enumerate(text, start=1):
        match = automaton.follow(match, token)
        suffix = longest_suffix(sequence, text[:end])
        assert match.length == len(suffix)
        assert automaton.occurrences(match) == (places(sequence, suffix) if suffix else [])


@given(sequence=sequences, text=sequences)
def test_a_walk_finds_the_longest_match_and_all_its_places(sequence, text):
    check_walk(sequence, text)


@pytest.mark.deep
@given(sequence=sequences, text=sequences)
@settings(max_examples=20_000)
def test_walks_at_length(sequence, text):
    check_walk(sequence, text)


@given(parts=st.lists(sequences, max_size=4), text=sequences)
def test_no_match_runs_over_a_separator(parts, text):
    """Several sequences in one automaton, set apart by ids that no text has."""
    joined = [token for index, part in enumerate(parts) for token in (*part, -1 - index)]
    automaton, match = SuffixAutomaton(joined), Match()
    for end, token in enumerate(text, start=1):
        match = automaton.follow(match, token)
        assert match.length == max((len(longest_suffix(part, text[:end])) for part in parts), default=0)


@given(turns=st.lists(st.tuples(st.booleans(), st.integers(0, 2)), max_size=60))
def test_walking_and_extending_in_turns(turns):
    """A match that was found stays right while the sequence grows, and is followed on from there."""
    automaton, match = SuffixAutomaton(), Match()
    sequence: list[int] = []
    matched: list[int] = []
    for grow, token in turns:
        if grow:
            automaton.extend(token)
            sequence.append(token)
        else:
            match = automaton.follow(match, token)
            matched = longest_suffix(sequence, [*matched, token])
        assert match.length == len(matched)
        assert automaton.occurrences(match) == (places(sequence, matched) if matched else [])


@given(sequence=sequences)
def test_extending_one_by_one_is_building_at_once(sequence):
    whole, grown = SuffixAutomaton(sequence), SuffixAutomaton()
    for token in sequence:
        grown.extend(token)
    assert (grown.transitions, grown.links, grown.lengths) == (whole.transitions, whole.links, whole.lengths)


@given(sequence=st.lists(st.integers(0, 2), min_size=2, max_size=200))
def test_its_size_is_linear(sequence):
    automaton = SuffixAutomaton(sequence)
    assert len(automaton.links) <= 2 * len(sequence)
    assert sum(map(len, automaton.transitions)) <= 3 * len(sequence)


def test_an_empty_sequence_matches_nothing():
    automaton = SuffixAutomaton()
    assert automaton.follow(Match(), 7) == Match()
    assert automaton.occurrences(Match()) == []


def test_one_token_over_and_over():
    automaton, match = SuffixAutomaton([5] * 6), Match()
    for _ in range(9):
        match = automaton.follow(match, 5)
    assert match.length == 6
    assert automaton.occurrences(match) == [5]
    assert automaton.occurrences(automaton.follow(Match(), 5)) == [0, 1, 2, 3, 4, 5]
