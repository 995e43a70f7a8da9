"""What every adapter must do, told once: stories that are played with each system there is an adapter for.

A ``Far`` is one far system to play with; the grounds in ``test_conformance.py`` make them. A story takes what the
adapter says of itself and holds it to that: what it cannot do is not asked of it, what it says it can do is.
"""

from __future__ import annotations

import abc
import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from erpsync.adapters.protocol import Adapter, Item, Page, Prepared, Receipt, Told
from erpsync.domain.document import Document, flatten
from erpsync.domain.documents.customer import Customer
from erpsync.domain.flat import field_group
from erpsync.domain.kinds import kind_named, kinds
from erpsync.domain.messages import Once
from erpsync.errors import AccessDenied, CallError, OutcomeUnknown, Refused, SystemDown

KIND = "customer"
MODEL = kind_named(KIND).model


class Far(abc.ABC):
    """A far system that keeps customers. ``secret`` is the one it lets in; empty where it asks for none."""

    secret: str = ""
    faults: frozenset[str] = frozenset()  # of lose_answer, refuse, down, count

    @abc.abstractmethod
    def adapter(self, *, secret: str | None = None) -> Adapter:
        """An adapter for it, closed at the end of the story; with another secret where one is given."""

    def lose_answer(self) -> None:
        """The next create is kept, and its answer never comes."""
        raise NotImplementedError

    def refuse(self, number: str) -> None:
        """Creates of this number are refused for good."""
        raise NotImplementedError

    def down(self) -> None:
        """It takes no connections from now on."""
        raise NotImplementedError

    def kept(self, number: str) -> int:
        """How many documents with this number it keeps; only where ``count`` is among the faults."""
        raise NotImplementedError


_messages = itertools.count(1)
Story = Callable[[Far], Awaitable[None]]
STORIES: dict[str, Story] = {}


def story(told: Story) -> Story:
    STORIES[told.__name__] = told
    return told


def a_customer(n: int, **values: Any) -> Customer:
    given = {"number": f"CU-{n}", "name": f"Zoë & Söhne {n}", "street": "1 Quay Street", "city": "Boston",
             "postal_code": "02101", "country": "US", "email": f"buying{n}@zoe.test", **values}  # fmt: skip
    return Customer.model_validate(given)


def an_item(document: Document, **more: Any) -> Item:
    number = kind_named(KIND).number(flatten(document))
    given = {"changed": frozenset(flatten(document)), "once_key": f"es-7k3f.1-{next(_messages)}-1", **more}
    return Item(kind=KIND, key=f"{KIND}:{number}", number=number, document=document, **given)


async def put(adapter: Adapter, *numbers: int) -> list[Receipt]:
    """Customers created there."""
    receipts = []
    for n in numbers:
        receipt = (await adapter.write([adapter.prepare(an_item(a_customer(n)))]))[0]
        assert receipt.error is None, receipt.error
        receipts.append(receipt)
    return receipts


async def scanned(adapter: Adapter) -> list[Told]:
    pages = [page async for page in adapter.scan(KIND)]
    assert [page.more for page in pages] == [True] * (len(pages) - 1) + [False]
    assert all(page.whole for page in pages)
    return [told for page in pages for told in page.tolds]


def there(pages: Sequence[Page]) -> set[str]:
    """The numbers that are there after all that was told, in its order."""
    numbers: set[str] = set()
    for told in (told for page in pages for told in page.tolds):
        (numbers.discard if told.removed else numbers.add)(told.number)
    return numbers


def said(told: Told, document: Document, fields: frozenset[str] | None) -> None:
    """What was told says what was written, in every field that the adapter carries."""
    assert told.document is not None
    theirs = flatten(told.document)
    ours = {path: value for path, value in flatten(document).items() if fields is None or field_group(path) in fields}
    assert {path: theirs.get(path) for path in ours} == ours


@story
async def what_it_says_it_can_do_makes_sense(far: Far) -> None:
    can = far.adapter().capabilities()
    assert can == far.adapter().capabilities()
    assert can.reads or can.writes
    for name in {*can.reads, *can.writes}:
        assert name in kinds()
    for name, writes in can.writes.items():
        known = set(kinds()[name].model.model_fields)
        assert writes.fields is None or writes.fields <= known
        assert writes.once is not Once.FINDABLE or writes.finds
        assert writes.key_life is None or writes.once is Once.IDEMPOTENT


@story
async def everything_there_is_told_once(far: Far) -> None:
    adapter = far.adapter()
    await put(adapter, *range(1, 8))
    tolds = await scanned(adapter)
    assert sorted(told.number for told in tolds) == [f"CU-{n}" for n in range(1, 8)]
    assert all(told.document is not None and told.error is None and told.far_id for told in tolds)


