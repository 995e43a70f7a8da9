"""Writes an order in several calls: create, quote, confirm. One rule: it looks where the sale stands, and goes on.

A sale that is a draft is completed and quoted, a quotation is confirmed, one that was confirmed is left as it is. So
whatever answer was lost, the same write brings the same sale to the same end, and never makes a second one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from erpsync.adapters.protocol import Receipt
from erpsync.adapters.tryton.envelope import day, decode, money
from erpsync.adapters.tryton.errand import Errand
from erpsync.adapters.tryton.orders import HEADER, ORDERS, WHOLE_STATES, goods_lines, line_content
from erpsync.adapters.tryton.plan import Plan
from erpsync.adapters.tryton.sale_parts import Parts, find_parts
from erpsync.adapters.tryton.shelf import Record, text
from erpsync.errors import CallError, OutcomeUnknown, Refused, Unmappable

_FIELDS = [*ORDERS.fields]
_DAYS = ("ordered_on", "requested_on")


async def write_order(errand: Errand, plan: Plan) -> Receipt:
    """The receipt of one order; raises the CallError that says what happened."""
    raw = await _look(errand, plan)
    if raw is not None:
        errand.far_id = str(raw["id"])
        return await _go_on(errand, plan, raw)
    if plan.values.get("cancelled"):
        return errand.receipt(ORDERS, plan.number, outcome="unchanged", record=None)
    sale = await _new_sale(errand, plan)
    errand.far_id = str((await errand.act("model.sale.sale.create", [sale]))[0])
    errand.made = True
    await _finish(errand, state="draft")
    return await _read_back(errand, plan, outcome="created")


async def find_orders(errand: Errand, number: str) -> list[dict[str, Any]]:
    """The sales with this reference, raw; cancelled ones only where there are no others."""
    domain = [["reference", "=", number], ["company", "=", errand.footing.company]]
    rows = await errand.raw("sale.sale", domain, _FIELDS, limit=20)
    return [row for row in rows if row["state"] != "cancelled"] or rows[-1:]


async def _look(errand: Errand, plan: Plan) -> dict[str, Any] | None:
    if plan.far_id:
        rows = await errand.raw("sale.sale", [["id", "=", int(plan.far_id)]], _FIELDS)
        if not rows:
            raise Refused(f"sale {plan.far_id} is gone", code="gone", hint="bind the order anew, or make it again")
        return rows[0]
    rows = await find_orders(errand, plan.number)
    if len(rows) > 1:
        ids = ", ".join(str(row["id"]) for row in rows)
        raise OutcomeUnknown(f"reference {plan.number!r} is that of several sales: {ids}", code="found_twice")
    return rows[0] if rows else None


async def _go_on(errand: Errand, plan: Plan, raw: dict[str, Any]) -> Receipt:
    record, state = decode(raw), raw["state"]
    if plan.values.get("cancelled"):
        return await _cancel(errand, plan, raw)
    if state == "cancelled":
        raise Refused(
            f"sale {raw['id']} with reference {plan.number!r} was cancelled there",
            code="cancelled_there",
            hint="make it a draft again in Tryton, or cancel the order",
        )
    if state in WHOLE_STATES:
        return await _amend(errand, plan, raw)
    if differs := _differences(record, dict(plan.values)):
        if state == "quotation":
            await errand.act("model.sale.sale.draft", [raw["id"]])
            state = "draft"
        values = await _changes(errand, plan, record, differs)
        stamps = {f"sale.sale,{raw['id']}": record["_timestamp"]} if raw["state"] == "draft" else None
        await errand.act("model.sale.sale.write", [raw["id"]], values, stamps=stamps)
    await _finish(errand, state=state)
    return await _read_back(errand, plan, outcome="updated" if plan.far_id else "created")


async def _finish(errand: Errand, *, state: str) -> None:
    sale = [int(errand.far_id)]
    if state == "draft":
        await errand.act("model.sale.sale.quote", sale)
    await errand.act("model.sale.sale.confirm", sale)


async def _cancel(errand: Errand, plan: Plan, raw: dict[str, Any]) -> Receipt:
    if raw["state"] == "cancelled":
        return errand.receipt(ORDERS, plan.number, outcome="unchanged", record=raw)
    if raw["state"] == "confirmed":
        await errand.act("model.sale.sale.draft", [raw["id"]])
    await errand.act("model.sale.sale.cancel", [raw["id"]])
    return await _read_back(errand, plan, outcome="updated")


async def _amend(errand: Errand, plan: Plan, raw: dict[str, Any]) -> Receipt:
    """A confirmed sale takes a new note; anything else is a new document, and a person's decision."""
    differs = _differences(decode(raw), plan.due())
    if fixed := sorted(differs - {"note"}):
        raise Refused(
            f"sale {raw['id']} is {raw['state']} there and takes no other {', '.join(fixed)}",
            code="fixed",
            hint="correct it in Tryton by a return, a credit note or a new order",
        )
    if not differs:
        return errand.receipt(ORDERS, plan.number, outcome="unchanged", record=raw)
    await errand.act("model.sale.sale.write", [raw["id"]], {"comment": text(plan.values["note"])})
    return await _read_back(errand, plan, outcome="updated")


