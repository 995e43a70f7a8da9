"""A store with a night in it, put there row by row: what the read side and the command line are tested on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from erpsync.domain.flat import Fields
from erpsync.store import audit, payloads
from erpsync.store.connection import Connection, ms
from erpsync.store.lanes import lane_id
from erpsync.store.names import register
from erpsync.store.schema import NO_MINUTE, OPEN
from erpsync.store.store import Store

NIGHT = datetime(2026, 10, 15, 8, 12, 40, tzinfo=UTC)

LANDSCAPE = """\
name = "acme-prod"
production = true
company = "main"
timezone = "America/Chicago"
currency = "USD"

[store]
url = "sqlite:///erpsync.db"

[systems.erp]
role = "erp"
adapter = "http"
spec = "sim_erp"
url = "http://127.0.0.1:9"
secret = "env:ERP_TOKEN"
limits = { rate = "20/s" }

[systems.shop]
role = "commerce"
adapter = "http"
spec = "sim_shop"
url = "http://127.0.0.1:9"
secret = "env:SHOP_TOKEN"

[systems.wms]
role = "wms"
adapter = "http"
spec = "sim_wms"
url = "http://127.0.0.1:9"
secret = "env:WMS_TOKEN"
options = { user = "erpsync" }

[owners]
item = "erp"
customer = "erp"
order = "shop"
shipment = "wms"

[[flows]]
name = "items"
kind = "item"
from = "erp"
to = ["shop", "wms"]

[[flows]]
name = "customers"
kind = "customer"
from = "erp"
to = ["shop", "wms"]

[[flows]]
name = "orders"
kind = "order"
from = "shop"
to = ["erp", "wms"]