@story
async def what_was_kept_raw_is_understood_as_it_was_read(far: Far) -> None:
    adapter = far.adapter()
    await put(adapter, 1, 2)
    tolds = await scanned(adapter)
    if adapter.capabilities().reads[KIND].changes:
        tolds += [told async for page in adapter.changes(KIND, "") for told in page.tolds]
    for told in tolds:
        again = adapter.understand(KIND, told.raw)
        assert (again.document, again.number, again.removed) == (told.document, told.number, told.removed)
        assert again.far_id in (told.far_id, "")


@story
async def a_cursor_goes_on_without_loss(far: Far) -> None:
    adapter = far.adapter()
    if not adapter.capabilities().reads[KIND].changes:
        return
    await put(adapter, *range(1, 5))
    pages = [page async for page in adapter.changes(KIND, "")]
    assert there(pages) == {f"CU-{n}" for n in range(1, 5)}
    await put(adapter, 5)
    for n, page in enumerate(pages):
        later = [later async for later in adapter.changes(KIND, page.cursor)]
        assert there([*pages[: n + 1], *later]) == {f"CU-{n}" for n in range(1, 6)}


@story
async def preparing_the_same_item_gives_the_same_bytes(far: Far) -> None:
    adapter, other = far.adapter(), far.adapter()
    for item in (an_item(a_customer(1)), an_item(a_customer(1), far_id="17", changed=frozenset({"name"}))):
        prepared = adapter.prepare(item)
        assert prepared == adapter.prepare(item) == other.prepare(item)
        assert (prepared.kind, prepared.number, prepared.once_key) == (KIND, "CU-1", item.once_key)
        assert prepared.request


@story
async def a_document_is_created_found_changed_and_read_back(far: Far) -> None:
    adapter = far.adapter()
    can = adapter.capabilities()
    created = (await put(adapter, 1))[0]
    assert (created.outcome, created.number) == ("created", "CU-1")
    assert created.far_id
    assert created.evidence.calls >= 1
    if can.writes[KIND].finds:
        found = await adapter.find(KIND, "CU-1")
        assert [receipt.far_id for receipt in found] == [created.far_id]
        assert await adapter.find(KIND, "CU-99") == []
    changed = a_customer(1, name="Zoë alone")
    revision = created.far_revision.text if created.far_revision else ""
    item = an_item(changed, far_id=created.far_id, far_revision=revision, changed=frozenset({"name"}))
    updated = (await adapter.write([adapter.prepare(item)]))[0]
    assert updated.error is None, updated.error
    assert (updated.outcome, updated.far_id) == ("updated", created.far_id)
    if updated.holds is not None:
        assert updated.holds["name"] == "Zoë alone"
    if can.reads[KIND].one:
        said(await adapter.read(KIND, created.far_id), changed, can.writes[KIND].fields)
    if "count" in far.faults:
        assert far.kept("CU-1") == 1


@story
async def what_a_scan_tells_can_be_read_alone(far: Far) -> None:
    adapter = far.adapter()
    if not adapter.capabilities().reads[KIND].one:
        return
    await put(adapter, 1, 2)
    for told in await scanned(adapter):
        alone = await adapter.read(KIND, told.far_id)
        assert (alone.number, alone.document, alone.far_id) == (told.number, told.document, told.far_id)


@story
async def a_document_that_is_not_there_is_gone_or_refused(far: Far) -> None:
    adapter = far.adapter()
    if not adapter.capabilities().reads[KIND].one:
        return
    try:
        told = await adapter.read(KIND, "987654")
    except Refused:
        return
    assert told.removed


@story
async def a_removed_document_is_gone_or_out_of_use(far: Far) -> None:
    adapter = far.adapter()
    can = adapter.capabilities()
    if not can.writes[KIND].removes:
        return
    created = (await put(adapter, 1))[0]
    item = an_item(a_customer(1), far_id=created.far_id, removed=True)
    receipt = (await adapter.write([adapter.prepare(item)]))[0]
    assert receipt.error is None, receipt.error
    if can.reads[KIND].one:
        told = await adapter.read(KIND, created.far_id)
        assert told.removed or (told.document is not None and flatten(told.document)["active"] is False)
    if can.writes[KIND].finds:
        found = await adapter.find(KIND, "CU-1")
        assert all(receipt.holds and receipt.holds["active"] is False for receipt in found)


