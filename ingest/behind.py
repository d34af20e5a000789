"""A thread that does what it is given, in order: what writes need not keep what computes waiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from types import TracebackType


class Behind:
    """Carries out calls one after the other while the caller goes on; used as a context.

    The first call that fails is the last one made: what waits behind it is dropped, and its error is
    raised by whatever is asked next: `call`, `wait`, or the context's end. A context that ends by an
    error drops what waits, too. Either way nothing runs any more once the context has ended.

    Args:
        waiting: calls that may wait; one more makes the caller wait.
    """

    def __init__(self, waiting: int) -> None:
        self._waiting = waiting
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="behind")
        self._calls = deque[Future[None]]()
        self._error: BaseException | None = None
        self._at_work = Lock()
        self._ended = False

    def __enter__(self) -> Behind:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.wait()
        finally:
            self._end()

    def call(self, work: Callable[[], object]) -> None:
        """Have something done after everything that was given before."""
        self._wait_for(self._waiting)
        self._calls.append(self._thread.submit(self._do, work))

    def wait(self) -> None:
        """Return when everything given so far is done."""
        self._wait_for(0)

    def _end(self) -> None:
        """Wait for the call that is being made, however often somebody interrupts.

        What comes after the context (files swept, a lock given back) must find nobody at work. The
        thread itself is not waited for: a `join` that was interrupted takes it for ended (Python 3.11).
        """
        self._thread.shutdown(wait=False, cancel_futures=True)
        interruption: BaseException | None = None
        while not self._ended:
            try:
                with self._at_work:
                    self._ended = True
            except (KeyboardInterrupt, SystemExit) as error:
                interruption = error
        if interruption is not None:
            raise interruption

    def _wait_for(self, left: int) -> None:
        while self._calls and (len(self._calls) > left or self._calls[0].done()):
            self._calls[0].result()
            self._calls.popleft()
        if self._error is not None:
            raise self._error

    def _do(self, work: Callable[[], object]) -> None:
        with self._at_work:
            if self._ended or self._error is not None:
                return
            try:
                work()
            except BaseException as error:
                self._error = error
