"""The sections of the settings: types, bounds and meanings; default values live in ``default.yaml``."""

from __future__ import annotations

import math
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    SecretStr,
    model_validator,
)

PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


def _not_all_zero(weights: list[float]) -> list[float]:
    if not any(weights):
        raise ValueError("one of the weights must be above 0")
    return weights


Weights = Annotated[
    list[Annotated[float, Field(ge=0)]], Field(min_length=2, max_length=2), AfterValidator(_not_all_zero)
]
"""Of the dense and of the BM25 search."""


PLACEHOLDER = re.compile(r"\{([A-Za-z_][\w.-]*)\}")
"""A field's name in a path template."""


class Section(BaseModel):
    """A group of settings; immutable, and a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ModelSettings(Section):
    answer: str
    draft: str | None
    embed: str
    rerank: str | None
    reader: str | None
    allow_download: bool


class StoreSettings(Section):
    kind: Literal["edge", "server"]
    url: str
    api_key: SecretStr | None
    collection: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,200}$")]
    timeout_s: PositiveFloat
    quantization: Literal["off", "int8", "binary"]
    on_disk: bool
    shards: PositiveInt | None
    replicas: PositiveInt
    write_consistency: PositiveInt
    write_ordering: Literal["weak", "medium", "strong"]


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("it must not be empty")
    return text


Text = Annotated[str, AfterValidator(_not_blank)]


class LabelRule(Section):
    """Labels for documents whose path, relative to its root, matches a glob."""

    path: Text
    tenant: str | None = None
    access: list[str] = []


def _not_reserved(name: str) -> str:
    if name == "_dl" or name.startswith("_dl."):
        raise ValueError("names that begin with _dl are Draftline's own")
    if name != " ".join(name.split()):
        raise ValueError("a name has single spaces, inside it")
    return name


def _is_pattern(text: str | None) -> str | None:
    import regex  # only where somebody has rules

    try:
        compiled = regex.compile(text) if text is not None else None
    except regex.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    if compiled is not None and not compiled.groupindex:
        raise ValueError("it has no named group, so it gives no field")
    for name in compiled.groupindex if compiled else ():
        _not_reserved(name)
    return text


def _is_template(text: str | None) -> str | None:
    names = PLACEHOLDER.findall(text or "")
    if len(set(names)) < len(names):
        raise ValueError("it names a field twice")
    for name in names:
        _not_reserved(name)
    return text


FieldName = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_not_reserved)]


def _is_value(value: Any) -> Any:
    """What a field of front matter may hold; `ingest.metadata` makes the same of it."""
    for item in value if isinstance(value, list) else [value]:
        finite = not isinstance(item, float) or math.isfinite(item)
        if not isinstance(item, str | int | float | date) or not finite:
            raise ValueError("it must be text, a number, a date, true or false, or a list of these")
    return value


FieldValue = Annotated[Any, PlainValidator(_is_value)]


def _some(values: list[str]) -> list[str]:
    if not values:
        raise ValueError("name one at least, or leave it out")
    return values


class FieldSettings(Section):
    """What an owner declares about a metadata field of documents."""

    type: Literal["keyword", "integer", "float", "bool", "datetime", "language"] | None = None
    unit: Text | None = None
    also: list[Text] = []
    values: Annotated[list[Text], AfterValidator(_some)] = []
    model: Text | None = None

    @model_validator(mode="after")
    def _fits_its_type(self) -> FieldSettings:
        if self.unit is not None and (self.values or self.type not in (None, "integer", "float")):
            raise ValueError("a unit is for integers and floats")
        if self.values and self.type not in (None, "keyword"):
            raise ValueError("values are for keywords")
        return self


def _name_one_field_each(fields: dict[str, FieldSettings]) -> dict[str, FieldSettings]:
    owners = {name: name for name in fields}
    for name, field in fields.items():
        for other in field.also:
            if owners.setdefault(other, name) != name:
                raise ValueError(f"{other} is a name of two fields: {owners[other]} and {name}")
    return fields


class FieldRule(Section):
    """Fields that come out of a document's path, or out of its text by a pattern."""

    path: Annotated[Text | None, AfterValidator(_is_template)] = None
    pattern: Annotated[str | None, AfterValidator(_is_pattern)] = None
    within: Text = "body"
    all: bool = False
    put: dict[FieldName, FieldValue] = {}
    fallback: bool = False

    @model_validator(mode="after")
    def _gives_something(self) -> FieldRule:
        if self.path is None and self.pattern is None:
            raise ValueError("it needs a path or a pattern")
        if self.pattern is None and not self.put and not PLACEHOLDER.search(self.path or ""):
            raise ValueError("it gives no field: name one in the path as {field}, or under put")
        return self