def _differences(record: Record, due: dict[str, Any]) -> set[str]:
    """The fields whose far value is another than the one due; a day that is not told is Tryton's own to set."""
    differs = set()
    for ours, theirs in HEADER.items():
        if ours not in due:
            continue
        far, near = record[theirs], due[ours]
        if ours in _DAYS:
            if near and date.fromisoformat(near) != far:
                differs.add(ours)
        elif text(near) != text(far):
            differs.add(ours)
    if "customer" in due and "party" in due and record["party."]["id"] != due["party"]:
        differs.add("customer")
    if "currency" in due and record["currency."]["code"] != due["currency"]:
        differs.add("currency")
    if "lines" in due and _far_lines(record) != _due_lines(due):
        differs.add("lines")
    return differs


def _due_lines(due: Mapping[str, Any]) -> dict[str, tuple[int, Decimal, Decimal]]:
    return {
        line["line"]: (line["product"], Decimal(line["quantity"]), Decimal(line["unit_price"])) for line in due["lines"]
    }


def _far_lines(record: Record) -> dict[str, tuple[int, Decimal, Decimal]]:
    return {
        line_content(line)["line"]: (line["product."]["id"], Decimal(line["quantity"]), line["unit_price"])
        for line in goods_lines(record)
    }


async def _new_sale(errand: Errand, plan: Plan) -> dict[str, Any]:
    lines = plan.values.get("lines") or []
    if not lines:
        raise Unmappable(f"order {plan.number!r} has no lines", field="lines")
    parts = await find_parts(errand, plan.values)
    sale = {
        "reference": plan.number,
        "company": errand.footing.company,
        **_header(plan.values, parts),
        **parts.party,
        "lines": [["create", [_line(line, parts) for line in lines]]],
    }
    if "sale.sale.shipment_cost_method" in errand.footing.has:
        sale["shipment_cost_method"] = None  # its default asks for a carrier before the sale can be quoted
    if errand.footing.warehouses:
        sale["warehouse"] = errand.footing.warehouses[0][1]
    return sale


def _header(values: Mapping[str, Any], parts: Parts) -> dict[str, Any]:
    header: dict[str, Any] = {"currency": parts.currency} if parts.currency is not None else {}
    for ours, theirs in HEADER.items():
        if ours in values and (ours not in _DAYS or values[ours]):
            header[theirs] = day(date.fromisoformat(values[ours])) if ours in _DAYS else text(values[ours])
    return header


async def _changes(errand: Errand, plan: Plan, record: Record, differs: set[str]) -> dict[str, Any]:
    parts = await find_parts(errand, plan.values)
    values = _header({name: plan.values[name] for name in differs if name in plan.values}, parts)
    if "customer" in differs:
        values |= parts.party
    if "lines" not in differs:
        return values
    far = _far_lines(record)
    due = _due_lines(plan.values)
    made = [_line(line, parts) for line in plan.values["lines"] if far.get(line["line"]) != due[line["line"]]]
    gone = [
        line["id"]
        for line in goods_lines(record)
        if (known := line_content(line)["line"]) not in due or far[known] != due[known]
    ]
    commands = [*([["delete", gone]] if gone else []), *([["create", made]] if made else [])]
    return values | {"lines": commands}


def _line(line: dict[str, Any], parts: Parts) -> dict[str, Any]:
    product = parts.products[line["product"]]
    return {
        "type": "line",
        "product": line["product"],
        "unit": product.unit,
        "quantity": Decimal(line["quantity"]),
        "unit_price": money(Decimal(line["unit_price"])),
        "note": line["note"],
        "taxes": [["add", list(product.taxes)]] if product.taxes else [],
    }


async def _read_back(errand: Errand, plan: Plan, *, outcome: str) -> Receipt:
    try:
        rows = await errand.raw("sale.sale", [["id", "=", int(errand.far_id)]], _FIELDS)
    except CallError:  # what was written is written; the engine reads it back where it matters
        rows = []
    return errand.receipt(ORDERS, plan.number, outcome=outcome, record=rows[0] if rows else None)
