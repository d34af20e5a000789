"""The engine in its thread: streams, cancellation, closing, failure, many callers."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest

from configs.errors import EngineStoppedError, InputError
from generate.engine.engine import Engine, StepOutput
from generate.engine.request import FinishReason, SamplingParams
from generate.engine.service import EngineService

PATIENCE_S = 60
LONG = SamplingParams(max_tokens=100)


class Paced:
    """An engine's steps, let through one by one, so that tests know where it stands."""

    def __init__(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        self._step = engine.step
        self._allowed = threading.Semaphore(0)
        self._done = threading.Semaphore(0)
        self.failure: Exception | None = None
        monkeypatch.setattr(engine, "step", self.step)

    def step(self) -> list[StepOutput]:
        assert self._allowed.acquire(timeout=PATIENCE_S)
        if self.failure:
            raise self.failure
        outputs = self._step()
        self._done.release()
        return outputs

    def allow(self, steps: int) -> None:
        """Let these steps run and wait until they have."""
        for _ in range(steps):
            self._allowed.release()
        for _ in range(steps):
            assert self._done.acquire(timeout=PATIENCE_S)

    def let_go(self) -> None:
        for _ in range(2000):
            self._allowed.release()


@pytest.fixture
def engine(make_engine: Callable[..., Engine]) -> Engine:
    return make_engine(max_batch_tokens=8, blocks=200)


@pytest.fixture
def paced(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Paced:
    return Paced(engine, monkeypatch)


@pytest.fixture
def service(engine: Engine, request: pytest.FixtureRequest) -> Iterator[EngineService]:
    with EngineService(engine) as service:
        yield service
        if "paced" in request.fixturenames:
            request.getfixturevalue("paced").let_go()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.005)


def all_free(engine: Engine) -> bool:
    return engine.pool.free == engine.pool.count


def test_a_stream_yields_what_the_engine_generates(make_engine, engine, service):
    params = SamplingParams(max_tokens=20)
    stream = service.submit([1, 2, 3], params)
    assert list(stream) == make_engine().generate([[1, 2, 3]], params)[0]
    assert stream.request.finished is FinishReason.LENGTH
    assert all_free(engine)


def test_tokens_come_as_they_are_made(paced, service):
    stream = service.submit([1, 2, 3], LONG)
    tokens = iter(stream)
    paced.allow(1)
    first = next(tokens)
    assert stream.request.output == [first]
    paced.allow(2)
    assert list(islice(tokens, 2)) == stream.request.output[1:3]


def test_cancelling_in_the_middle_of_prefill_frees_the_blocks(engine, paced, service):
    stream = service.submit([5] * 80, LONG)
    paced.allow(3)
    assert 0 < stream.request.computed < 80
    stream.cancel()
    paced.let_go()
    assert list(stream) == []
    assert stream.request.finished is FinishReason.CANCELLED
    assert all_free(engine)


def test_cancelling_in_the_middle_of_decoding_frees_the_blocks(engine, paced, service):
    stream = service.submit([5, 6], LONG)
    paced.allow(4)
    stream.cancel()
    paced.let_go()
    tokens = list(stream)
    assert 4 <= len(tokens) <= 5, "the step under way may still end"
    assert stream.request.finished is FinishReason.CANCELLED
    assert all_free(engine)


def test_cancelling_one_that_waits_leaves_the_others_alone(make_engine):
    engine = make_engine(max_running=1)
    params = SamplingParams(max_tokens=30)
    with EngineService(engine) as service:
        streams = [service.submit([index], params) for index in range(3)]
        streams[1].cancel()
        outputs = [list(stream) for stream in streams]
    assert len(outputs[1]) < 30
    assert [outputs[0], outputs[2]] == make_engine().generate([[0], [2]], params)


def test_cancelling_twice_or_after_the_end_is_harmless(engine, service):
    stream = service.submit([1], SamplingParams(max_tokens=3))
    assert len(list(stream)) == 3
    stream.cancel()
    other = service.submit([1], LONG)
    other.cancel()
    other.cancel()
    list(other)
    assert stream.request.finished is FinishReason.LENGTH
    assert len(list(service.submit([1], SamplingParams(max_tokens=3)))) == 3
    assert all_free(engine)


def test_cancel_wakes_a_consumer_in_another_thread(paced, service):
    stream = service.submit([1], LONG)
    with ThreadPoolExecutor(1) as pool:
        tokens = pool.submit(list, stream)
        paced.allow(2)
        stream.cancel()
        paced.let_go()
        assert len(tokens.result(PATIENCE_S)) < 100


@pytest.mark.parametrize("leave", ["break", "error", "close", "forget"])
def test_leaving_the_iteration_cancels_the_request(engine, paced, service, leave):
    stream = service.submit([5, 6, 7], LONG)
    paced.allow(2)
    tokens = iter(stream)
    if leave == "break":
        for _ in tokens:
            break
    elif leave == "error":
        with pytest.raises(ZeroDivisionError):
            list(map((0).__rtruediv__, tokens))
    else:
        next(tokens)
    if leave == "close":
        tokens.close()
    del tokens
    gc.collect()
    paced.let_go()
    wait_until(lambda: stream.request.finished is not None)
    assert stream.request.finished is FinishReason.CANCELLED
    wait_until(lambda: all_free(engine))


def test_a_stream_that_nobody_reads_ends_and_holds_nobody_up(engine, service):
    unread = service.submit([4], SamplingParams(max_tokens=40))
    assert len(list(service.submit([5], SamplingParams(max_tokens=10)))) == 10
    wait_until(lambda: unread.request.finished is FinishReason.LENGTH)
    wait_until(lambda: all_free(engine))


def test_closing_ends_every_stream_with_the_reason(engine, paced):
    service = EngineService(engine)
    streams = [service.submit([index], LONG) for index in range(3)]
    paced.allow(2)
    closer = threading.Thread(target=service.close)
    closer.start()
    wait_until(lambda: service._stopped is not None)
    paced.let_go()
    closer.join(PATIENCE_S)
    for stream in streams:
        with pytest.raises(EngineStoppedError, match="the engine was closed"):
            list(stream)
    with pytest.raises(EngineStoppedError, match="closed"):
        service.submit([1], LONG)
    service.close()


def test_closing_while_idle_is_quick_and_final(engine):
    service = EngineService(engine)
    service.close()
    service.close()
    assert not service._thread.is_alive()


def test_a_failing_engine_tells_every_stream_why(engine, paced):
    service = EngineService(engine)
    streams = [service.submit([index], LONG) for index in range(3)]
    paced.allow(2)
    paced.failure = MemoryError("no room for a tensor")
    with ThreadPoolExecutor(3) as pool:
        endings = [pool.submit(list, stream) for stream in streams]
        paced.let_go()
        for ending in endings:
            error = ending.exception(PATIENCE_S)
            assert isinstance(error, EngineStoppedError)
            assert "no room for a tensor" in str(error)
            assert isinstance(error.__cause__, MemoryError)
    with pytest.raises(EngineStoppedError, match="no room"):
        service.submit([1], LONG)
    service.close()


def test_a_refused_request_disturbs_nobody(service):
    running = service.submit([1], SamplingParams(max_tokens=20))
    with pytest.raises(InputError, match="empty"):
        service.submit([], LONG)
    assert len(list(running)) == 20


def test_many_threads_each_get_their_own_tokens(make_engine):
    prompts = [[index, index * 7 % 320, 3] * (1 + index % 4) for index in range(24)]
    params = SamplingParams(max_tokens=12, temperature=0.8, seed=5)
    alone = make_engine().generate(prompts, params)
    with EngineService(make_engine(blocks=24)) as service, ThreadPoolExecutor(12) as pool:
        outputs = list(pool.map(lambda prompt: list(service.submit(prompt, params)), prompts))
    assert outputs == alone


def test_many_threads_some_of_which_give_up(make_engine):
    engine = make_engine(blocks=24)
    params = SamplingParams(max_tokens=16)
    alone = make_engine().generate([[index] for index in range(32)], params)

    def ask(index: int) -> list[int]:
        tokens = iter(service.submit([index], params))
        return list(tokens) if index % 3 else list(islice(tokens, index % 5))

    with EngineService(engine) as service:
        with ThreadPoolExecutor(8) as pool:
            outputs = list(pool.map(ask, range(32)))
        gc.collect()
        wait_until(lambda: all_free(engine))
    for index, (output, whole) in enumerate(zip(outputs, alone, strict=True)):
        assert output == (whole if index % 3 else whole[: index % 5])
    assert not service._streams
