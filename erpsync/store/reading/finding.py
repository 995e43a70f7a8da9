"""Whatever a caller reads out, found: by id, by key, by what a system calls it, by what was told, sent or answered.

Keys and far ids are looked up by their own indexes, as typed, in capitals and in small letters; parts of them, and every
other writing, by the index of words as far as that goes.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from erpsync.domain.keys import Key
from erpsync.domain.sought import Sought, plain
from erpsync.store.connection import Connection, moment
from erpsync.store.lanes import open_messages_of
from erpsync.store.reading.audit import act_id
from erpsync.store.reading.contents import Search, in_contents, state_of
from erpsync.store.reading.found import Findings, Found, Looked, Rank
from erpsync.store.reading.selecting import company_id
from erpsync.store.store import Store
from erpsync.store.words import Index, IndexBrokenError, discard, index_of

_ID = re.compile(r"(?:(?P<noun>message|event|m|e)s?[ :#-]*)?(?P<id>\d{1,18})", re.IGNORECASE)
_CASE = re.compile(r"E-?(?P<id>\d{1,18})", re.IGNORECASE)
_ACT = re.compile(r"A-(?:(?P<chain>.+)-)?(?P<seq>\d{1,18})", re.IGNORECASE)
_BEYOND = "\U0010ffff"
_PARTS = 200  # keys that have the words: more are not read
_SCANNED = 2_000
_OPEN_SHOWN = 8

_RECORD = """SELECT record_id, kind, number, removed, revision, changed_at FROM records r"""
_HOLD = """SELECT s.name FROM systems s CROSS JOIN pictures p ON p.record_id = ? AND p.system_id = s.system_id WHERE p.present = 1
    ORDER BY s.name"""
_OPEN = f"""SELECT s.name, m.state, m.message_id, m.state_at FROM systems s CROSS JOIN messages m
    ON m.message_id IN {open_messages_of("?1", "s.system_id")} ORDER BY m.message_id LIMIT {_OPEN_SHOWN}"""
_XREFS = """SELECT s.name, r.kind, r.number, x.far_id, x.bound_at FROM systems s CROSS JOIN json_each(?1) k CROSS JOIN json_each(?2) w
    CROSS JOIN xrefs x ON x.company_id = ?3 AND x.system_id = s.system_id AND x.kind = k.value AND x.far_id {compared}
    CROSS JOIN records r ON r.record_id = x.record_id LIMIT ?4"""


@dataclass(frozen=True)
class Wanted:
    """What somebody looks for: the best ``limit`` hits (0: all), for at most ``seconds``. ``key`` where what was typed is one."""

    sought: Sought
    company: str
    kinds: Sequence[str]
    key: Key | None = None
    limit: int = 50
    seconds: float = 0.6


def find(store: Store, wanted: Wanted, *, may_discard: bool) -> Findings:
    """The best hits, and how much was looked through. An index of words that is damaged is thrown away where that is allowed."""
    try:
        with index_of(store.path, store_id=store.store_id, epoch=store.epoch) as index, store.read() as db:
            return _find(db, index, wanted)
    except IndexBrokenError:
        if may_discard:
            with suppress(OSError):
                discard(store.path)
        with store.read() as db:
            return _find(db, None, wanted)


def _find(db: Connection, index: Index | None, wanted: Wanted) -> Findings:
    sought, kinds, key, limit = wanted.sought, wanted.kinds, wanted.key, wanted.limit
    until = time.monotonic() + wanted.seconds
    own, looked = company_id(db, wanted.company), Looked()
    hits: dict[tuple[str, str], Found] = {}
    for hit in _by_name(db, sought, own, kinds, key):
        hits.setdefault((hit.name, hit.where), hit)
    if key is None:
        keyed = {name for name, _ in hits}
        for hit in _parts_of_keys(db, index, sought, own, until=until):
            if hit.name not in keyed:
                hits.setdefault((hit.name, hit.where), hit)
    named = sorted(hits.values(), key=lambda hit: hit.rank)
    room = limit - len(named) if limit else 1_000_000
    looked.more = room < 0
    inside = in_contents(db, index, Search(sought, own, max(room, 0), until), looked)
    taken = {hit.name for hit in named}
    items = [*named, *(hit for hit in inside if hit.name not in taken)]
    return Findings(tuple(items[:limit] if limit else items), looked)


def _by_name(db: Connection, sought: Sought, own: int, kinds: Sequence[str], key: Key | None) -> Iterator[Found]:
    """What is called so: ids, keys, far ids; then keys and far ids that begin so."""
    if key is not None:
        writings = _writings(key.number)
        own_key = f"{_RECORD} WHERE company_id = ? AND kind = ? AND number IN (SELECT value FROM json_each(?))"
        for row in db.execute(own_key, (own, key.kind, json.dumps(writings))).fetchall():
            yield _record(db, row, Rank.KEY)
        yield from _xrefs(db, own, [key.kind], writings, "= w.value", Rank.XREF)
        return
    text = sought.text
    yield from _by_id(db, text, own)
    writings = _writings(text)
    asked = (json.dumps(list(kinds)), json.dumps(writings), own)
    of_kinds = f"{_RECORD.replace('records r', 'json_each(?1) k CROSS JOIN json_each(?2) w CROSS JOIN records r', 1)}"
    same = "ON r.company_id = ?3 AND r.kind = k.value AND r.number"
    for row in db.execute(f"{of_kinds} {same} = w.value", asked):
        yield _record(db, row, Rank.KEY)
    yield from _xrefs(db, own, kinds, writings, "= w.value", Rank.XREF)
    if len(text) > 1:
        begins = f">= w.value AND {{}} < w.value || '{_BEYOND}'"
        for row in db.execute(f"{of_kinds} {same} {begins.format('r.number')} LIMIT 20", asked):
            yield _record(db, row, Rank.PART_OF_KEY)
        yield from _xrefs(db, own, kinds, writings, begins.format("x.far_id"), Rank.PART_OF_XREF)


def _writings(number: str) -> list[str]:
    return list(dict.fromkeys((number, number.upper(), number.lower())))


def _by_id(db: Connection, text: str, own: int) -> Iterator[Found]:
    if asked := _ID.fullmatch(text):
        number, noun = int(asked["id"]), (asked["noun"] or "").lower()[:1]
        if noun != "e":
            yield from _message(db, number, own)
        if noun != "m":
            yield from _event(db, number, own)
    if asked := _CASE.fullmatch(text):
        query = "SELECT exception_id, kind, subject, state, text, opened_at FROM exceptions WHERE company_id = ? AND exception_id = ?"
        for number, kind, subject, state, said, at in db.execute(query, (own, int(asked["id"]))):
            key = subject if ":" in subject else None
            says = f"{kind} about {subject}, {state}" + (f": {said}" if said else "")
            yield Found(Rank.ID, "id", says, moment(at), key, exception=f"E-{number}")
    if asked := _ACT.fullmatch(text):
        query = "SELECT chain, seq, actor, what, subject, reason, at FROM audit WHERE chain = ? AND seq = ? AND company_id IN (0, ?)"
        for chain, seq, actor, what, subject, reason, at in db.execute(
            query, (asked["chain"] or "main", int(asked["seq"]), own)
        ):
            name = act_id(chain, seq)
            yield Found(
                Rank.ID, "id", f"{actor} {what} {subject}" + (f": {reason}" if reason else ""), moment(at), act=name
            )


def _message(db: Connection, message_id: int, own: int) -> Iterator[Found]:
    query = (
        "SELECT r.kind || ':' || r.number, s.name, m.state, m.reason, m.state_at FROM messages m CROSS JOIN records r "
        "ON r.record_id = m.record_id CROSS JOIN systems s ON s.system_id = m.target_id WHERE m.message_id = ? AND m.company_id = ?"
    )
    for key, system, state, reason, at in db.execute(query, (message_id, own)):
        says = f"{key} to {system}, {state_of(state, reason)}"
        yield Found(Rank.ID, "id", says, moment(at), key, system, message=message_id)


def _event(db: Connection, event_id: int, own: int) -> Iterator[Found]:
    query = (
        "SELECT e.kind, ifnull(r.number, e.number), e.far_id, s.name, e.removed, e.verdict, e.received_at, r.revision "
        "FROM events e CROSS JOIN systems s "
        "ON s.system_id = e.system_id LEFT JOIN records r ON r.record_id = e.record_id WHERE e.event_id = ? AND e.company_id = ?"
    )
    for kind, number, far_id, system, removed, verdict, at, revision in db.execute(query, (event_id, own)):
        key = f"{kind}:{number or far_id or '?'}"
        says = f"{system} {'said it is gone' if removed else 'told'}, {verdict.replace('_', ' ')}"
        yield Found(Rank.ID, "id", f"{key}: {says}", moment(at), key, system, event=event_id, is_kept=bool(revision))


def _xrefs(
    db: Connection, own: int, kinds: Sequence[str], writings: Sequence[str], compared: str, rank: Rank
) -> Iterator[Found]:
    asked = (json.dumps(list(kinds)), json.dumps(list(writings)), own, 20)
    for system, kind, number, far_id, at in db.execute(_XREFS.format(compared=compared), asked):
        yield Found(rank, "xref", f"{system} calls it {far_id}", moment(at), f"{kind}:{number}", system)


def _parts_of_keys(db: Connection, index: Index | None, sought: Sought, own: int, *, until: float) -> Iterator[Found]:
    """Records whose number has the words: those that end with them first, the newest before the older."""
    known = index.marks["records"] if index else 0
    newest = "SELECT record_id, number FROM records WHERE record_id > ? ORDER BY record_id DESC LIMIT ?"
    ids: list[tuple[bool, int]] = []
    rows: list[Any] = db.execute(newest, (known, _SCANNED)).fetchall()
    if index is not None:
        named = json.dumps(list(islice(index.ids("records", sought.expression), _PARTS)))
        rows += db.execute(
            "SELECT record_id, number FROM json_each(?) j CROSS JOIN records ON record_id = j.value", (named,)
        ).fetchall()
    for record_id, number in rows:
        span = sought.place_in(simple := plain(number))
        if span is not None:
            ids.append((span[1] != len(simple), -int(record_id)))
    for _, minus in sorted(ids)[:20]:
        row = db.execute(f"{_RECORD} WHERE record_id = ? AND company_id = ?", (-minus, own)).fetchone()
        if row is not None and time.monotonic() < until:
            yield _record(db, row, Rank.PART_OF_KEY)


def _record(db: Connection, row: Sequence[Any], rank: Rank) -> Found:
    """A record as found: what is on its way, and who holds it."""
    record_id, kind, number, removed, revision, changed_at = row
    going = db.execute(_OPEN, (record_id,)).fetchall()
    said = [_on_its_way(*message) for message in going[: _OPEN_SHOWN - 1]]
    if len(going) == _OPEN_SHOWN:
        said.append("and more")
    holders = [str(name) for (name,) in db.execute(_HOLD, (record_id,))]
    if holders:
        said.append(f"in {' and '.join(holders)}")
    if removed:
        said.append("removed by its owner")
    if not said:
        said.append("on record, in no system yet" if revision else "known by name only")
    at = max((int(message[3]) for message in going), default=int(changed_at))
    return Found(rank, "key", ", ".join(said), moment(at), f"{kind}:{number}", is_kept=bool(revision))


def _on_its_way(system: str, state: str, message_id: int, _since: int) -> str:
    match state:
        case "unknown":
            return f"unknown whether {system} has it (message {message_id})"
        case "ready" | "leased":
            return f"on its way to {system} (message {message_id})"
        case _:
            return f"{state} on its way to {system} (message {message_id})"
