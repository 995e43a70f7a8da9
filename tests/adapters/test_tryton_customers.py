"""Customers are found in Tryton by their code, made where they are not, and changed only where they differ."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tryton_kit import customer, item_for, play, write
from tryton_stand_in import StandIn

from erpsync.adapters.tryton import TrytonAdapter
from erpsync.errors import Conflict, OutcomeUnknown, Refused, Unmappable

HOLDS = {
    "number": "CU-7",
    "name": "Zoë & Söhne",
    "contact": None,
    "email": "buying@zoe.test",
    "phone": None,
    "street": "1 Quay Street",
    "city": "Boston",
    "region": None,
    "postal_code": "02101",
    "country": "US",
    "tax_number": None,
    "active": True,
}


def test_a_customer_is_made_under_its_number_and_told_back():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        receipt = await write(adapter, customer())

        assert receipt.error is None
        assert (receipt.outcome, receipt.holds) == ("created", HOLDS)
        (party,) = far.models["party.party"].values()
        assert party["code"] == "CU-7"

    play(story)


def test_a_customer_that_is_there_is_left_alone_when_nothing_differs():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        await write(adapter, customer())
        again = await write(adapter, customer())
        assert (again.outcome, again.holds) == ("unchanged", HOLDS)
        assert far.count("party.create") == 1

    play(story)


@pytest.mark.parametrize("fault", ["answer lost", "never arrives", 502, b"<html>"])
def test_a_customer_whose_answer_was_lost_is_made_once(fault):
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        far.faults.append(("party.party.create", fault))

        lost = await write(adapter, customer())
        again = await write(adapter, customer())

        assert isinstance(lost.error, OutcomeUnknown)
        assert again.error is None
        assert again.holds == HOLDS
        assert len(far.models["party.party"]) == 1

    play(story)


def test_a_customer_somebody_made_between_look_and_create_is_taken_for_it():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        far.add("party.party", code="CU-7", name="Zoe", active=0)
        far.faults.append(("party.party.search_read", {"result": []}))

        receipt = await write(adapter, customer(active=True))

        assert (receipt.outcome, receipt.far_id) == ("updated", "1")
        assert receipt.holds == HOLDS

    play(story)


def test_only_what_changed_is_written_and_a_clerks_field_stays():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        made = await write(adapter, customer(phone="+1 555 0100"))
        far.change("party.party", 1, name="Zoë & Töchter")

        newer = customer(city="Salem", phone=None, email="new@zoe.test", contact="Ms Zoë")
        changed = frozenset({"city", "phone", "email", "contact"})
        receipt = await write(adapter, newer, far_id=made.far_id, changed=changed)

        assert receipt.outcome == "updated"
        assert receipt.holds == {
            **HOLDS,
            "name": "Zoë & Töchter",
            "city": "Salem",
            "email": "new@zoe.test",
            "contact": "Ms Zoë",
        }

    play(story)


def test_a_customer_changed_there_since_it_was_read_is_decided_again():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        made = await write(adapter, customer())
        assert made.far_revision is not None
        far.at += timedelta(seconds=1)
        far.change("party.address", 1, street="2 Quay Street")

        more = {"far_id": made.far_id, "far_revision": made.far_revision.text, "changed": frozenset({"city"})}
        receipt = await write(adapter, customer(city="Salem"), **more)
        done = await write(adapter, customer(), **more)

        assert isinstance(receipt.error, Conflict)
        assert done.outcome == "unchanged", "what is as it should be needs no second look"

    play(story)


def test_a_write_that_meets_another_is_decided_again():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        made = await write(adapter, customer())
        far.faults.append(("party.party.write", ["ConcurrencyException", "Records were modified in the meanwhile"]))
        receipt = await write(adapter, customer(city="Salem"), far_id=made.far_id, changed=frozenset({"city"}))
        assert isinstance(receipt.error, Conflict)
        assert any("_timestamp" in context for context in far.contexts) is False, (
            "the fault came before the write was read"
        )
        await write(adapter, customer(city="Salem"), far_id=made.far_id, changed=frozenset({"city"}))
        assert any("_timestamp" in context for context in far.contexts)

    play(story)


def test_a_removed_customer_is_put_out_of_use_and_not_deleted():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        made = await write(adapter, customer())
        receipt = await write(adapter, customer(), far_id=made.far_id, removed=True)
        assert (receipt.outcome, receipt.holds) == ("updated", {**HOLDS, "active": False})

    play(story)


def test_a_customer_that_is_gone_is_refused_with_what_to_do():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        receipt = await write(adapter, customer(), far_id="99", changed=frozenset({"city"}))
        assert isinstance(receipt.error, Refused)
        assert (receipt.error.code, bool(receipt.error.hint)) == ("gone", True)
        assert far.count("create") == 0

    play(story)


def test_a_country_tryton_does_not_have_is_named():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        receipt = await write(adapter, customer(country="XX"))
        assert isinstance(receipt.error, Unmappable)
        assert receipt.error.field == "country"
        assert far.count("create") == 0

    play(story)


def test_countries_go_and_come_back_by_the_names_the_landscape_gives_them():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        receipt = await write(adapter, customer(country="USA"))
        assert receipt.holds is not None
        assert receipt.holds["country"] == "USA"
        germany = await write(adapter, customer(number="CU-8", country="Germany"))
        assert germany.holds is not None
        assert germany.holds["country"] == "Germany"
        with pytest.raises(Unmappable):
            adapter.prepare(item_for(customer(country="United States")))  # it would come back as USA

    play(story, country="name", countries={"USA": "United States"})


def test_a_customer_is_found_by_its_code_also_out_of_use():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        far.add("party.party", code="CU-7", name="Zoe", active=0)
        (found,) = await adapter.find("customer", "CU-7")
        assert (found.far_id, found.number, found.whole) == ("1", "CU-7", True)
        assert found.holds is not None
        assert found.holds["active"] is False
        assert await adapter.find("customer", "CU-70") == []

    play(story)
