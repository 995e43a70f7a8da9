"""Putting what a system told into the books, and offering it to those who need it: one transaction a page.

A page is decided as a whole, then written with one statement a table, then offered.
"""

from __future__ import annotations

from collections.abc import Sequence

from erpsync.engine.intake.deciding import removed, told
from erpsync.engine.intake.incoming import Incoming
from erpsync.engine.intake.offering import offer_changes
from erpsync.engine.intake.page import Applied, Page, open_page
from erpsync.engine.intake.refusing import told_again, unreadable
from erpsync.engine.routes import Routes
from erpsync.store import books, cursors, events, xrefs
from erpsync.store.connection import Connection
from erpsync.store.messages import release_waits_for

__all__ = ["Applied", "PullLost", "apply"]


class PullLost(Exception):  # noqa: N818  (no error of the user's: another worker reads on from here)
    """The pull this page belongs to is another worker's now; nothing of the page was kept."""


def apply(
    db: Connection,
    routes: Routes,
    system: str,
    batch: Sequence[Incoming],
    *,
    now: int,
    restored_at: int | None = None,
    pull: cursors.Pull | None = None,
    cursor: str = "",
    pull_until: int = 0,
) -> Applied:
    """Put one page of one kind from one system into the books; with ``pull``, its cursor moves with it.

    Raises PullLost when the pull is not ours any more: the page is then no part of the store.
    """
    if pull is not None and not cursors.move(db, pull, cursor=cursor, until=pull_until):
        raise PullLost
    if not batch:
        return Applied()
    page = open_page(db, routes, system, batch, now=now)
    _decide(page, batch)
    _write(page)
    page.report.offered = offer_changes(
        db,
        routes,
        page.system,
        [*page.changes.values()],
        [*page.mends.values()],
        page.tally,
        now=now,
        next_message=page.next_message,
        restored_at=restored_at,
    )
    for verdict, n in page.report.verdicts.items():
        page.tally.happened(at=now, flow_id=0, system_id=page.system_id, outcome=f"told:{verdict}", n=n)
    page.tally.write(db)
    return page.report


def _decide(page: Page, batch: Sequence[Incoming]) -> None:
    """Decide about each thing told, in order; what was sent with an id is known by it from then on."""
    known = page.known
    for inc in batch:
        key = inc.dup_key
        if inc.error:
            unreadable(page, inc)
        elif key and (before := known.get(key)) is not None:
            told_again(page, inc, before)
        elif inc.removed:
            removed(page, inc)
        else:
            told(page, inc)
        if key and key not in known and page.rows and page.rows[-1][1] is inc:
            event_id = page.rows[-1][0].event_id
            known[key] = (inc.content_hash, event_id)
            page.seen.append((key, inc.content_hash, event_id))


def _write(page: Page) -> None:
    """Write what the page changes: contents, records, events, pictures, cross-references, duplicate keys."""
    db, company_id = page.db, page.routes.company_id
    _write_contents(page)
    books.insert_records(db, company_id, list(page.fresh.values()))
    old = [record for record_id, record in page.touched.items() if record_id not in page.fresh]
    books.update_records(db, old)
    events.insert_events(
        db,
        [row for row, _ in page.rows],
        company_id=company_id,
        system_id=page.system_id,
        landscape_id=page.routes.names.landscape_id,
    )
    for event_id, verdict, detail, record_id in page.verdicts:
        events.set_verdict(db, event_id, verdict, detail=detail, record_id=record_id)
    books.write_pictures(db, page.system_id, page.repainted.items())
    xrefs.bind(db, company_id, page.bindings, now=page.now)
    bound = [page.by_id[binding.record_id].key for binding in page.bindings]
    release_waits_for(db, page.system_id, bound, page.tally, now=page.now)  # this system has it: what waited may go
    events.remember_seen(db, company_id, page.system_id, page.seen, now=page.now)
    events.count_repeats(db, page.repeats, now=page.now)


def _write_contents(page: Page) -> None:
    """All contents of the page, once each: events, records and pictures point at them."""
    contents: dict[bytes, bytes] = {}
    for _, inc in page.rows:
        contents[inc.raw_hash] = inc.raw
        if inc.canonical:
            contents[inc.content_hash] = inc.canonical
    holders = (*page.fresh.values(), *page.touched.values(), *page.repainted.values())
    ids = books.keep_contents(page.db, holders, others=contents)
    for row, inc in page.rows:
        row.raw_id = ids[inc.raw_hash]
        row.canonical_id = ids[inc.content_hash] if inc.canonical else None
