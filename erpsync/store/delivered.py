"""What a delivered message changes in the books: its target's picture, what that calls it, and who waited for it."""

from __future__ import annotations

from collections.abc import Sequence

from erpsync.domain.flat import Fields
from erpsync.store import cases
from erpsync.store.books import Picture, pictures_for, write_pictures
from erpsync.store.cases import Case
from erpsync.store.connection import Connection
from erpsync.store.messages import release_waits_for
from erpsync.store.outcomes import Finished, Outcome
from erpsync.store.totals import Tally
from erpsync.store.xrefs import Binding, bind, bound_otherwise


def write_books(db: Connection, ours: Sequence[Outcome], tally: Tally, report: Finished, *, now: int) -> None:
    """Change the books by what was delivered: pictures, then cross-references; who waited for it is free (``report.freed``)."""
    known = [o for o in ours if o.present is not None]
    if not known:
        return
    before = pictures_for(db, [(o.record_id, o.target_id) for o in known])
    again = [
        (o.target_id, o.record_id)
        for o in known
        if o.present and o.far_id and (was := before.get((o.record_id, o.target_id))) is not None and not was.present
    ]
    changed: dict[int, list[tuple[int, Picture]]] = {}
    for o in known:
        picture = before.get((o.record_id, o.target_id)) or Picture()
        if o.present:
            _repaint(picture, o)
        else:
            picture = Picture(present=False)
        picture.seen_at = max(picture.seen_at, now)
        if o.far_revision is not None:
            picture.far_revision, picture.far_order = o.far_revision, o.far_order
        changed.setdefault(o.target_id, []).append((o.record_id, picture))
    for target_id, pictures in changed.items():
        write_pictures(db, target_id, pictures)
    db.executemany("DELETE FROM xrefs WHERE system_id = ? AND record_id = ?", again)  # another document there now
    _bind(db, [o for o in known if o.present and o.far_id], tally, now=now)
    for target_id in {o.target_id for o in known}:
        keys = sorted({o.key for o in known if o.target_id == target_id and o.present})
        report.freed += release_waits_for(db, target_id, keys, tally, now=now)


def _repaint(picture: Picture, o: Outcome) -> None:
    """The picture after a write: what the target says it holds, else what we asked."""
    picture.present = True
    fields = dict(picture.fields)
    if o.holds is not None:
        if any(path.startswith("lines.") for path in o.holds):  # it told its lines: all of them
            fields = {path: v for path, v in fields.items() if not path.startswith("lines.") or path in o.holds}
        fields.update(o.holds)
    if o.holds is None and not picture.asked:
        fields.update(o.asked)
    else:
        _repaint_asked(picture, fields, o)
    fields = _without_empty_lines(fields)
    picture.hold(fields, content_id=o.asked_id if fields == o.asked else None)


def _repaint_asked(picture: Picture, fields: Fields, o: Outcome) -> None:
    """Where it holds something else than what we asked for, that is remembered."""
    for name, value in o.asked.items():
        if o.holds is None or (name not in o.holds and not (name.startswith("lines.") and o.holds)):
            fields[name] = value
            picture.asked.pop(name, None)
        elif o.holds.get(name) != value:
            picture.asked[name] = value
        else:
            picture.asked.pop(name, None)


def _without_empty_lines(fields: Fields) -> Fields:
    if None not in fields.values():
        return fields
    return {path: v for path, v in fields.items() if v is not None or not path.startswith("lines.")}


def _bind(db: Connection, ours: Sequence[Outcome], tally: Tally, *, now: int) -> None:
    bindings = [Binding(o.target_id, o.record_id, o.kind, o.far_id) for o in ours]
    if bind(db, tally.company_id, bindings, now=now) == len(bindings):
        return
    by_pair = {(o.target_id, o.record_id): o for o in ours}
    for system_id, record_id, far_id, bound in bound_otherwise(db, bindings):
        o = by_pair[system_id, record_id]
        said = f"is bound to {bound}" if bound else "cannot be bound: that id is another document's"
        case = Case(
            "duplicate_far",
            o.key,
            f"the target answered with far id {far_id}, but {o.key} {said}",
            system_id=o.target_id,
            record_id=o.record_id,
            message_id=o.message_id,
            evidence={"far_id": far_id, "bound": bound},
        )
        cases.open_case(db, case, company_id=tally.company_id, now=now)
