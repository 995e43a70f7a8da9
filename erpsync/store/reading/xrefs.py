"""Cross-references as people read them: what each system calls our documents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from erpsync.store.connection import Connection, moment
from erpsync.store.reading.asked import Field, Selection, Sort
from erpsync.store.reading.selecting import (
    Page,
    all_kind_words,
    company_id,
    is_own,
    limit_sql,
    order_sql,
    total_of,
    where_sql,
)


@dataclass(frozen=True)
class XrefRow:
    """What one system calls one document of ours, and since when."""

    system: str
    kind: str
    number: str
    far_id: str
    bound_at: datetime

    @property
    def key(self) -> str:
        """The key of our document, short form."""
        return f"{self.kind}:{self.number}"


def _called() -> str:
    """By the index of what systems call them, which begins with whose and of which kind."""
    kinds = ", ".join(f"('{kind}')" for kind in dict.fromkeys(all_kind_words().values()))
    return (
        f"(x.system_id, x.record_id) IN (WITH k (kind) AS (VALUES {kinds}) SELECT c.system_id, c.record_id FROM companies w "
        "CROSS JOIN systems t CROSS JOIN k CROSS JOIN xrefs c ON c.company_id = w.company_id AND c.system_id = t.system_id "
        "AND c.kind = k.kind AND c.far_id = ?)"
    )


FIELDS: dict[str, Field] = {
    "age": Field("x.bound_at", Sort.AGE),
    "bound": Field("x.bound_at", Sort.MOMENT),
    "far": Field("x.far_id", equal=_called),
    "key": Field(
        "r.kind || ':' || r.number", exact="(x.system_id, x.record_id) IN (SELECT system_id, {record} FROM systems)"
    ),
    "kind": Field("x.kind", words=all_kind_words),
    "system": Field("s.name", among="x.system_id IN (SELECT s.system_id FROM systems s WHERE {names})"),
}
# CROSS JOIN keeps them in the order of their table, and + from an index of another order, so that LIMIT ends the reading.
_TABLES = "xrefs x CROSS JOIN records r ON r.record_id = x.record_id CROSS JOIN systems s ON s.system_id = x.system_id"


def xrefs(db: Connection, selection: Selection) -> Page[XrefRow]:
    """Cross-references, by system, and each system's in the order in which we came to know the documents."""
    company = company_id(db, selection.company)
    condition, values = where_sql(selection, FIELDS, subject="cross-references")
    order = order_sql(selection, FIELDS, usual="x.system_id, x.record_id", last="x.system_id, x.record_id")
    base = f"+x.company_id = {int(company)}"
    rows = db.execute(
        f"SELECT s.name, x.kind, r.number, x.far_id, x.bound_at FROM {_TABLES} WHERE {base} AND {condition} {order} "
        f"{limit_sql(selection)}",
        values,
    ).fetchall()
    everything = int(db.execute(f"SELECT count(*) FROM xrefs WHERE company_id = {int(company)}").fetchone()[0])
    own = "xrefs x" if is_own(selection, FIELDS, "x") else _TABLES
    counting = f"{own} WHERE {base} AND {condition}"
    total = total_of(db, selection, counting, values, shown=len(rows), everything=everything)
    found = (XrefRow(system, kind, number, far_id, moment(at)) for system, kind, number, far_id, at in rows)
    return Page(tuple(found), total, everything)