class IngestSettings(Section):
    lock_wait_s: Annotated[float, Field(ge=0)]
    max_file_mb: PositiveFloat
    convert_timeout_s: PositiveFloat
    workers: Annotated[int, Field(ge=0)] | None
    worker_mb: Annotated[float, Field(ge=512)]
    ray_address: str | None
    ray_embedders: PositiveInt
    ray_gpus: Annotated[float, Field(ge=0)]
    chunk_tokens: Annotated[int, Field(ge=16)]
    chunk_overlap: Annotated[int, Field(ge=0)]
    near_duplicates: Literal["off", "exact", "near"]
    embed_batch: PositiveInt
    commit_every_s: PositiveFloat
    tenant: str | None
    access: list[str]
    rules: list[LabelRule]
    fields: Annotated[dict[FieldName, FieldSettings], AfterValidator(_name_one_field_each)]
    field_rules: list[FieldRule]
    day_first: bool | None
    detect_language: bool
    model_characters: Annotated[int, Field(ge=200)]
    html: Literal["auto", "default", "reader-lm"]
    pdf: Literal["text", "hi_res"]
    ocr: Literal["auto", "off", "always"]
    reader_tokens: Annotated[int, Field(ge=64)]
    reader_page_tokens: PositiveInt
    reader_penalty: Annotated[float, Field(ge=1, le=2)]
    reader_max_ratio: Annotated[float, Field(gt=0, le=4)]
    reader_max_invented: Share
    include: list[str]
    exclude: list[str]
    gitignore: bool
    archive_files: PositiveInt
    archive_mb: PositiveFloat
    archive_ratio: PositiveFloat
    archive_depth: PositiveInt
    crawl_depth: Annotated[int, Field(ge=0)]
    crawl_pages: PositiveInt
    crawl_delay_s: Annotated[float, Field(ge=0)]
    crawl_timeout_s: PositiveFloat
    crawl_private: bool
    watch_crawl_s: PositiveFloat | None


class FieldHint(Section):
    """What an owner says about a metadata field, for questions that speak of it."""

    aliases: list[str] = []
    values: dict[str, str] = {}
    private: bool = False


def _follow_ups(value: object) -> object:
    """What was true or false before there was a third way."""
    return {"true": "words", "false": "off"}.get(str(value).lower(), value)


class RetrieveSettings(Section):
    top_k: PositiveInt
    prefetch: PositiveInt
    fusion: Literal["linear", "rrf", "dbsf"]
    fusion_weights: Weights
    neighbour_weight: Share
    rerank_candidates: PositiveInt
    mmr: Share | None
    expand_tokens: Annotated[int, Field(ge=0)]
    min_evidence: Annotated[float, Field(ge=-1, le=2)]
    min_rerank: Share | None
    all_tenants: bool
    reader: Literal["off", "linker", "model", "both"]
    chat: Annotated[str, Field(pattern=r"^[\w.]+:\w+$")]
    follow_ups: Annotated[Literal["off", "words", "model"], BeforeValidator(_follow_ups)]
    relax: bool
    fields: dict[str, FieldHint]
    today: date | None

    @property
    def reads_with_model(self) -> bool:
        """Whether a chat model reads conditions out of questions."""
        return self.reader in ("model", "both")

    @property
    def asks_model(self) -> bool:
        """Whether retrieval needs a chat model."""
        return self.reads_with_model or self.follow_ups == "model"


class GenerateSettings(Section):
    device: Literal["auto", "cpu", "cuda"]
    dtype: Literal["auto", "float32", "bfloat16", "float16"]
    weights: Literal["auto", "float", "int8", "fp8"]
    weights_mb: PositiveFloat | None
    attention_window: PositiveInt | None
    block_size: PositiveInt
    kv_cache_mb: PositiveFloat | None
    max_batch_tokens: PositiveInt
    max_running: PositiveInt
    prefix_cache: bool
    speculate: Literal["auto", "always", "off"]
    drafters: list[Literal["copy", "recycle", "bigram", "grammar", "streaming", "snapkv", "model"]]
    draft_tokens: Annotated[int, Field(gt=0, le=128)]
    draft_depth: Annotated[int, Field(gt=0, le=64)]
    draft_budget: Annotated[int, Field(ge=64)]
    draft_cache_mb: PositiveFloat
    threads: PositiveInt | None


class AnswerSettings(Section):
    max_tokens: PositiveInt
    temperature: Annotated[float, Field(ge=0)]
    top_p: Annotated[float, Field(gt=0, le=1)]
    top_k: Annotated[int, Field(ge=0)]
    seed: int
    repetition_penalty: Annotated[float, Field(ge=0.01, le=100)]
    lead: Annotated[int, Field(ge=0)]
    min_support: Share
    min_quote_words: PositiveInt
    history_turns: Annotated[int, Field(ge=0)]


class EvaluateSettings(Section):
    dataset: Path
    min_citation_overlap: Share
    min_abstention: Share
    min_context_recall: Share


class AppSettings(Section):
    host: str
    port: Annotated[int, Field(ge=0, le=65535)]
    chats: bool