@story
async def removing_what_is_removed_already_is_done(far: Far) -> None:
    adapter = far.adapter()
    if not adapter.capabilities().writes[KIND].removes:
        return
    created = (await put(adapter, 1))[0]
    for try_no in (1, 2):
        item = an_item(a_customer(1), far_id=created.far_id, removed=True, once_key=f"es-1-9-{try_no}")
        receipt = (await adapter.write([adapter.prepare(item)]))[0]
        assert receipt.error is None, receipt.error


@story
async def several_writes_have_their_receipts_in_order(far: Far) -> None:
    adapter = far.adapter()
    receipts = await adapter.write([adapter.prepare(an_item(a_customer(n))) for n in (3, 1, 2)])
    assert [receipt.number for receipt in receipts] == ["CU-3", "CU-1", "CU-2"]
    assert all(receipt.error is None for receipt in receipts)
    assert len({receipt.far_id for receipt in receipts}) == 3


@story
async def what_the_system_refuses_is_refused_with_its_evidence(far: Far) -> None:
    if "refuse" not in far.faults:
        return
    adapter = far.adapter()
    far.refuse("CU-1")
    receipt = (await adapter.write([adapter.prepare(an_item(a_customer(1)))]))[0]
    assert isinstance(receipt.error, Refused)
    assert not receipt.outcome
    assert receipt.evidence.status is not None
    if "count" in far.faults:
        assert far.kept("CU-1") == 0


@story
async def a_lost_answer_is_unknown_and_can_be_settled(far: Far) -> None:
    if "lose_answer" not in far.faults:
        return
    adapter = far.adapter()
    far.lose_answer()
    prepared = adapter.prepare(an_item(a_customer(1)))
    receipt = (await adapter.write([prepared]))[0]
    assert isinstance(receipt.error, OutcomeUnknown)
    assert receipt.evidence.sent_at is not None
    writes = adapter.capabilities().writes[KIND]
    if writes.finds:
        assert len(await adapter.find(KIND, "CU-1")) == 1
    if writes.once is Once.IDEMPOTENT:
        again = (await adapter.write([prepared]))[0]
        assert again.error is None, again.error
        assert again.far_id
    if "count" in far.faults:
        assert far.kept("CU-1") == 1


@story
async def repeating_a_write_where_it_is_idempotent_is_one_document(far: Far) -> None:
    adapter = far.adapter()
    if adapter.capabilities().writes[KIND].once is not Once.IDEMPOTENT:
        return
    prepared = adapter.prepare(an_item(a_customer(1)))
    receipts = [(await adapter.write([prepared]))[0] for _ in range(3)]
    assert [receipt.error for receipt in receipts] == [None] * 3
    assert len({receipt.far_id for receipt in receipts}) == 1
    assert len(await scanned(adapter)) == 1


@story
async def a_wrong_secret_is_access_denied(far: Far) -> None:
    if not far.secret:
        return
    adapter = far.adapter(secret="not-" + far.secret)
    with pytest.raises(AccessDenied):
        await adapter.probe()
    with pytest.raises(AccessDenied):
        await scanned(adapter)
    receipt = (await adapter.write([adapter.prepare(an_item(a_customer(1)))]))[0]
    assert isinstance(receipt.error, AccessDenied)


@story
async def a_system_that_is_down_got_nothing(far: Far) -> None:
    if "down" not in far.faults:
        return
    adapter = far.adapter()
    prepared = adapter.prepare(an_item(a_customer(1)))
    far.down()
    receipt = (await adapter.write([prepared]))[0]
    assert isinstance(receipt.error, SystemDown), receipt.error
    with pytest.raises(SystemDown):
        await adapter.probe()
    with pytest.raises(SystemDown):
        await scanned(adapter)


@story
async def a_probe_says_that_it_is_there(far: Far) -> None:
    health = await far.adapter().probe()
    assert health.seconds >= 0


@story
async def the_secret_is_in_nothing_that_is_kept_or_shown(far: Far) -> None:
    if not far.secret:
        return
    shown: list[object] = []
    for secret in (far.secret, "not-" + far.secret):
        adapter = far.adapter(secret=secret)
        prepared = adapter.prepare(an_item(a_customer(1)))
        shown += [prepared, adapter.capabilities(), *_plain(await adapter.write([prepared]), prepared)]
        try:
            shown += [await adapter.probe(), *await scanned(adapter)]
        except CallError as error:
            shown += [error.message, error.hint, error.code]
    assert far.secret not in repr(shown)


def _plain(receipts: Sequence[Receipt], prepared: Prepared) -> list[object]:
    errors = [receipt.error for receipt in receipts if receipt.error]
    return [*receipts, *prepared.headers, *((error.message, error.hint, error.code, error.args) for error in errors)]
