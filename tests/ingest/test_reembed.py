"""Embedding what is stored with another model, beside the vectors that are searched."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from configs.errors import StoreError
from configs.models import MANIFEST, model_path
from configs.settings import Settings, load_settings
from retrieve.embed import load_embedder
from retrieve.retriever import open_retriever
from retrieve.store import open_store
from tests.ingest.stored import Ran

Run = Callable[..., Ran]
OTHER_TOKENS = {"max_seq_length": 128, "do_lower_case": False}


@pytest.fixture
def other(tmp_path: Path, settings: Settings) -> Path:
    """The same embedder under another name."""
    folder = tmp_path / "other-embedder"
    shutil.copytree(model_path(settings.models.embed, settings, role="embed"), folder)
    (folder / MANIFEST).unlink(missing_ok=True)  # it may be changed, like any folder of one's own
    return folder


def test_every_chunk_gets_a_new_vector_and_nothing_else_changes(
    sync: Run, run: Run, docs: Path, home: Path, other: Path
) -> None:
    sync(docs)
    store = open_store(load_settings())
    before = {record.id: record for record in store.records()}
    said = run("reembed", "--json", "--set", f"models.embed={other}").report
    assert (said["chunks"], said["before"], said["recut"]) == (len(before), "all-minilm-l6-v2", False)
    after = {record.id: record for record in store.records()}
    assert {name: r.payload for name, r in after.items()} == {name: r.payload for name, r in before.items()}
    for name, record in after.items():
        np.testing.assert_allclose(record.vector, before[name].vector, atol=1e-5)
    assert store.info().embedder == str(other)
    # The next ingest finds everything unchanged, and a reader with the old setting is told.
    assert sync(docs, "--set", f"models.embed={other}").counts() == (0, 0, 3, 0)
    with pytest.raises(StoreError, match="holds vectors of the embedder"):
        open_retriever(load_settings()).retrieve("What does the pump do?")


def test_two_spellings_of_a_folder_are_one_embedder(
    sync: Run, run: Run, docs: Path, home: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(docs)
    monkeypatch.chdir(other.parent)
    monkeypatch.setattr("ingest.pipeline.load_embedder", load_embedder)
    spelled = "./other-embedder"
    assert run("reembed", "--set", f"models.embed={spelled}").code == 0
    monkeypatch.chdir("/")
    again = ("--set", f"models.embed={other}")
    assert "already" in run("reembed", *again).err
    assert sync(docs, *again).counts() == (0, 0, 3, 0)
    # A store of an earlier Draftline remembers the spelling: it is taken for what it means here and now.
    (manifest,) = home.rglob("manifest.json")
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"embedder": spelled}))
    with pytest.raises(StoreError, match="holds vectors of the embedder"):
        open_retriever(load_settings(overrides=[again[1]])).retrieve("What does the pump do?")
    monkeypatch.chdir(other.parent)
    (docs / "new.md").write_text("A new page about a harbour crane.")
    assert sync(docs, *again).counts() == (1, 0, 3, 0)
    assert open_store(load_settings()).info().embedder == spelled
    found = open_retriever(load_settings(overrides=[again[1]])).retrieve("harbour crane")
    assert found.passages


@pytest.mark.deep
def test_a_model_that_reads_other_pieces_cuts_anew(
    sync: Run, run: Run, docs: Path, home: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(docs)
    (other / "sentence_bert_config.json").write_text(json.dumps(OTHER_TOKENS))
    ran = run("reembed", "--set", f"models.embed={other}")
    assert ran.code == 0
    assert "cuts all documents anew" in ran.err
    monkeypatch.setattr("ingest.pipeline.load_embedder", load_embedder)
    assert sync(docs, "--set", f"models.embed={other}").counts() == (0, 3, 0, 0)


def test_what_cannot_be_embedded_anew(sync: Run, run: Run, docs: Path, home: Path) -> None:
    ran = run("reembed")
    assert (ran.code, "store is empty" in ran.err) == (2, True)
    sync(docs)
    ran = run("reembed")
    assert (ran.code, "already" in ran.err) == (2, True)
    ran = run("reembed", "--set", "models.embed=./nowhere")
    assert (ran.code, "nowhere" in ran.err) == (2, True)


def test_interrupted_it_leaves_the_old_vectors(
    sync: Run,
    run: Run,
    docs: Path,
    home: Path,
    other: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sync(docs)
    store = open_store(load_settings())
    before = store.info()

    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    kind = type(load_embedder(load_settings()))
    with monkeypatch.context() as patch:
        patch.setattr(kind, "embed_documents", interrupted)
        assert run("reembed", "--set", f"models.embed={other}").code == 130
    assert store.info() == before
