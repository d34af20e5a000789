"""What a visit has found and not asked for yet: addresses in the order of their discovery.

It knows the area, the depth and the rules of a visit, and nothing of what is at an address.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from configs.sections import IngestSettings
from ingest.web.forms import is_worth_a_look
from ingest.web.robots import Robots
from ingest.web.urls import area_of, origin_of


class Frontier:
    """Addresses to ask for, each once.

    Args:
        start: the first one; the area is its own.
        accepts: whether a file of this name can be converted.
    """

    def __init__(self, start: str, settings: IngestSettings, accepts: Callable[[str], bool]) -> None:
        self._settings, self._accepts = settings, accepts
        self._most = 100 * settings.crawl_pages + 10_000
        """Addresses that are remembered."""
        self.area = area_of(start)
        self.robots = Robots()
        self.seen = {start}
        self.taken: set[str] = set()
        self._queue = deque([(start, 0)])
        self._deeper: set[str] = set()
        """What links led to that were too deep to be followed."""

    def __bool__(self) -> bool:
        return bool(self._queue)

    def take(self) -> tuple[str, int]:
        """The next address, and how many links away from the first it is."""
        url, depth = self._queue.popleft()
        self.taken.add(url)
        return url, depth

    def lead(self, url: str, depth: int) -> None:
        """Put an address first, whatever it looks like."""
        self.seen.add(url)
        self._queue.appendleft((url, depth))

    def offer(self, urls: Iterable[str], depth: int, *, front: bool = False) -> None:
        """Add those of the addresses that are new and belong to the visit."""
        too_deep = depth > self._settings.crawl_depth
        remembered = self._deeper if too_deep else self.seen
        for url in urls:
            if url in self.seen or len(remembered) >= self._most or not self.area.holds(url):
                continue
            remembered.add(url)
            if not too_deep and is_worth_a_look(url, self._accepts):
                self._queue.insert(0 if front else len(self._queue), (url, depth))

    def allows(self, url: str) -> bool:
        """Whether the site lets robots read the address."""
        return self.robots.allows(url[len(origin_of(url)) :])

    def limits(self) -> list[str]:
        """The settings that keep addresses from being asked for which belong to the visit."""
        waiting = (url for url, _ in self._queue)
        deeper = (url for url in self._deeper - self.seen if is_worth_a_look(url, self._accepts))
        left = {"crawl_pages": waiting, "crawl_depth": deeper}
        return [name for name, urls in left.items() if any(map(self.allows, urls))]
