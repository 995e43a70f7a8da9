"""Before anything else: may we in, is it the right place, whose company is it. Whatever is wrong is one clear error."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tryton_kit import LIMITS, customer, item_for, numbers, play, write
from tryton_stand_in import StandIn

from erpsync.adapters.tryton import TrytonAdapter
from erpsync.config.landscape import Limits, System
from erpsync.errors import AccessDenied, CallError, LandscapeError, OutcomeUnknown, Refused, RetryLater, SystemDown


def test_a_probe_says_whose_company_it_is_and_how_far_its_clock_is_off():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        health = await adapter.probe()
        assert health.text == "company Acme"
        assert health.clock_offset == timedelta(hours=1, seconds=0.5)

    play(story)


def test_a_wrong_password_is_tried_once():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        with pytest.raises(AccessDenied) as denied:
            await adapter.probe()
        assert denied.value.hint
        assert "wrong" not in str(denied.value)
        receipt = await write(adapter, customer())
        assert isinstance(receipt.error, AccessDenied)
        assert far.calls == ["refused login", "refused login"]

    play(story, secret="wrong")


def test_a_wrong_password_is_tried_once_by_all_who_come_at_the_same_time():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        batch = [adapter.prepare(item_for(customer(number=f"CU-{number}"))) for number in range(8)]
        receipts = await adapter.write(batch)
        assert all(isinstance(receipt.error, AccessDenied) for receipt in receipts)
        assert far.calls == ["refused login"]

    play(story, secret="wrong")


def test_a_session_is_taken_once_and_again_when_it_has_run_out():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        batch = [adapter.prepare(item_for(customer(number=f"CU-{number}"))) for number in range(8)]
        assert [receipt.outcome for receipt in await adapter.write(batch)] == ["created"] * 8
        assert far.count("common.db.login") == 1
        far.session += 1  # Tryton has forgotten the one we had

        receipts = await adapter.write(
            [adapter.prepare(item_for(customer(number=f"CV-{number}"))) for number in range(8)]
        )

        assert [receipt.outcome for receipt in receipts] == ["created"] * 8
        assert far.count("common.db.login") == 2
        assert len(far.models["party.party"]) == 16
        assert all(b"s-" not in receipt.evidence.answer for receipt in receipts)

    play(story, login="session")


def test_a_database_that_is_busy_while_a_session_is_taken_stops_nothing():
    """Tryton answers 404 to a login while its database is locked or restarted (trytond/protocols/dispatcher.py)."""

    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        far.faults.append(("common.db.login", 404))
        first = await write(adapter, customer())
        assert isinstance(first.error, SystemDown)
        assert "its database is busy, away, or not there" in first.error.message
        assert "options.database" in first.error.hint
        assert not far.models.get("party.party")

        assert (await write(adapter, customer())).outcome == "created"

    play(story, login="session")


def test_a_wrong_password_for_a_session_is_tried_once():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        receipts = await adapter.write([adapter.prepare(item_for(customer(number=f"CU-{n}"))) for n in range(8)])
        assert all(isinstance(receipt.error, AccessDenied) for receipt in receipts)
        assert far.calls == ["refused login"]

    play(story, login="session", secret="wrong")


def test_a_database_that_is_not_there_stops_the_system_and_no_document():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        receipt = await write(adapter, customer())
        assert isinstance(receipt.error, AccessDenied)
        assert "options.database" in receipt.error.hint

    play(story, database="other")


def test_a_user_without_a_company_is_not_worked_with():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        far.preferences = {"language": "en"}
        with pytest.raises(AccessDenied) as denied:
            await numbers(adapter.scan("item"))
        assert denied.value.code == "no_company"

    play(story)


def test_a_warehouse_that_is_not_there_is_named():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        with pytest.raises(AccessDenied) as denied:
            await numbers(adapter.scan("stock"))
        assert "'WH9'" in denied.value.message

    play(story, warehouse=["WH", "WH9"])


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (503, RetryLater),
        (504, RetryLater),
        (500, RetryLater),
        (429, RetryLater),
        (401, AccessDenied),
        (403, AccessDenied),
        (404, AccessDenied),
        ((302, {"Location": "http://127.0.0.1:1/"}), AccessDenied),
        (400, Refused),
        ("never arrives", SystemDown),
        (b"<html>", RetryLater),
        (b'{"id":2,"result":[],"result":[]}', RetryLater),
        (b'{"id":2,"result":NaN}', RetryLater),
        (b"[" * 100_000, RetryLater),
        (["UserError", ["Nicht erlaubt", "", None]], Refused),
        (["RateLimitException"], RetryLater),
    ],
)
def test_what_an_answer_to_a_question_means(fault, error):
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        await adapter.probe()
        far.faults.append(("get_preferences", fault))
        with pytest.raises(CallError) as raised:
            await adapter.probe()
        assert type(raised.value) is error or isinstance(raised.value, error)
        await adapter.probe()

    play(story)


def test_a_busy_database_concerns_one_document_and_a_busy_server_all_of_them():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        far.faults += [("get_preferences", 503), ("get_preferences", (503, {"Retry-After": "7"}))]
        with pytest.raises(RetryLater) as lock:
            await adapter.probe()
        with pytest.raises(RetryLater) as busy:
            await adapter.probe()
        assert (lock.value.throttled, lock.value.after) == (False, None)
        assert (busy.value.throttled, busy.value.after) == (True, timedelta(seconds=7))

    play(story)


def test_nobody_listening_is_a_system_that_is_down():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        nowhere = System(name="erp", role="erp", adapter="tryton", url="http://127.0.0.1:9", limits=LIMITS,
                         options={"database": "acme", "user": "sync"})  # fmt: skip
        other = TrytonAdapter(nowhere, secret="x", currency="USD", now=adapter._now)
        try:
            receipt = await write(other, customer())
        finally:
            await other.close()
        assert isinstance(receipt.error, SystemDown)

    play(story)


def test_a_write_that_is_not_answered_within_the_deadline_is_an_open_question():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        far.faults.append(("party.party.create", "never answers"))
        receipt = await write(adapter, customer())
        assert isinstance(receipt.error, OutcomeUnknown)
        assert receipt.evidence.sent_at is not None

    play(story, limits=Limits(timeout=timedelta(seconds=0.3), deadline=timedelta(seconds=0.6)))


def test_an_answer_larger_than_allowed_is_not_read_to_its_end():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        far.faults.append(("get_preferences", b'{"id":1,"result":"' + b"x" * 50_000 + b'"}'))
        with pytest.raises(SystemDown) as raised:
            await adapter.probe()
        assert "longer than" in raised.value.message

    play(story, limits=Limits(max_answer=10_000))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"database": "acme"}, "systems.erp.options.user is missing"),
        ({"database": "acme", "user": "u", "warehuose": "WH"}, "systems.erp.options.warehuose is no option"),
        ({"database": "acme", "user": "u", "country": "flag"}, "systems.erp.options.country"),
        ({"database": "acme", "user": "u", "overlap": "5"}, "systems.erp.options.overlap"),
    ],
)
def test_a_wrong_option_is_refused_by_name(noon, options, said):
    system = System(name="erp", role="erp", adapter="tryton", url="http://127.0.0.1:9", options=options)
    with pytest.raises(LandscapeError) as wrong:
        TrytonAdapter(system, secret="x", currency="USD", now=lambda: noon)
    assert wrong.value.message.startswith(said)
    if "warehuose" in options:
        assert wrong.value.nearest == "warehouse"


def test_the_password_is_in_nothing_that_is_kept():
    async def story(far: StandIn, adapter: TrytonAdapter) -> None:
        receipt = await write(adapter, customer())
        assert b"crates" not in receipt.evidence.answer
        assert "crates" not in repr(adapter.__dict__["_options"])

    play(story)
