"""Retention: what was finished long ago goes, a little at a time, and what anybody still needs stays whatever its age."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from night_store import NIGHT, Night

from erpsync.engine.upkeep import pruning
from erpsync.engine.upkeep.pruning import Pruned
from erpsync.errors import NotFound
from erpsync.store import audit, payloads
from erpsync.store.checking import verify
from erpsync.store.connection import ms
from erpsync.store.pruning import MESSAGE_GOES, Survey
from erpsync.store.reading.messages import counts_by_state, message
from erpsync.store.schema import NO_MINUTE
from erpsync.store.store import Store

DAY = 24 * 60  # in minutes
OLD, NEW = 100 * DAY, 10 * DAY
BEFORE = NIGHT - timedelta(days=90)


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    """A store in which the newest of everything is new."""
    with Store.create(tmp_path / "erpsync.db", now=NIGHT) as store:
        yield Night(store)


def seal(night: Night) -> None:
    """Something happened just now; and the totals are folded."""
    last = night.message("item:LAST", to="wms", reason="created", ago=1)
    night.attempt(last, ago=1, outcome="created")
    night.finish()


def no_telling(_what: str, _done: int, _of: int) -> None:
    """Nobody looks on."""


def look(night: Night, before: datetime = BEFORE) -> Survey:
    return pruning.survey(night.store, before=before, tell=no_telling)


def prune(night: Night, found: Survey | None = None, *, patience: float = 0.0) -> Pruned:
    """Remove what there is to remove; the store is whole before and after, and what was shown is what went."""
    assert problems(night.store) == []
    fresh = found is None
    found = found or look(night)
    done = pruning.prune(
        night.store,
        found,
        now=lambda: NIGHT,
        actor="mira",
        reason="tidying",
        command="erpsync store prune",
        tell=no_telling,
        patience=patience,
    )
    assert problems(night.store) == []
    if fresh and not done.in_hands:
        assert done.gone == found.counts
    return done


def problems(store: Store) -> list[str]:
    with store.read() as db:
        return [f"{problem.check}: {problem.text}" for problem in verify(db)]


def numbers(night: Night, sql: str) -> set[int]:
    with night.store.read() as db:
        return {int(row[0]) for row in db.execute(sql)}


def messages(night: Night) -> set[int]:
    return numbers(night, "SELECT message_id FROM messages")


def write(night: Night, sql: str, *values: object) -> None:
    night.store.writer.call(lambda db: db.execute(sql, values))


def test_what_was_finished_long_ago_goes_with_its_tries_and_contents(night: Night) -> None:
    told = night.event("shop", "order:SO-1", ago=OLD, raw=b'{"as": "it came"}')
    done = night.message("order:SO-1", to="erp", reason="created", stake=700, ago=OLD, event_id=told)
    night.attempt(done, ago=OLD, outcome="refused", body=b"first")
    night.attempt(done, ago=OLD, outcome="created", body=b"second", content='{"number": "SO-1"}')
    skipped = night.message("order:SO-2", to="erp", state="skipped", reason="filtered", ago=OLD)
    recent = night.message("order:SO-3", to="erp", reason="created", ago=NEW)
    night.attempt(recent, ago=NEW, outcome="created", body=b"third")
    closed = night.exception("sla", "order:SO-1", ago=OLD, state="closed", closed_at=night.at(OLD), message_id=done)
    night.exception("sla", "order:SO-9", ago=NEW)
    minute = night.at(OLD) // 60_000
    write(night, "INSERT INTO counts VALUES (?, 1, 1, 1, 'created', '100', 5, 10)", minute)
    write(night, "INSERT INTO counts VALUES (?, 1, 1, 1, 'created', '100', 5, 10)", night.at(NEW) // 60_000)
    seal(night)

    found = look(night)
    assert done in messages(night), "looking changes nothing"
    gone = prune(night, found).gone
    assert gone == found.counts, "what was shown is what went"
    assert (gone.messages, gone.attempts, gone.exceptions, gone.raws, gone.minutes) == (2, 2, 1, 1, 1)
    assert (gone.contents, gone.bytes) == (4, len(b'{"as": "it came"}' + b"first" + b"second" + b'{"number": "SO-1"}'))
    assert not {done, skipped} & messages(night)
    assert recent in messages(night)
    assert closed not in numbers(night, "SELECT exception_id FROM exceptions")
    assert numbers(night, "SELECT event_id FROM events") == {told}, "that something was told stays"
    assert numbers(night, f"SELECT count(*) FROM counts WHERE minute < {NO_MINUTE}") == {1}
    with night.store.read() as db, pytest.raises(NotFound, match=rf"message {done} is not in the store \(pruned, or"):
        message(db, "main", done)
    again = look(night)
    assert not again.counts.any


def test_totals_are_of_what_is_kept(night: Night) -> None:
    for n in range(5):
        night.message(f"order:SO-{n}", to="erp", reason="created", stake=100, ago=OLD)
    night.message("order:SO-8", to="erp", state="dead", stake=100, ago=OLD)
    seal(night)
    prune(night)
    with night.store.read() as db:
        assert {state: n for state, n in counts_by_state(db, 1).items() if n} == {"dead": 1, "done": 1}


def test_the_act_is_on_record_once_with_what_it_was_to_remove(night: Night) -> None:
    night.message("order:SO-1", to="erp", reason="created", ago=OLD)
    seal(night)
    done = prune(night)
    with night.store.read() as db:
        (row,) = db.execute(
            "SELECT seq, actor, subject, reason, command, content FROM audit JOIN payloads ON payload_id = after_id "
            "WHERE what = 'store.prune'"
        ).fetchall()
    assert tuple(row)[:5] == (done.act, "mira", f"store:{night.store.store_id}", "tidying", "erpsync store prune")
    assert b'"messages": 1' in row[5]


def test_what_is_open_stays_whatever_its_age(night: Night) -> None:
    states = ("ready", "held", "dead", "unknown", "leased")
    of_open = {}
    for state in states:
        told = night.event("shop", f"order:{state}", ago=OLD, raw=state.encode())
        waits = [("person", "why")] if state == "held" else []
        more = {"lease_no": 1} if state == "leased" else {}
        of_open[state] = night.message(
            f"order:{state}", to="erp", state=state, ago=OLD, tries=1, event_id=told, waits=waits, **more
        )
        night.attempt(of_open[state], ago=OLD, outcome="", body=f"sent for {state}".encode())
    seal(night)
    prune(night)
    assert set(of_open.values()) <= messages(night)
    assert len(numbers(night, "SELECT attempt_id FROM attempts")) == len(states) + 1
    assert len(numbers(night, "SELECT event_id FROM events WHERE raw_id IS NOT NULL")) == len(states)


def test_what_an_open_exception_is_about_stays(night: Night) -> None:
    told = night.event("shop", "order:SO-1", ago=OLD, raw=b"about this")
    done = night.message("order:SO-1", to="erp", reason="created", ago=OLD)
    night.exception("found_twice", "order:SO-1", ago=OLD, message_id=done, event_id=told)
    late = night.message("order:SO-2", to="erp", reason="created", ago=OLD)
    night.exception("sla", "order:SO-2", ago=OLD, message_id=late, state="closed", closed_at=night.at(NEW))
    seal(night)
    prune(night)
    assert {done, late} <= messages(night)
    assert numbers(night, "SELECT event_id FROM events WHERE raw_id IS NOT NULL") == {told}


def test_that_a_person_decided_about_a_held_message_is_remembered(night: Night) -> None:
    held = night.message("order:SO-1", to="erp", state="held", ago=OLD, waits=[("parent", "customer:CU-1")])
    case = night.exception(
        "missing_parent",
        "order:SO-1",
        ago=OLD,
        message_id=held,
        state="closed",
        closed_by="mira",
        closed_at=night.at(OLD),
    )
    night.exception("sla", "order:SO-9", ago=NEW)
    seal(night)
    prune(night)
    assert case in numbers(night, "SELECT exception_id FROM exceptions")


@pytest.mark.parametrize("verdict", ["refused", "unreadable", "conflicting", "unknown_key", "waits", "held", "in_part"])
def test_what_was_kept_back_can_be_brought_back_whatever_its_age(night: Night, verdict: str) -> None:
    told = night.event("shop", "order:SO-1", ago=OLD, raw=b"read me again", verdict=verdict)
    seal(night)
    prune(night)
    assert numbers(night, "SELECT event_id FROM events WHERE raw_id IS NOT NULL") == {told}


def test_what_was_read_of_an_event_stays_in_its_chain(night: Night) -> None:
    record = night.record("item:SKU-1")
    canonical = night.store.writer.call(lambda db: payloads.put(db, b'{"name": "Drill"}'))
    first = night.event("erp", "item:SKU-1", ago=OLD + 1, raw=b"<1>", previous_id=0, canonical_id=canonical)
    second = night.event("erp", "item:SKU-1", ago=OLD, raw=b"<2>", previous_id=first)
    write(night, "UPDATE records SET newest_id = ? WHERE record_id = ?", second, record)
    seal(night)
    assert prune(night).gone.raws == 2
    assert canonical in numbers(night, "SELECT canonical_id FROM events WHERE canonical_id IS NOT NULL")
    assert canonical in numbers(night, "SELECT payload_id FROM payloads")


def picture(night: Night, key: str, system: str, content_id: int | None = None, *, present: int = 1) -> None:
    write(
        night,
        "INSERT INTO pictures (record_id, system_id, content_id, present, seen_at) VALUES (?, ?, ?, ?, ?)",
        night.record(key),
        night.names.systems[system],
        content_id,
        present,
        night.at(OLD),
    )


def test_the_last_delivery_of_what_has_a_current_value_stays_as_the_evidence_of_its_picture(night: Night) -> None:
    older = night.message("item:SKU-1", to="wms", reason="created", ago=OLD + 5)
    newest = night.message("item:SKU-1", to="wms", reason="updated", ago=OLD)
    removed = night.message("item:SKU-2", to="wms", reason="removed", ago=OLD)
    order = night.message("order:SO-1", to="wms", reason="created", ago=OLD)
    for sent in (older, newest, removed, order):
        night.attempt(sent, ago=OLD, outcome="created", body=b"for %d" % sent)
    picture(night, "item:SKU-1", "wms")
    picture(night, "item:SKU-2", "wms", present=0)
    picture(night, "order:SO-1", "wms")
    seal(night)
    prune(night)
    assert messages(night) & {older, newest, removed, order} == {newest}


def test_a_level_told_a_hundred_thousand_times_costs_no_more_each(night: Night) -> None:
    """Whether a delivery is the last is one look behind it in its lane, however many came before."""
    sql = f"EXPLAIN QUERY PLAN SELECT {MESSAGE_GOES} FROM messages m"
    with night.store.read() as db:
        plan = [str(row[3]) for row in db.execute(sql, {"before": 0, "kept": "[]"})]
    assert "SEARCH n USING INDEX messages_lane (lane_id=? AND <expr>=? AND rowid>?)" in plan


def test_contents_that_anything_names_stay(night: Night) -> None:
    def put(content: bytes) -> int:
        return int(night.store.writer.call(lambda db: payloads.put(db, content)))

    by_record, by_picture, by_own, nobody = (put(word) for word in (b"record", b"picture", b"own", b"nobody"))
    night.record("item:SKU-1")
    write(night, "UPDATE records SET content_id = ? WHERE number = 'SKU-1'", by_record)
    picture(night, "item:SKU-1", "wms", by_picture)
    night.message("order:SO-1", to="erp", state="dead", ago=OLD, own_id=by_own)
    gone = night.message("order:SO-2", to="erp", reason="created", ago=OLD, own_id=by_own)
    night.attempt(gone, ago=OLD, outcome="created")
    write(night, "UPDATE attempts SET body_id = ?, content_id = ? WHERE message_id = ?", by_record, by_picture, gone)
    night.store.writer.call(
        lambda db: audit.append(
            db,
            chain="main",
            company_id=1,
            at=BEFORE,
            actor="mira",
            what="edit",
            subject="1",
            before=b"was",
            after=b"is",
        )
    )
    seal(night)
    assert prune(night).gone.contents == 2, "nobody's, and what the record held before"
    left = numbers(night, "SELECT payload_id FROM payloads")
    assert {by_record, by_picture, by_own} <= left
    assert nobody not in left
    with night.store.read() as db:
        told = "SELECT count(*) FROM audit JOIN payloads ON payload_id = before_id OR payload_id = after_id"
        assert db.execute(f"{told} WHERE what = 'edit'").fetchone()[0] == 2


def test_what_one_that_stays_points_to_stays(night: Night) -> None:
    newer = night.message("order:SO-1", to="erp", reason="created", ago=OLD)
    older = night.message("order:SO-1", to="erp", state="skipped", reason="superseded", ago=NEW, superseded_by=newer)
    cause = night.message("item:SKU-1", to="wms", reason="updated", ago=OLD)
    night.event("wms", "item:SKU-1", ago=NEW, caused_by=cause)
    seal(night)
    prune(night)
    assert {newer, older, cause} <= messages(night)


def test_no_number_is_given_twice(night: Night) -> None:
    """The last message, the last try (of another message) and the last exception stay, however old they are."""
    tried = night.message("order:SO-1", to="erp", reason="created", ago=OLD)
    attempt = night.attempt(tried, ago=OLD, outcome="created")
    case = night.exception("sla", "order:SO-1", ago=OLD, state="closed", closed_at=night.at(OLD))
    between = night.message("order:SO-2", to="erp", reason="created", ago=OLD)
    last = night.message("order:SO-3", to="erp", state="skipped", reason="filtered", ago=OLD)
    night.finish()
    prune(night)
    assert messages(night) == {tried, last}
    assert between < last < night.message("order:SO-4", to="erp", state="ready")
    assert night.attempt(tried, ago=1, outcome="") > attempt
    assert night.exception("sla", "order:SO-4") > case


def test_a_duplicate_is_known_after_its_event_forgot_what_came(night: Night) -> None:
    told = night.event("shop", "order:SO-1", ago=OLD, raw=b"came")
    write(night, "INSERT INTO seen VALUES (1, 1, 'id:7', x'00', ?, ?)", told, night.at(OLD))
    seal(night)
    prune(night)
    assert numbers(night, "SELECT event_id FROM seen") == {told}


def test_what_was_taken_up_again_after_it_was_shown_stays(night: Night) -> None:
    discarded = night.message("order:SO-1", to="erp", state="skipped", reason="discarded", ago=OLD, own_id=None)
    own = night.store.writer.call(lambda db: payloads.put(db, b"as it was edited"))
    write(night, "UPDATE messages SET own_id = ? WHERE message_id = ?", own, discarded)
    other = night.message("order:SO-2", to="erp", reason="created", ago=OLD)
    told = night.event("shop", "order:SO-3", ago=OLD, raw=b"came")
    seal(night)
    found = look(night)
    assert found.counts.messages == 2
    write(night, "UPDATE messages SET state = 'ready', is_head = 1 WHERE message_id = ?", discarded)
    night.exception("event_conflict", "order:SO-3", ago=1, event_id=told)
    night.finish()
    gone = prune(night, found).gone
    assert (gone.messages, gone.raws) == (1, 0)
    assert discarded in messages(night)
    assert other not in messages(night)
    assert own in numbers(night, "SELECT payload_id FROM payloads")


def test_contents_wait_for_what_workers_have_in_their_hands(night: Night) -> None:
    """A worker that claimed a message before may name the content that its record held then."""
    old = night.message("order:SO-1", to="erp", reason="created", ago=OLD)
    night.attempt(old, ago=OLD, outcome="created", body=b"sent once")
    leased = night.message(
        "order:SO-2", to="erp", state="leased", ago=1, tries=1, lease_no=1, due_at=ms(NIGHT) + 60_000
    )
    seal(night)
    done = prune(night)
    assert (done.in_hands, done.gone.messages, done.gone.contents) == (1, 1, 0)
    write(night, "UPDATE messages SET due_at = ? WHERE message_id = ?", ms(NIGHT) - 1, leased)
    done = prune(night)
    assert (done.in_hands, done.gone.contents) == (0, 1), "a lease that is over names nothing any more"


def test_a_worker_that_puts_its_try_on_record_in_time_is_waited_for(night: Night) -> None:
    old = night.message("order:SO-1", to="erp", reason="created", ago=OLD)
    night.attempt(old, ago=OLD, outcome="created", body=b"sent once")
    leased = night.message(
        "order:SO-2", to="erp", state="leased", ago=1, tries=1, lease_no=1, due_at=ms(NIGHT) + 60_000
    )
    content = numbers(night, "SELECT body_id FROM attempts").pop()
    seal(night)
    found = look(night)

    def begin_and_finish() -> None:
        time.sleep(0.3)
        night.attempt(leased, ago=0, outcome="created")
        write(night, "UPDATE attempts SET content_id = ? WHERE message_id = ?", content, leased)
        write(night, "UPDATE messages SET state = 'done', is_head = 0 WHERE message_id = ?", leased)
        night.finish()

    worker = threading.Thread(target=begin_and_finish)
    worker.start()
    done = prune(night, found, patience=10.0)
    worker.join()
    assert (done.in_hands, done.gone.contents) == (0, 0)
    assert content in numbers(night, "SELECT payload_id FROM payloads")


def test_a_step_is_as_large_as_the_time_it_may_take(night: Night) -> None:
    """A row that takes a millisecond: some dozen of them make a step, whatever the first guess was."""
    sizes: list[int] = []

    def slow(_db: object, ids: list[int]) -> None:
        sizes.append(len(ids))
        time.sleep(0.001 * len(ids))

    pruning.Steps(night.store, no_telling).run("rows", range(400), 400, slow)
    assert sum(sizes) == 400
    assert max(sizes[2:]) <= 24


def test_others_get_in_between_the_steps(night: Night) -> None:
    night.many(6_000, ago=OLD)
    seal(night)
    waits: list[float] = []
    over = threading.Event()

    def work() -> None:
        with Store.open(night.store.path, now=NIGHT) as other:
            while not over.is_set():
                begun = time.monotonic()
                other.writer.call(lambda db: db.execute("UPDATE systems SET failures = failures + 1"))
                waits.append(time.monotonic() - begun)
                time.sleep(0.002)

    worker = threading.Thread(target=work)
    worker.start()
    done = prune(night)
    over.set()
    worker.join()
    assert done.gone.messages == 6_000
    assert len(waits) > 20
    assert sorted(waits)[len(waits) * 9 // 10] < 0.25, (
        "most of the time a worker waits for one step, on a busy machine too"
    )


def test_whatever_stands_in_the_store_it_is_whole_afterwards(night: Night) -> None:
    chance = random.Random(7)
    states = ("done", "done", "done", "skipped", "dead", "held")
    for _ in range(400):
        key = f"{chance.choice(('item', 'order', 'shipment'))}:{chance.randrange(60)}"
        ago = chance.choice((OLD, OLD + 1, NEW))
        told = night.event("shop", key, ago=ago, raw=b"%d" % chance.randrange(50)) if chance.random() < 0.7 else None
        state = chance.choice(states)
        waits = [("person", "")] if state == "held" else []
        sent = night.message(
            key, to=chance.choice(("erp", "wms")), state=state, ago=ago, event_id=told, waits=waits, stake=chance.randrange(99)
        )  # fmt: skip
        for _ in range(chance.randrange(3)):
            night.attempt(sent, ago=ago, outcome="created", body=b"%d" % chance.randrange(50), content="{}")
        if chance.random() < 0.2:
            closed = {"state": "closed", "closed_at": night.at(chance.choice((OLD, NEW)))}
            more = closed if chance.random() < 0.7 else {}
            night.exception("sla", f"{key} {sent}", ago=ago, message_id=sent, event_id=told, **more)
    seal(night)
    unfinished = numbers(night, "SELECT message_id FROM messages WHERE state IN ('dead', 'held')")
    assert prune(night).gone.messages > 50
    assert unfinished <= messages(night)
    assert not look(night).counts.any
