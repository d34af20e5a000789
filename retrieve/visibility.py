"""Who may see what: the part of every search's filter that no question and no model can touch.

- With a tenant, only chunks labelled with that tenant. Without one, only chunks that have no tenant
  label, unless ``retrieve.all_tenants`` opens every tenant's chunks to callers who name none.
- A chunk with access labels is seen only by a caller who has at least one of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from configs.errors import InputError
from retrieve.filters import Condition, Filter, IsEmpty, MatchAny, MatchValue

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
