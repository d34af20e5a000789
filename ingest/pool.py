"""Worker processes that prepare files, so that no file can stop, slow or break a run.

A worker does one task at a time; while there is plenty to do, the next one is with it already, so that it
never waits for us. One that hangs beyond its limit, crashes (parsers of documents are often C code) or
eats its memory is killed and replaced; the task it was at fails with the reason, the others go on. Workers
die with the process that started them, however that ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from configs.errors import DraftlineError, InputError
from configs.settings import Settings
from ingest.convert.kinds import KINDS
from ingest.plan import Task
from ingest.prepare import Outcome, Preparer, failed
from ingest.reading import UnreadableError

GRACE_S = 5.0
"""A worker gives up on its file by itself at the limit; where it cannot, it is killed so much later."""
AHEAD = 4
"""Tasks per worker that must be waiting for a worker to be given one ahead of its turn."""
_PR_SET_PDEATHSIG = 1

Message = tuple[Outcome | None, bool]
"""An outcome, and whether its task is done."""


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    ready: bool = False
    """Whether it has ever been heard: one that dies before could not even start."""
    tasks: deque[Task] = field(default_factory=deque)
    """The first is the one it is at."""
    deadline: float = 0.0
    """When that one has taken too long."""


class WorkerPool:
    """Some workers; used as a context, whose end ends them.

    Args:
        tasks: how many there will be: no more workers are started, none before there is work for them.
        chunked: see `Preparer`.
    """

    def __init__(self, settings: Settings, tasks: int, *, chunked: bool = True) -> None:
        self._settings, self._chunked = settings, chunked
        self._size = min(tasks, worker_count(settings))
        self._workers: list[_Worker] = []
        # A server forks the workers: forking this process, with its threads, might deadlock.
        self._context = get_context("forkserver")
        self._context.set_forkserver_preload(["ingest.warm"])

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *exception: object) -> None:
        for worker in list(self._workers):
            self._end(worker)

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Outcome | None]]:
        """The outcomes of all tasks as they come, each with its task; None says that a task is done.

        Raises:
            DraftlineError: no worker can work (there is no embedder to take the tokenizer from).
        """
        if tasks and not self._size:
            yield from self._run_here(tasks)
            return
        pending = deque(tasks)
        while True:
            while pending and (chosen := self._chosen(pending)) is not None:
                self._give(chosen, pending.popleft())
            busy = [worker for worker in self._workers if worker.tasks]
            if not busy:
                return
            patience = min(worker.deadline for worker in busy) - time.monotonic()
            heard = wait([worker.connection for worker in busy], timeout=max(0.0, patience))
            for worker in busy:
                if worker.connection in heard:
                    yield from self._receive(worker, pending)
                elif time.monotonic() > worker.deadline:
                    limit = self._settings.ingest.convert_timeout_s
                    error = InputError(f"conversion took more than {limit:g} s and was given up")
                    yield from self._give_up(worker, error, pending)

    def _run_here(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Outcome | None]]:
        preparer = Preparer(self._settings, chunked=self._chunked)
        for task in tasks:
            for outcome in preparer.prepare(task):
                yield task, outcome
            yield task, None

    def _chosen(self, pending: Sequence[Task]) -> _Worker | None:
        """The worker that the next task is for; None: it stays with us for now."""
        idle = next((worker for worker in self._workers if not worker.tasks), None)
        if idle is not None:
            return idle
        if len(self._workers) < self._size:
            return self._start()
        # A container's task may name thousands of members. Sending so much to a worker that is itself
        # sending would block both for ever; one that is idle listens.
        if len(pending) <= AHEAD * self._size or KINDS[pending[0].kind].container:
            return None
        return next((worker for worker in self._workers if len(worker.tasks) == 1), None)

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_work, args=(theirs, self._settings, self._chunked), daemon=True
        )
        with _interrupts_held():
            process.start()
        theirs.close()
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def _end(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.process.kill()
        worker.process.join()
        worker.connection.close()

    def _give(self, worker: _Worker, task: Task) -> None:
        worker.tasks.append(task)
        if len(worker.tasks) == 1:
            self._expect(worker)
        with contextlib.suppress(OSError):  # that it has died meanwhile is seen when it is listened to
            worker.connection.send(task)

    def _expect(self, worker: _Worker) -> None:
        worker.deadline = time.monotonic() + self._settings.ingest.convert_timeout_s + GRACE_S

    def _receive(self, worker: _Worker, pending: deque[Task]) -> Iterator[tuple[Task, Outcome | None]]:
        try:
            message: Message | DraftlineError | None = worker.connection.recv()
        except (EOFError, OSError) as error:
            worker.process.join()
            if not worker.ready:
                raise DraftlineError(
                    f"a process that converts files could not start (exit code {worker.process.exitcode}); "
                    "ingest.workers=0 converts without such processes"
                ) from error
            yield from self._give_up(worker, _death(worker.process.exitcode), pending)
            return
        if isinstance(message, DraftlineError):
            raise message
        if message is None:
            worker.ready = True
            return
        outcome, done = message
        task = worker.tasks.popleft() if done else worker.tasks[0]
        self._expect(worker)
        if outcome is not None:
            yield task, outcome
        if done:
            yield task, None

    def _give_up(
        self, worker: _Worker, error: InputError, pending: deque[Task]
    ) -> Iterator[tuple[Task, Outcome | None]]:
        task, *others = worker.tasks
        pending.extendleft(reversed(others))
        self._end(worker)
        yield task, failed(task, error)
        yield task, None


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C reaches us afterwards, and never the processes that are started: it would end their imports."""
    resource_tracker.ensure_running()  # starting it lets interrupts through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def worker_count(settings: Settings) -> int:
    """Processes that convert: as many as `ingest.workers` says, or as there are cores for this process."""
    chosen = settings.ingest.workers
    return len(os.sched_getaffinity(0)) if chosen is None else chosen


def _work(connection: Connection, settings: Settings, chunked: bool) -> None:
    """A worker's life: tasks in, outcomes out, until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started us
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the other cores have workers of their own
    limit = int(settings.ingest.worker_mb * 1e6)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            preparer = Preparer(settings, chunked=chunked)
        except DraftlineError as error:
            connection.send(error)
            return
        connection.send(None)
        while True:
            task: Task = connection.recv()
            many = KINDS[task.kind].container
            for outcome in preparer.prepare(task):
                connection.send((outcome, not many))
            if many:
                connection.send((None, True))


def _death(code: int | None) -> InputError:
    if code == -signal.SIGKILL:
        return UnreadableError("its conversion was killed, most likely because memory ran out")
    how = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
    return InputError(f"its conversion crashed ({how}); the file may be damaged")
