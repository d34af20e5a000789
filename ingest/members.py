"""What a container (an archive, a mailbox, a file of records) holds: one file or record at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Member:
    """One file or record of a container, or the reason why it is left out."""

    name: str
    """Where it lies in its container: forward slashes, relative, no ``..``, valid UTF-8; unique."""
    data: bytes | None
    """Its bytes; None exactly where ``error`` says why there are none."""
    error: str | None = None
    """One line that says what is wrong with it, without its name."""
    modified: datetime | None = None
    """When it was last changed, in UTC, where the container says so."""
    cut: bool = False
    """Whether more was here once that cannot be read now: what the store has of it stays."""

    def __post_init__(self) -> None:
        assert (self.data is None) != (self.error is None), "a member has either bytes or an error"
