"""Conversations and their files."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.history import ChatError, Chats, Turn, is_chat_id, new_chat


def test_nothing_is_written_before_the_first_question(chats: Chats) -> None:
    with pytest.raises(ChatError, match="start a new chat"):
        chats.load(new_chat().id)
    assert chats.list() == []
    assert chats.folder is not None
    assert not chats.folder.exists()


def test_a_conversation_comes_back_as_it_was(chats: Chats) -> None:
    chat = new_chat()
    assert chats.add_turn(chat, "One?") == 0
    chats.set_turn(chat.id, 0, Turn(question="One?", answer="1 ☃", state="done"))
    assert chats.add_turn(chat, "Two?") == 1
    again = chats.load(chat.id)
    assert again.title == "One?"
    assert again.history() == [("One?", "1 ☃")]
    assert [turn.state for turn in again.turns] == ["done", "answering"]


def test_files_are_for_their_owner_only_and_nothing_else_stays(chats: Chats, tmp_path: Path) -> None:
    chats.add_turn(new_chat(), "Secret?")
    (file,) = (tmp_path / "chats").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_ids_are_unguessable_and_differ() -> None:
    ids = {new_chat().id for _ in range(1000)}
    assert len(ids) == 1000
    assert all(map(is_chat_id, ids))


@given(
    st.text()
    | st.sampled_from(["..", "../" * 7 + "x", "a/b", "A" * 22 + "\n", "A" * 21 + "/", "A" * 21 + "."])
)
def test_only_ids_name_files(text: str) -> None:
    assert not is_chat_id(text) or (len(text) == 22 and text.replace("-", "").replace("_", "").isalnum())


def test_an_id_from_outside_reaches_no_file(chats: Chats, tmp_path: Path) -> None:
    (tmp_path / "chats").mkdir()
    (tmp_path / "secret.json").write_text('{"id": "x"}')
    with pytest.raises(ChatError):
        chats.load("../secret")
    chats.delete("../secret")
    assert (tmp_path / "secret.json").exists()


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"id": "x", "turns": 3}', "\udc80"])
def test_a_damaged_file_is_named_and_the_others_stay(chats: Chats, tmp_path: Path, damage: str) -> None:
    broken, sound = new_chat(), new_chat()
    chats.add_turn(broken, "Broken?")
    chats.add_turn(sound, "Sound?")
    file = tmp_path / "chats" / f"{broken.id}.json"
    file.write_bytes(damage.encode("utf-8", "surrogateescape"))
    with pytest.raises(ChatError, match=str(file)):
        chats.load(broken.id)
    assert {entry.title for entry in chats.list()} == {"(cannot be read)", "Sound?"}


def test_a_deleted_conversation_stays_deleted_when_its_answer_arrives(chats: Chats) -> None:
    chat = new_chat()
    chats.add_turn(chat, "One?")
    chats.delete(chat.id)
    chats.set_turn(chat.id, 0, Turn(question="One?", answer="late"))
    assert chats.list() == []


def test_a_failed_save_leaves_the_old_file(
    chats: Chats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = new_chat()
    chats.add_turn(chat, "One?")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        chats.rename(chat.id, "Other")
    assert chats.load(chat.id).title == "One?"
    assert len(list((tmp_path / "chats").iterdir())) == 1


def test_many_threads_lose_no_turn(chats: Chats) -> None:
    chat = new_chat()
    threads = [threading.Thread(target=chats.add_turn, args=(chat, f"{n}?")) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(chats.load(chat.id).turns) == 20


def test_without_a_folder_conversations_live_in_memory(tmp_path: Path) -> None:
    chats = Chats(None)
    chat = new_chat()
    chats.add_turn(chat, "One?")
    assert chats.load(chat.id).title == "One?"
    assert [entry.id for entry in chats.list()] == [chat.id]
    chats.delete(chat.id)
    with pytest.raises(ChatError):
        chats.load(chat.id)


def test_a_file_of_a_later_version_with_more_fields_is_read(chats: Chats, tmp_path: Path) -> None:
    chat = new_chat()
    chats.add_turn(chat, "One?")
    file = tmp_path / "chats" / f"{chat.id}.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "pinned": True}))
    assert chats.load(chat.id).title == "One?"


def test_long_titles_are_cut(chats: Chats) -> None:
    chat = new_chat()
    chats.add_turn(chat, "word " * 40)
    assert len(chats.load(chat.id).title) <= 60
    chats.rename(chat.id, "  ")
    assert chats.load(chat.id).title.startswith("word")
