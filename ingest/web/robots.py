"""What a site lets robots read.

Source: RFC 9309, the Robots Exclusion Protocol.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

from ingest.web.urls import encoded

AGENT = "draftline"
MOST_BYTES = 500 * 1024
"""What RFC 9309, section 2.5, asks a robot to read at least."""
_LONGEST_DELAY_S = 60.0
_MOST_RULES = 2000


@dataclass(frozen=True)
class Robots:
    """The rules for us; no rules allow everything."""

    rules: tuple[tuple[re.Pattern[str], bool], ...] = ()
    """Patterns of paths and whether they allow, the longest first."""
    delay_s: float = 0.0

    def allows(self, path: str) -> bool:
        """Whether a page may be fetched, by its path with the query."""
        return next((allow for regex, allow in self.rules if regex.match(path)), True)


def parse_robots(data: bytes) -> Robots:
    """The rules for Draftline in a ``robots.txt``, or else those for all robots."""
    rules: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    delays: dict[str, float] = {}
    agents: list[str] = []
    named = False
    for line in data[:MOST_BYTES].decode("utf-8-sig", "replace").splitlines():
        key, _, value = line.partition("#")[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if key == "user-agent":
            agents = agents if named else []
            named = True
            if value.lower() in (AGENT, "*") and value.lower() not in agents:
                agents.append(value.lower())
                rules[value.lower()] += []
            continue
        if key in ("allow", "disallow", "crawl-delay"):
            named = False
        for agent in agents:
            if key in ("allow", "disallow") and value and len(rules[agent]) < _MOST_RULES:
                rules[agent].append((encoded(value), key == "allow"))
            elif key == "crawl-delay" and re.fullmatch(r"\d{1,6}(\.\d{1,6})?", value):
                delays[agent] = min(float(value), _LONGEST_DELAY_S)
    mine = AGENT if AGENT in rules else "*"
    # The longest pattern decides; of two as long, the one that allows.
    ordered = sorted(rules.get(mine, ()), key=lambda rule: (-len(rule[0]), not rule[1]))
    return Robots(tuple((_compile(path), allow) for path, allow in ordered), delays.get(mine, 0.0))


def _compile(pattern: str) -> re.Pattern[str]:
    """A pattern's regular expression; the part after a star is fixed where it first fits, so none is slow."""
    anchored = pattern.endswith("$")
    first, *rest = re.sub(r"\*+", "*", pattern[: len(pattern) - anchored]).split("*")
    regex = re.escape(first)
    for index, part in enumerate(rest):
        last = anchored and index == len(rest) - 1
        regex += f".*{re.escape(part)}" if last else f"(?>.*?{re.escape(part)})"
    return re.compile(regex + (r"\Z" if anchored else ""), re.DOTALL)
