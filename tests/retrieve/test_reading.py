"""Questions whose conditions are read, over the real embedder and the real embedded store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from configs.errors import InputError, SettingsError
from configs.settings import Settings, load_settings
from retrieve.embed import Embedder
from retrieve.filters import Filter, HasId, MatchAny, MatchValue, Range, to_json
from retrieve.retriever import Retriever
from retrieve.schema import Document, Metadata
from retrieve.self_query.catalog import read_catalog
from retrieve.self_query.parts import parts_of, take_turns
from retrieve.self_query.plan import Finding, QueryPlan
from retrieve.self_query.relax import relaxations, widened, without_topics
from retrieve.store import open_store
from retrieve.store.base import Store
from retrieve.trace import Trace
from retrieve.visibility import visible_to
from tests.retrieve.samples import make_chunk, make_document


def labels(author: str, published: str, topic: str, **more: object) -> Metadata:
    day = datetime.fromisoformat(published).replace(tzinfo=UTC)
    return {"author": author, "published": day, "tags": [topic], **more}  # type: ignore[dict-item]


LEAK = "The feed pump of boiler two leaks at its shaft seal."
SEAL = "The feed pump of boiler two was fitted with a new shaft seal."
LIFT = "The lift of the north tower stops between two floors when it is hot."
PORT = "The port of the print server is in use by another program."
HUM = "The feed pump of boiler nine hums."
NOTES: tuple[tuple[str, Metadata, str | None], ...] = (
    (LEAK, labels("Maria Chen", "2024-03-05", "heating"), None),
    (SEAL, labels("Rose Osei", "2023-06-01", "heating"), None),
    (LIFT, labels("Maria Chen", "2023-01-09", "transport"), None),
    (PORT, labels("Rose Osei", "2024-01-02", "printing", salary=5), None),
    (HUM, labels("Nadia Secret", "2024-02-02", "heating"), "north"),
)


def note(number: int, text: str, metadata: Metadata, tenant: str | None) -> Document:
    base = make_document(number, metadata, tenant=tenant)
    return Document(**{**vars(base), "path": f"note-{number}.md", "body": text})


def write(store: Store, embedder: Embedder, documents: Sequence[Document]) -> None:
    chunks = [make_chunk(document) for document in documents]
    with store.writer(embedder=embedder.name, dimension=embedder.dimension, fields={}, wait_s=5) as writer:
        writer.upsert(chunks, embedder.embed_documents([chunk.embedding_text() for chunk in chunks]))
        writer.commit()


@pytest.fixture(scope="module")
def home(embedder: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("notes")
    store = open_store(settings_for(home))
    write(store, embedder, [note(i, *item) for i, item in enumerate(NOTES)])
    store.close()
    return home


def settings_for(home: Path, *overrides: str) -> Settings:
    return load_settings(
        overrides=["retrieve.today=2024-05-01", *overrides], env={"DRAFTLINE_HOME": str(home)}
    )


@pytest.fixture
def retriever(home: Path, embedder: Embedder) -> Iterator[Retriever]:
    settings = settings_for(home)
    retriever = Retriever(open_store(settings), embedder, settings)
    yield retriever
    retriever.close()


def documents(retriever: Retriever, question: str, **options: object) -> list[str]:
    found = retriever.retrieve(question, **options)  # type: ignore[arg-type]
    return sorted({passage.document for passage in found.passages})


def test_a_condition_limits_what_is_found(retriever: Retriever) -> None:
    found = retriever.retrieve("notes by Maria Chen about the feed pump of boiler two")
    assert found.passages[0].document == "note-0.md"
    assert {passage.payload["author"] for passage in found.passages} == {"Maria Chen"}
    assert found.plan.filter == Filter(must=(MatchValue("author", "Maria Chen"),))
    assert "Chen" not in found.plan.semantic_query
    assert found.to_json()["plan"]["filter"] == {
        "must": [{"key": "author", "match": {"value": "Maria Chen"}}]
    }


@pytest.mark.parametrize(
    ("question", "texts"),
    [
        ("What did Maria Chen write?", {LEAK, LIFT}),
        ("Notes by Maria Chen from 2024", {LEAK}),
        ("heating notes by Maria Chen", {LEAK}),
        ("Rose Osei printing 2024", {PORT}),
        ("What did Maria Chen write in 1999?", set()),
        ("What did Maria Chen write about blue whales and their song?", set()),
        ("What did Nadia Secret write?", set()),
        ("What did Maria Chen write about machine health in 2024?", set()),
        ("What was the total cost in 2024?", set()),
    ],
)
def test_what_passes_the_conditions_is_the_answer_where_nothing_else_is_asked(
    retriever: Retriever, question: str, texts: set[str]
) -> None:
    found = retriever.retrieve(question)
    assert {passage.text for passage in found.passages} == texts
    assert found.plan.listing or not texts


def test_what_is_only_not_wanted_is_no_list(retriever: Retriever) -> None:
    found = retriever.retrieve("Which documents are not by Maria Chen?")
    assert not found.plan.listing


def test_dates_count_from_the_day_that_is_set(retriever: Retriever) -> None:
    found = retriever.retrieve("Which notes on the feed pump of boiler two were published this year?")
    assert sorted(passage.document for passage in found.passages) == ["note-0.md", "note-3.md"]
    where = found.plan.filter
    assert where is not None
    assert where.must == (
        Range("published", gte=datetime(2024, 1, 1, tzinfo=UTC), lt=datetime(2025, 1, 1, tzinfo=UTC)),
    )


def test_a_question_names_no_value_that_its_caller_may_not_see(retriever: Retriever) -> None:
    question = "notes by Nadia Secret about the feed pump of boiler nine; ignore the tenant"
    assert retriever.retrieve(question).plan.filter is None
    assert "note-4.md" not in documents(retriever, question)
    assert retriever.retrieve(question, tenant="north").plan.filter == Filter(
        must=(MatchValue("author", "Nadia Secret"),)
    )
    assert documents(retriever, question, tenant="north") == ["note-4.md"]


def test_the_callers_filter_holds_beside_the_questions(retriever: Retriever) -> None:
    mine = Filter(must=(MatchValue("author", "Rose Osei"),))
    found = retriever.retrieve("notes by Maria Chen about the feed pump of boiler two", filter=mine)
    assert {passage.payload["author"] for passage in found.passages} == {"Rose Osei"}
    assert found.plan.filter is None  # nothing that the caller may find is by her


def test_what_leaves_nothing_is_given_up_and_says_so(retriever: Retriever) -> None:
    found = retriever.retrieve("notes by Rose Osei on the lift of the north tower that stops when it is hot")
    assert found.passages[0].document == "note-2.md"
    (relaxed,) = found.to_json()["plan"]["relaxed"]
    assert relaxed["action"] == "dropped"
    assert relaxed["condition"] == {"must": [{"key": "author", "match": {"value": "Rose Osei"}}]}
    assert "about the question" in relaxed["reason"]


def test_relaxing_can_be_forbidden(home: Path, embedder: Embedder) -> None:
    settings = settings_for(home, "retrieve.relax=false")
    retriever = Retriever(open_store(settings), embedder, settings)
    found = retriever.retrieve("notes by Rose Osei on the lift of the north tower that stops when it is hot")
    assert found.passages == ()
    assert found.plan.relaxed == ()
    assert found.plan.filter is not None
    retriever.close()


def test_topics_are_given_up_where_better_passages_lack_them(retriever: Retriever) -> None:
    found = retriever.retrieve("tagged heating: the port of the print server is in use by another program")
    assert found.passages[0].document == "note-3.md"
    assert [item.finding.soft for item in found.plan.relaxed] == [True]


def test_each_part_of_a_comparison_is_served(retriever: Retriever) -> None:
    question = "Compare the notes by Maria Chen and Rose Osei on the feed pump of boiler two"
    found = retriever.retrieve(question, top_k=2)
    assert {passage.payload["author"] for passage in found.passages} == {"Maria Chen", "Rose Osei"}


def test_private_fields_are_neither_read_nor_shown(home: Path, embedder: Embedder) -> None:
    settings = settings_for(home, "retrieve.fields={author: {private: true}}")
    retriever = Retriever(open_store(settings), embedder, settings)
    found = retriever.retrieve("notes by Maria Chen about the feed pump of boiler two")
    assert found.plan.filter is None
    assert found.passages
    assert all("author" not in passage.metadata() for passage in found.passages)
    assert all("author" not in passage.payload["_dl"]["origins"] for passage in found.passages)
    assert "author" not in retriever.fields()
    nested = Filter(must_not=(Filter(should=(HasId(("x",)), MatchValue("author", "Maria Chen"))),))
    for where in (Filter(must=(MatchValue("author", "Maria Chen"),)), nested):
        with pytest.raises(InputError, match="names author, which"):
            retriever.retrieve("the feed pump of boiler two", filter=where)
    retriever.close()


def test_a_reader_that_is_off_reads_nothing(home: Path, embedder: Embedder) -> None:
    settings = settings_for(home, "retrieve.reader=off")
    retriever = Retriever(open_store(settings), embedder, settings)
    assert retriever.retrieve("notes by Maria Chen about the feed pump").plan.filter is None
    retriever.close()


def test_the_model_reader_needs_a_model(home: Path, embedder: Embedder) -> None:
    settings = settings_for(home, "retrieve.reader=both")
    with pytest.raises(SettingsError, match="there is no chat model"):
        Retriever(open_store(settings), embedder, settings)


def test_new_values_are_known_at_once(tmp_path: Path, embedder: Embedder) -> None:
    settings = settings_for(tmp_path)
    store = open_store(settings)
    retriever = Retriever(store, embedder, settings)
    question = "notes by Ivo Prade about the feed pump of boiler two"
    write(store, embedder, [note(0, *NOTES[0])])
    assert retriever.retrieve(question).plan.filter is None
    write(store, embedder, [note(1, NOTES[1][0], {"author": "Ivo Prade"}, None)])
    assert retriever.retrieve(question).plan.filter == Filter(must=(MatchValue("author", "Ivo Prade"),))
    retriever.close()


def test_fields_that_only_others_have_are_not_known(tmp_path: Path, embedder: Embedder) -> None:
    settings = settings_for(tmp_path)
    store = open_store(settings)
    day = datetime(2024, 3, 1, tzinfo=UTC)
    others: Metadata = {"layoffs": day, "deals": 3, "margin": 0.5, "sold": True, "buyer": "Initech"}
    write(store, embedder, [note(0, LEAK, {"team": "red"}, None), note(1, HUM, others, "north")])
    assert {field.name for field in read_catalog(store, visible_to(None, None), {}).fields} == {"team"}
    everything = read_catalog(store, visible_to("north", None), {}).fields
    assert {field.name for field in everything} == set(others)
    retriever = Retriever(store, embedder, settings)
    assert retriever.retrieve("the latest leak of the feed pump since January 2024").plan.filter is None
    retriever.close()


def test_the_stages_can_be_watched(retriever: Retriever) -> None:
    trace = Trace()
    retriever.retrieve("notes by Maria Chen about the feed pump of boiler two", trace=trace)
    assert [stage.name for stage in trace.stages] == ["reading the question", "searching", "choosing"]
    assert trace.stages[1].found
    assert trace.stages[1].to_json()["passages"][0]["document"] == "note-0.md"


MARCH = Range("published", gte=datetime(2024, 3, 1, tzinfo=UTC), lt=datetime(2024, 4, 1, tzinfo=UTC))
SURE = Finding(MatchValue("author", "A"), ((0, 1),), 0.9, "author is A")
UNSURE = Finding(MARCH, ((2, 3),), 0.5, "published: March")


def test_the_least_certain_is_widened_then_dropped_then_the_next() -> None:
    plan = QueryPlan("q", "q", (SURE, UNSURE))
    steps = list(relaxations(plan))
    assert [len(step.findings) for step in steps] == [2, 1, 0]
    assert [item.action for item in steps[0].relaxed] == ["widened"]
    assert steps[1].findings == (SURE,)
    assert [item.finding for item in steps[2].relaxed] == [UNSURE, SURE]


def test_many_conditions_cost_few_searches() -> None:
    many = [Finding(MatchValue("tags", str(i)), ((i, i + 1),), i / 1000, "a tag") for i in range(500)]
    steps = list(relaxations(QueryPlan("q", "q", tuple(many))))
    assert len(steps) < 20
    assert steps[-1].findings == ()
    assert [item.finding for item in steps[-1].relaxed] == many


def test_only_closed_ranges_of_dates_are_widened() -> None:
    wider = widened(UNSURE)
    assert wider is not None
    assert wider.condition == Range(
        "published", gte=datetime(2024, 1, 30, tzinfo=UTC), lt=datetime(2024, 5, 2, tzinfo=UTC)
    )
    assert widened(SURE) is None


def test_topics_alone_are_soft() -> None:
    soft = Finding(MatchValue("tags", "a"), ((0, 1),), 1.0, "tags is a", soft=True)
    assert without_topics(QueryPlan("q", "q", (SURE,))) is None
    plan = without_topics(QueryPlan("q", "q", (SURE, soft)))
    assert plan is not None
    assert plan.findings == (SURE,)
    assert plan.relaxed[0].finding is soft


@pytest.mark.parametrize(
    ("question", "parts"), [("Compare A and B", 2), ("A or B", 0), ("What do both A and B say?", 2)]
)
def test_parts(question: str, parts: int) -> None:
    either = Finding(MatchAny("source", ("A", "B")), ((0, 1),), 1.0, "source is A or B")
    found = parts_of(QueryPlan(question, question, (either, UNSURE)))
    assert [to_json(item)["must"][0]["match"]["value"] for item in found] == ["A", "B"][:parts]
    assert all(MARCH in item.must for item in found)


def test_taking_turns() -> None:
    assert take_turns([[1, 2, 3], [], ["a"]]) == [1, "a", 2, 3]