[[flows]]
name = "shipments"
kind = "shipment"
from = "wms"
to = ["erp"]
"""

_FLOW_OF = {"item": "items", "customer": "customers", "order": "orders", "shipment": "shipments"}


@dataclass
class Night:
    """Rows put into a store; every method returns the id of what it made. ``ago`` is minutes before the night's moment."""

    store: Store
    now: datetime = NIGHT
    records: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = self._write(
            lambda db: register(
                db,
                company="main",
                systems=["erp", "shop", "wms"],
                flows=["items", "customers", "orders", "shipments"],
                digest="0",
                content="{}",
                now=ms(self.now - timedelta(days=2)),
            )
        )

    def _write(self, work: Callable[[Connection], Any]) -> Any:
        return self.store.writer.call(work)

    def _insert(self, table: str, **values: object) -> int:
        names = ", ".join(values)
        marks = ", ".join("?" * len(values))
        return int(
            self._write(
                lambda db: (
                    db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values())).lastrowid
                )
            )
        )

    def at(self, ago: float) -> int:
        """The milliseconds of so many minutes before the night's moment."""
        return ms(self.now - timedelta(minutes=ago))

    def record(self, key: str, fields: Fields | None = None, *, revision: int = 1) -> int:
        """A record by key, made when it is new."""
        if key not in self.records:
            kind, _, number = key.partition(":")
            content = json.dumps(fields or {"number": number}).encode()
            self.records[key] = self._insert(
                "records",
                company_id=1,
                kind=kind,
                number=number,
                content_id=self._write(lambda db: payloads.put(db, content)),
                origins='{"":[1,0]}',
                revision=revision,
                changed_at=self.at(600),
            )
        return self.records[key]

    def event(
        self, system: str, key: str, *, ago: float = 60, verdict: str = "accepted", raw: bytes = b"", **more: object
    ) -> int:
        """Something a system told."""
        kind, _, number = key.partition(":")
        raw_id = self._write(lambda db: payloads.put(db, raw)) if raw else None
        return self._insert(
            "events",
            company_id=1,
            system_id=self.names.systems[system],
            kind=kind,
            number=number,
            verdict=verdict,
            received_at=self.at(ago),
            raw_id=raw_id,
            **{"record_id": self.record(key), **more},
        )

    def message(
        self,
        key: str,
        *,
        to: str,
        state: str = "done",
        reason: str = "",
        stake: int = 0,
        currency: str = "USD",
        ago: float = 60,
        accepted: float | None = None,
        queue: str = "",
        waits: Sequence[tuple[str, str]] = (),
        **more: object,
    ) -> int:
        """A message; the first unfinished one of its lane is its head."""
        record_id, target = self.record(key), self.names.systems[to]
        kind = key.partition(":")[0]
        lane = lane_id(self.record(queue or key), target)
        unfinished = f"'{state}' {OPEN}"
        first = f"NOT EXISTS (SELECT 1 FROM messages WHERE lane_id = {lane} AND state {OPEN})"
        is_head = self._write(lambda db: db.execute(f"SELECT {unfinished} AND {first}").fetchone()[0])
        since = self.at(ago)
        message_id = self._insert(
            "messages",
            company_id=1,
            target_id=target,
            lane_id=lane,
            flow_id=self.names.flows[_FLOW_OF[kind]],
            record_id=record_id,
            state=state,
            reason=reason,
            is_head=is_head,
            stake=stake,
            currency=currency if stake else "",
            accepted_at=self.at(ago if accepted is None else accepted),
            state_at=since,
            **{"due_at": since, **more},
        )
        for why, on in waits:
            self._insert("waits", message_id=message_id, reason=why, target_id=target, waits_on=on, since=since)
        return message_id

    def attempt(
        self,
        message_id: int,
        *,
        ago: float,
        outcome: str,
        seconds: float = 0.19,
        body: bytes = b"",
        content: str = "",
        **more: object,
    ) -> int:
        """A try of a message: what was sent, and what that asked the target to hold."""
        lease = self._write(
            lambda db: db.execute("SELECT count(*) + 1 FROM attempts WHERE message_id = ?", (message_id,)).fetchone()[0]
        )
        body_id = self._write(lambda db: payloads.put(db, body)) if body else None
        content_id = self._write(lambda db: payloads.put(db, content.encode())) if content else None
        self._write(
            lambda db: db.execute("UPDATE messages SET lease_no = ? WHERE message_id = ?", (lease, message_id)).rowcount
        )
        return self._insert(
            "attempts",
            message_id=message_id,
            lease_no=lease,
            **{"try_no": lease, **more},
            claimed_at=self.at(ago),
            begun_at=self.at(ago),
            ended_at=self.at(ago) + int(seconds * 1000),
            took_us=int(seconds * 1_000_000),
            outcome=outcome,
            body_id=body_id,
            content_id=content_id,
        )

    def exception(self, kind: str, subject: str, *, ago: float = 30, stake: int = 0, **more: object) -> int:
        """A business problem."""
        return self._insert(
            "exceptions",
            company_id=1,
            kind=kind,
            subject=subject,
            opened_at=self.at(ago),
            shows_at=self.at(ago),
            stake=stake,
            currency="USD" if stake else "",
            **more,
        )

    def many(self, number: int, *, ago: float) -> None:
        """So many orders, each told by the shop and delivered to the ERP; into a store that has none yet."""
        at, rows = self.at(ago), range(1, number + 1)
        order = {"company_id": 1, "kind": "order"}
        contents = [b"%d," % n * 150 for n in rows]

        def fill(db: Connection) -> None:
            ids = payloads.put_many(db, contents)

            def put(table: str, made: Callable[[int, int], dict[str, object]]) -> None:
                each = [made(n, content) for n, content in zip(rows, ids, strict=True)]
                marks = ", ".join(f":{name}" for name in each[0])
                db.executemany(f"INSERT INTO {table} ({', '.join(each[0])}) VALUES ({marks})", each)

            put(
                "records",
                lambda n, _: {**order, "record_id": n, "number": f"SO-{n}", "origins": "{}", "changed_at": at},
            )
            put(
                "events",
                lambda n, raw: {
                    **order,
                    "event_id": n,
                    "record_id": n,
                    "received_at": at,
                    "verdict": "accepted",
                    "raw_id": raw,
                    "system_id": self.names.systems["shop"],
                },
            )
            put(
                "messages",
                lambda n, _: {
                    "message_id": n,
                    "company_id": 1,
                    "event_id": n,
                    "record_id": n,
                    "state": "done",
                    "is_head": 0,
                    "target_id": self.names.systems["erp"],
                    "lane_id": lane_id(n, self.names.systems["erp"]),
                    "flow_id": self.names.flows["orders"],
                    "due_at": at,
                    "accepted_at": at,
                    "state_at": at,
                },
            )
            put(
                "attempts",
                lambda n, body: {"message_id": n, "lease_no": 1, "try_no": 1, "claimed_at": at, "body_id": body},
            )

        self._write(fill)

    def xref(self, system: str, key: str, far_id: str) -> None:
        """What a system calls a document."""
        self._insert(
            "xrefs",
            system_id=self.names.systems[system],
            record_id=self.record(key),
            company_id=1,
            kind=key.partition(":")[0],
            far_id=far_id,
            bound_at=self.at(600),
        )

    def system(self, name: str, **values: object) -> None:
        """How a system stands."""
        sets = ", ".join(f"{column} = ?" for column in values)
        self._write(lambda db: db.execute(f"UPDATE systems SET {sets} WHERE name = ?", [*values.values(), name]))

    def act(self, what: str, subject: str, *, ago: float, actor: str = "mira", reason: str = "") -> int:
        """What somebody did, in the audit log."""
        at = self.now - timedelta(minutes=ago)
        return int(
            self._write(
                lambda db: audit.append(
                    db, chain="main", company_id=1, at=at, actor=actor, what=what, subject=subject, reason=reason
                )
            )
        )

    def finish(self) -> None:
        """Fold the totals, so that the store is whole."""

        def fold(db: Connection) -> None:
            db.execute("DELETE FROM counts WHERE minute = ?", (NO_MINUTE,))
            db.execute(
                "INSERT INTO counts SELECT ?, company_id, flow_id, target_id, state, currency, count(*), sum(stake) FROM messages "
                "GROUP BY company_id, flow_id, target_id, state, currency",
                (NO_MINUTE,),
            )

        self._write(fold)


