"""Settings: sources and their order, typos, values as text."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import SettingsError
from configs.settings import PROFILES_DIR, Settings, known_keys, load_settings, profile_names

ENV = {"HOME": "/home/someone"}


def load(*overrides: str, profile: str | None = None, **env: str) -> Settings:
    return load_settings(profile, overrides, env=ENV | env)


def test_default_yaml_sets_every_key_once() -> None:
    data = yaml.safe_load((PROFILES_DIR / "default.yaml").read_text(encoding="utf-8"))
    written = [f"{section}.{key}" for section, values in data.items() for key in values]
    assert sorted(written) == sorted(known_keys())


@pytest.mark.parametrize("profile", profile_names())
def test_profiles_load(profile: str) -> None:
    assert load(profile=profile).profile == profile


def test_later_sources_win_and_are_named() -> None:
    settings = load(
        "answer.seed=3",
        profile="gpu",
        DRAFTLINE__ANSWER__SEED="2",
        DRAFTLINE__APP__PORT="99",
        DRAFTLINE_HOME="/srv/draftline",
    )
    sources = settings.sources()
    assert (settings.answer.seed, sources["answer.seed"]) == (3, "--set")
    assert (settings.app.port, sources["app.port"]) == (99, "DRAFTLINE__APP__PORT")
    assert (settings.generate.device, sources["generate.device"]) == ("cuda", "gpu.yaml")
    assert sources["store.kind"] == "default.yaml"
    assert (str(settings.home), sources["home"]) == ("/srv/draftline", "DRAFTLINE_HOME")
    assert (settings.profile, sources["profile"]) == ("gpu", "--profile")
    assert set(sources) == {*known_keys(), "home", "models_dir", "profile"}


def test_a_profile_from_the_environment() -> None:
    assert load(DRAFTLINE_PROFILE="cluster").sources()["profile"] == "DRAFTLINE_PROFILE"
    assert load(profile="gpu", DRAFTLINE_PROFILE="cluster").profile == "gpu"


@pytest.mark.parametrize("name", ["DRAFTLINE_INGEST_EMBED_BATCH", "DRAFTLINE__INGEST_EMBED_BATCH"])
def test_a_variable_with_too_few_underscores_is_not_ignored(name: str) -> None:
    with pytest.raises(
        SettingsError, match=f"{name} sets nothing: write it as DRAFTLINE__INGEST__EMBED_BATCH"
    ):
        load(**{name: "8"})
    assert load(DRAFTLINE__ingest__embed_batch="8").ingest.embed_batch == 8


def test_what_kubernetes_says_of_a_service_is_no_setting() -> None:
    assert load(DRAFTLINE_APP_PORT="tcp://10.0.0.7:8501").app.port == load().app.port


def test_what_lies_with_the_store_wins_over_the_profile(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("ingest:\n  fields:\n    released: {type: datetime}\nanswer:\n  seed: 7\n")
    settings = load(profile="gpu", DRAFTLINE_HOME=str(tmp_path))
    assert settings.ingest.fields["released"].type == "datetime"
    assert (settings.answer.seed, settings.sources()["answer.seed"]) == (7, str(path))
    assert load("answer.seed=8", DRAFTLINE_HOME=str(tmp_path)).answer.seed == 8
    assert load(DRAFTLINE_HOME=str(tmp_path / "other")).answer.seed == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            b"store:\n  url: http://elsewhere\n",
            "store.url cannot be set there, only ingest, retrieve, answer",
        ),
        (b"answer:\n  sead: 1\n", "no setting is called 'answer.sead'; did you mean 'answer.seed'"),
        (b"- answer\n", "has no settings"),
        (b"answer: {\n", "is not valid YAML"),
        (b"answer: \xff\n", "cannot be read: not UTF-8"),
        (b"answer:\n  seed: x\n", "answer.seed = 'x' is not valid"),
    ],
)
def test_a_mistake_beside_the_store_is_told(tmp_path: Path, text: bytes, message: str) -> None:
    (tmp_path / "settings.yaml").write_bytes(text)
    with pytest.raises(SettingsError, match=re.escape(message)) as told:
        load(DRAFTLINE_HOME=str(tmp_path))
    assert str(tmp_path) in str(told.value)


@pytest.mark.parametrize(
    ("overrides", "env", "message"),
    [
        (
            ["answer.max_token=3"],
            {},
            "--set: no setting is called 'answer.max_token'; did you mean 'answer.max_tokens'?",
        ),
        (["max_tokens=3"], {}, "did you mean 'answer.max_tokens'?"),
        (
            [],
            {"DRAFTLINE__STORE__KINDS": "edge"},
            "DRAFTLINE__STORE__KINDS: no setting is called 'store.kinds'",
        ),
        (["answer.seed"], {}, "--set answer.seed: write it as section.key=value"),
        (["home=/x"], {}, "home is set by DRAFTLINE_HOME"),
        (["ingest.foo=1"], {}, "no setting is called 'ingest.foo'; `python -m configs show` lists all"),
        (["generate.max_tokens=3"], {}, "did you mean 'answer.max_tokens'?"),
        (["retreive.top_k=3"], {}, "did you mean 'retrieve.top_k'?"),
        (["ingest.fields.a.type=bool"], {}, "'ingest.fields.a.type'; ingest.fields is set as a whole"),
        (["answer.seed=x"], {}, "--set: answer.seed = 'x' is not valid: it must be a whole number"),
        (["app.chats=x"], {}, "it must be true or false"),
        (["retrieve.today=x"], {}, "it must be a date such as 2026-03-01"),
        (["store.collection=A B"], {}, "pattern '^[A-Za-z0-9_.-]{1,200}$'"),
        (
            ["app.port=70000"],
            {},
            "app.port = '70000' is not valid: input should be less than or equal to 65535",
        ),
        (["store.timeout_s=inf"], {}, "store.timeout_s = 'inf' is not valid"),
        (["store.kind=sqlite"], {}, "input should be 'edge' or 'server'"),
        (
            ["ingest.rules=[{path: a, acces: [x]}]"],
            {},
            "acces is not known there; did you mean 'access'?",
        ),
        (["ingest.rules=[{access: [x]}]"], {}, "ingest.rules[0].path is missing"),
        (["ingest.include=[1]"], {}, "ingest.include[0] = 1 is not valid"),
        (["ingest.include=[a"], {}, "write it as [one, two]"),
        (["retrieve.fields={a"], {}, "write it as {name: value}"),
        (
            [],
            {"DRAFTLINE_PROFILE": "gpus"},
            "DRAFTLINE_PROFILE: unknown profile 'gpus'; there are: cluster, default, gpu",
        ),
    ],
)
def test_what_cannot_be_set_says_where_and_what(
    overrides: list[str], env: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(*overrides, **env)
    assert message in str(caught.value)


def test_a_secret_is_masked_even_where_it_is_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = load(DRAFTLINE__STORE__API_KEY="12345")
    assert settings.store.api_key is not None
    assert settings.store.api_key.get_secret_value() == "12345"
    assert "12345" not in repr(settings)
    shutil.copy(PROFILES_DIR / "default.yaml", tmp_path)
    (tmp_path / "leaky.yaml").write_text("store: {api_key: 12345}")
    monkeypatch.setattr("configs.settings.PROFILES_DIR", tmp_path)
    with pytest.raises(SettingsError, match=r"leaky\.yaml: store\.api_key = the value given is not valid"):
        load(profile="leaky")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("store: [", "not valid YAML"),
        ("store:\n", "store is a section"),
        ("store: {kinds: edge}", "no setting is called 'store.kinds'; did you mean 'store.kind'?"),
        ("- a\n", "sections with settings below them"),
    ],
)
def test_a_broken_profile_is_named(
    text: str, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "default.yaml").write_text(text)
    monkeypatch.setattr("configs.settings.PROFILES_DIR", tmp_path)
    with pytest.raises(SettingsError) as caught:
        load()
    assert str(caught.value).startswith("default.yaml")
    assert message in str(caught.value)


def test_text_means_what_it_says() -> None:
    settings = load("answer.seed=-3", "retrieve.today=2025-03-01", "store.collection=2024", "app.chats=off")
    assert settings.answer.seed == -3
    assert str(settings.retrieve.today) == "2025-03-01"
    assert settings.store.collection == "2024"
    assert settings.app.chats is False
    assert load("retrieve.reader=off").retrieve.reader == "off"
    assert load("answer.temperature=1e-3").answer.temperature == 0.001
    assert load("ingest.tenant=null").ingest.tenant is None
    assert load("ingest.access=[a, 'b=c']").ingest.access == ["a", "b=c"]


def test_a_file_of_nearly_the_right_name_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "settings.yml").write_text("answer: {seed: 7}\n")
    with pytest.raises(SettingsError, match=r"settings\.yml is not read: call it settings\.yaml"):
        load(DRAFTLINE_HOME=str(tmp_path))


def test_files_mean_what_they_say(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text(
        "ingest: {near_duplicates: off, access: [no, 12:30, 007, 1_000]}\nretrieve: {today: 2025-03-01}\n"
    )
    settings = load(DRAFTLINE_HOME=str(tmp_path))
    assert settings.ingest.near_duplicates == "off"
    assert settings.ingest.access == ["no", "12:30", "007", "1_000"]
    assert str(settings.retrieve.today) == "2025-03-01"


@given(st.integers())
def test_integers_survive(value: int) -> None:
    assert load(f"answer.seed={value}").answer.seed == value


@given(st.floats(0, 1e300))
def test_floats_survive(value: float) -> None:
    assert load(f"answer.temperature={value!r}").answer.temperature == value


@given(st.text(min_size=1).filter(lambda text: text != "null"))
def test_texts_survive(value: str) -> None:
    assert load(f"ingest.tenant={value}").ingest.tenant == value
    assert load(DRAFTLINE__STORE__URL=value).store.url == value


@given(st.lists(st.text(st.characters(codec="utf-8"))))
def test_lists_survive_as_yaml(value: list[str]) -> None:
    assert load(f"ingest.include={yaml.safe_dump(value)}").ingest.include == value
