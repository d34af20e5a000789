"""Errors that a person can act on, and the exit codes they end in."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """How every command ends (0 also covers an empty folder and an abstention)."""

    OK = 0
    PARTIAL = 1
    """Done, but some items failed or a gate did not hold."""
    CANNOT_RUN = 2
    """Bad arguments or settings, nothing to work on, no model, store locked or corrupt, disk full."""
    INTERRUPTED = 130


def install(extra: str) -> str:
    """The command that installs an optional extra, as the handbook has it."""
    return f"pip install -c constraints.txt -e '.[{extra}]'"


class DraftlineError(Exception):
    """An error whose message says what was wrong, where, and what to do; printed as one line.

    Raise it (or a subclass) for anything a person can cause or mend. Everything else is a bug
    and keeps its traceback.
    """

    exit_code: ExitCode = ExitCode.CANNOT_RUN


class SettingsError(DraftlineError):
    """A profile, key or value that the settings do not have."""


class ModelError(DraftlineError):
    """A model that is unknown, not here, damaged or of the wrong kind."""


class EngineStoppedError(DraftlineError):
    """The engine was closed, or failed; the message says which."""


class StoreError(DraftlineError):
    """A store that is locked, corrupt, unreachable or written by something else."""


class InputError(DraftlineError):
    """A question, filter, path or file that cannot be used."""