def tell_the_night(night: Night) -> dict[str, int]:
    """Dead letters with a line behind them, a lost answer, a system that is down, exceptions; ids by name."""
    ids: dict[str, int] = {}
    order = {
        "number": "SO-10498",
        "customer": "CU-7",
        "currency": "USD",
        "total": 1248000,
        "lines.1.sku": "SKU-7",
        "lines.1.quantity": 8000000,
    }
    night.record("order:SO-10498", order)
    taken = night.event(
        "shop", "order:SO-10498", ago=300, raw=b'{"reference":"SO-10498"}', repeats=1, repeated_at=night.at(299)
    )
    done = night.message("order:SO-10498", to="erp", reason="created", stake=1248000, ago=299, event_id=taken)
    night.attempt(done, ago=299, outcome="created", request="POST /api/v1/orders", status=201, far_id="10498")
    night.xref("erp", "order:SO-10498", "10498")
    lost = ids["lost"] = night.message(
        "order:SO-10498", to="wms", state="unknown", reason="answer_lost", stake=1248000, ago=28, tries=1, event_id=taken,
        error="no answer in 30.0 s", accepted=299, unknown_since=night.at(28),
    )  # fmt: skip
    night.attempt(
        lost, ago=28, outcome="unknown", seconds=30.0, request="POST /wms/outbound-orders", error="no answer in 30.0 s"
    )
    ids["lost_case"] = night.exception(
        "outcome_unknown", "order:SO-10498", ago=28, stake=1248000, message_id=lost, record_id=night.record("order:SO-10498"),
        text="wms cannot be asked (blind)", evidence='{"request": "POST /wms/outbound-orders"}',
    )  # fmt: skip
    told = night.event("erp", "customer:CU-1107", ago=140)
    customer = ids["customer"] = night.message(
        "customer:CU-1107", to="wms", state="dead", reason="refused", ago=140, tries=1, event_id=told,
        error="system wms answered 200: vatId: is not valid", error_code="400", error_field="tax_number",
    )  # fmt: skip
    night.attempt(
        customer, ago=140, outcome="refused", request="POST /wms/partners", status=200, body=b'{"partnerNo":"CU-1107","vatId":"X"}',
        headers='[["Authorization", "(secret removed)"]]', answer=b'{"status_code": 400, "detail": "vatId: is not valid"}',
        error="system wms answered 200: vatId: is not valid",
    )  # fmt: skip
    for n in range(3):
        night.message(
            f"order:SO-2000{n}",
            to="wms",
            state="held",
            reason="retry",
            stake=100_000 + n,
            ago=130 - n,
            waits=[("parent", "customer:CU-1107")],
        )
    night.message("order:SO-20000", to="wms", state="ready", stake=100_000, ago=90)
    for n, (number, stake) in enumerate((("SH-88022", 987000), ("SH-87931", 741260), ("SH-87953", 624000))):
        ids[number] = night.message(
            f"shipment:{number}", to="erp", state="dead", reason="refused", stake=stake, ago=58 + 41 * n, tries=1 + n,
            error='system erp answered 422: unknown value "UPSG"', error_field="carrier_service",
        )  # fmt: skip
    night.message("shipment:SH-88022", to="erp", state="ready", stake=987000, ago=20)
    for n in range(4):
        night.message(f"item:SKU-{n}", to="shop", state="ready", reason="system_down", ago=67 - n, tries=0)
    night.message("item:SKU-9", to="wms", reason="updated", ago=1)
    night.message("item:SKU-9", to="shop", state="skipped", reason="superseded", ago=5, superseded_by=1)
    night.event("shop", "item:SKU-9", ago=41, verdict="refused", detail="erp owns price")
    ids["refused"] = night.exception(
        "ownership_refused", "item:SKU-9", ago=41, text="shop changed price, which erp owns", event_id=3
    )
    night.system("shop", state="down", since=night.at(67), failures=23, probe_at=night.at(-4.6), last_ok_at=night.at(67.5),
                 last_error="no answer in 10.0 s", last_error_code="timeout", last_error_at=night.at(0.4))  # fmt: skip
    night.system("erp", last_ok_at=night.at(0.02))
    night.system("wms", last_ok_at=night.at(0.1))
    night.act("message.settle", str(lost), ago=10, reason="looked, not there yet")
    night.finish()
    return ids


def make_night(folder: Path) -> tuple[Store, dict[str, int]]:
    """A folder with the landscape and the store of the night; the store is open."""
    (folder / "erpsync.toml").write_text(LANDSCAPE, encoding="utf-8")
    store = Store.create(folder / "erpsync.db", now=NIGHT)
    return store, tell_the_night(Night(store))
