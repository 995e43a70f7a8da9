"""Writes a customer: looks for its code, makes the party or changes what differs, and reads back what is there."""

from __future__ import annotations

from typing import Any

from erpsync.adapters.protocol import Receipt
from erpsync.adapters.tryton.customers import ADDRESS, CUSTOMERS, first_address, first_mechanism, their_country
from erpsync.adapters.tryton.envelope import decode
from erpsync.adapters.tryton.errand import Errand
from erpsync.adapters.tryton.faults import UserRefused
from erpsync.adapters.tryton.plan import Plan
from erpsync.adapters.tryton.shelf import Record, text
from erpsync.errors import CallError, Conflict, Refused, Unmappable

_FIELDS = list(CUSTOMERS.fields)


async def write_customer(errand: Errand, plan: Plan) -> Receipt:
    """The receipt of one customer; raises the CallError that says what happened."""
    record = await _look(errand, plan)
    if record is None:
        if plan.far_id:
            raise Refused(f"party {plan.far_id} is gone", code="gone", hint="bind the customer anew, or make it again")
        try:
            return await _create(errand, plan)
        except UserRefused:
            record = await _look(errand, plan)  # somebody may have made it since we looked
            if record is None:
                raise
    errand.far_id = str(record["id"])
    return await _change(errand, plan, record)


async def find_customers(errand: Errand, number: str) -> list[dict[str, Any]]:
    """The parties with this code, raw."""
    return await errand.raw("party.party", [["code", "=", number]], _FIELDS, limit=3)


async def _look(errand: Errand, plan: Plan) -> dict[str, Any] | None:
    if plan.far_id:
        rows = await errand.raw("party.party", [["id", "=", int(plan.far_id)]], _FIELDS)
    else:
        rows = await find_customers(errand, plan.number)
    return rows[0] if rows else None


async def _create(errand: Errand, plan: Plan) -> Receipt:
    values = {name: text(value) for name, value in plan.values.items()}
    address = await _address(errand, values)
    ways = [{"type": kind, "value": values[kind]} for kind in ("email", "phone") if values.get(kind)]
    party = {
        "code": plan.number,
        "name": values.get("name"),
        "active": values.get("active") is not False,
        "addresses": [["create", [{name: value for name, value in address.items() if value is not None}]]],
        "contact_mechanisms": [["create", ways]] if ways else [],
    }
    errand.far_id = str((await errand.act("model.party.party.create", [party]))[0])
    errand.made = True
    return await _read_back(errand, plan, outcome="created")


async def _change(errand: Errand, plan: Plan, raw: dict[str, Any]) -> Receipt:
    record = decode(raw)
    told = CUSTOMERS.told(raw, errand.about, errand.options)
    holds = CUSTOMERS.content(record, errand.about, errand.options)
    due = {name: text(value) for name, value in plan.due().items() if name != "number"}
    differs = {name: value for name, value in due.items() if value != holds[name]}
    if not differs:
        return errand.receipt(CUSTOMERS, plan.number, outcome="unchanged", record=raw)
    if plan.far_revision and told.revision and told.revision.text != plan.far_revision:
        raise Conflict(f"party {record['id']} was changed since it was read", code="revision")
    values: dict[str, Any] = {name: differs[name] for name in ("name", "active") if name in differs}
    if address := await _address(errand, differs):
        there = first_address(record)
        values["addresses"] = [["write", [there["id"]], address] if there else ["create", [address]]]
    if ways := [
        command for kind in ("email", "phone") if kind in differs for command in _way(record, kind, differs[kind])
    ]:
        values["contact_mechanisms"] = ways
    stamps = {f"party.party,{record['id']}": record["_timestamp"]}
    await errand.act("model.party.party.write", [record["id"]], values, stamps=stamps)
    return await _read_back(errand, plan, outcome="updated")


def _way(record: Record, kind: str, value: str | None) -> list[list[Any]]:
    there = first_mechanism(record, kind)
    if there is None:
        return [["create", [{"type": kind, "value": value}]]] if value else []
    return [["write", [there["id"]], {"value": value}]] if value else [["delete", [there["id"]]]]


async def _address(errand: Errand, values: dict[str, Any]) -> dict[str, Any]:
    address = {theirs: values[ours] for ours, theirs in ADDRESS.items() if ours in values}
    if "country" in values:
        address["country"] = await _country(errand, values["country"]) if values["country"] else None
    return address


async def _country(errand: Errand, country: str) -> int:
    form = errand.options.country
    word = their_country(country, errand.options)
    far_id = await errand.ground.word("country.country", form, word, trail=errand.trail)
    if far_id is None:
        raise Unmappable(
            f"country {word!r} is not among Tryton's countries by {form}",
            field="country",
            hint="import the countries there, or map this one under options.countries",
        )
    return far_id


async def _read_back(errand: Errand, plan: Plan, *, outcome: str) -> Receipt:
    try:
        rows = await errand.raw("party.party", [["id", "=", int(errand.far_id)]], _FIELDS)
    except CallError:  # what was written is written; the engine reads it back where it matters
        rows = []
    return errand.receipt(CUSTOMERS, plan.number, outcome=outcome, record=rows[0] if rows else None)
