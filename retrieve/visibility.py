"""Who may see what: the part of every search's filter that no question and no model can touch.

- With a tenant, only chunks labelled with that tenant. Without one, only chunks that have no tenant
  label, unless ``retrieve.all_tenants`` opens every tenant's chunks to callers who name none.
- A chunk with access labels is seen only by a caller who has at least one of them.
- A field that ``retrieve.fields`` calls private is seen by nobody, and named in nobody's filter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from configs.errors import InputError
from configs.settings import Settings
from retrieve.filters import Condition, Filter, IsEmpty, MatchAny, MatchValue
from retrieve.schema import FieldType
from retrieve.store.base import Store

TENANT, ACCESS = "_dl.tenant", "_dl.access"


def visible_to(tenant: str | None, access: Sequence[str] | None, *, all_tenants: bool = False) -> Filter:
    """The filter that passes what a caller may see.

    Raises:
        InputError: an empty tenant or access label, which would look like none at all.
    """
    if isinstance(access, str):
        raise InputError(f"access labels are a list, not one text ({access!r})")
    labels = tuple(sorted(set(access or ())))
    if tenant == "" or "" in labels:
        raise InputError("a tenant or access label is empty; leave it out, or name one")
    must: list[Condition] = []
    if tenant is not None:
        must.append(MatchValue(TENANT, tenant))
    elif not all_tenants:
        must.append(IsEmpty(TENANT))
    unlabelled = IsEmpty(ACCESS)
    must.append(Filter(should=(unlabelled, MatchAny(ACCESS, labels))) if labels else unlabelled)
    return Filter(must=tuple(must))


def private_fields(settings: Settings) -> frozenset[str]:
    """The fields that ``retrieve.fields`` calls private."""
    return frozenset(name for name, hint in settings.retrieve.fields.items() if hint.private)


def filter_fields(store: Store, private: frozenset[str]) -> Mapping[str, FieldType]:
    """The fields that a filter may name, with their types; private ones are not among them."""
    return {name: kind for name, kind in store.info().fields.items() if name not in private}
