"""The engine in a thread of its own: many callers submit, each reads its own stream of tokens."""

from __future__ import annotations

import atexit
import queue
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress

import torch

from configs.errors import EngineStoppedError
from generate.engine.engine import Engine
from generate.engine.request import Request, SamplingParams
from generate.grammar import Grammar


class TokenStream:
    """The tokens of one request, as they come. Iterate it once; `cancel` from any thread.

    Leaving the iteration early (``break``, an exception, ``close()``) cancels the request.
    """

    def __init__(self, service: EngineService, request: Request) -> None:
        self.request = request
        self._service = service
        self._queue: queue.SimpleQueue[int | BaseException | None] = queue.SimpleQueue()

    def __iter__(self) -> Iterator[int]:
        try:
            while (item := self._queue.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            self.cancel()

    def cancel(self) -> None:
        """End the request before the engine's next step; the iteration then ends."""
        self._service.cancel(self)

    def put(self, item: int | BaseException | None) -> None:
        self._queue.put(item)


class EngineService:
    """Drives an engine while it has work and sleeps while it has none."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._wake = threading.Condition()
        self._submitted: deque[TokenStream] = deque()
        self._cancelled: deque[TokenStream] = deque()
        self._streams: dict[int, TokenStream] = {}
        self._stopped: EngineStoppedError | None = None
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()
        # A process that ends while the thread is in the middle of torch's code would be aborted.
        atexit.register(self.close)

    @property
    def capacity(self) -> int:
        """The most tokens that a prompt and its answer may have together."""
        return self._engine.capacity

    @property
    def eos_ids(self) -> frozenset[int]:
        """Tokens that end an answer of this model."""
        return self._engine.runner.eos_ids

    @property
    def vocab_size(self) -> int:
        """The width of the model's logits."""
        return self._engine.runner.vocab_size

    def submit(
        self,
        prompt: Sequence[int],
        params: SamplingParams,
        salt: str = "",
        grammar: Grammar | None = None,
    ) -> TokenStream:
        """Queue a request.

        Raises:
            InputError: the engine refuses it (see `Engine.check`).
            EngineStoppedError: the service is closed or has failed.
        """
        self._engine.check(prompt, params, grammar)
        stream = TokenStream(self, Request(tuple(prompt), params, salt, grammar))
        with self._wake:
            if self._stopped:
                raise EngineStoppedError(str(self._stopped))
            self._submitted.append(stream)
            self._wake.notify()
        return stream

    def cancel(self, stream: TokenStream) -> None:
        """End a stream's request before the next step; harmless when it has ended."""
        with self._wake:
            if stream.request.finished is None:
                self._cancelled.append(stream)
                self._wake.notify()

    def close(self) -> None:
        """Stop the thread; streams that are still running end with EngineStoppedError."""
        with self._wake:
            self._stopped = self._stopped or EngineStoppedError("the engine was closed")
            self._wake.notify()
        self._thread.join()
        atexit.unregister(self.close)

    def _run(self) -> None:
        with torch.inference_mode():
            try:
                while self._collect():
                    for output in self._engine.step():
                        stream = self._streams[output.request.id]
                        for token in output.tokens:
                            stream.put(token)
                        if output.request.finished:
                            self._end(stream)
            except BaseException as error:  # whatever it is, callers must not wait for ever
                with self._wake:
                    self._stopped = EngineStoppedError(f"the engine failed: {error!r}; start again")
                    self._stopped.__cause__ = error
        self._end_all()

    def _collect(self) -> bool:
        """Take in what callers asked for; wait while there is nothing to do; False to stop."""
        with self._wake:
            while not (self._stopped or self._submitted or self._cancelled or self._engine.busy):
                self._wake.wait()
            if self._stopped:
                return False
            while self._submitted:
                stream = self._submitted.popleft()
                self._streams[stream.request.id] = stream
                self._engine.scheduler.add(stream.request)
            while self._cancelled:
                stream = self._cancelled.popleft()
                self._engine.cancel(stream.request)
                self._end(stream)
            return True

    def _end(self, stream: TokenStream) -> None:
        self._streams.pop(stream.request.id, None)
        stream.put(stream.request.error)

    def _end_all(self) -> None:
        with self._wake:
            for stream in (*self._streams.values(), *self._submitted):
                stream.put(self._stopped)
            self._streams.clear()
            self._submitted.clear()

    def __enter__(self) -> EngineService:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(RuntimeError):
            self.close()
