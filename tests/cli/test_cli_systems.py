"""Systems: pausing one, seeing who did and what waits for it, letting it go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import Run  # type: ignore[import-not-found]  # the folder's own conftest
from night_store import NIGHT

from erpsync.store.store import Store


def standing(erpsync: Run, name: str) -> dict[str, Any]:
    found: dict[str, Any] = erpsync("systems", "list", "-o", "json", "--where", f"system = {name}").json["items"][0]
    return found


def act(erpsync: Run, what: str) -> dict[str, Any]:
    found: dict[str, Any] = erpsync("audit", "list", "-o", "json", "--where", f"what = {what}").json["items"][0]
    return found


def test_pausing_says_what_waits_and_how_it_goes_on(erpsync: Run) -> None:
    told = erpsync("systems", "pause", "erp", "--reason", "their release")
    assert (told.code, told.err) == (0, "")
    assert told.out.splitlines() == [
        "erp is paused: nothing is read from it or sent to it until it is resumed.",
        "1 message waits, and spends no try; its time limit stands still.",
        "next: erpsync systems resume erp",
    ]
    found = standing(erpsync, "erp")
    assert (found["state"], found["pause"], found["paused_by"], found["pause_reason"]) == (
        "paused",
        "both",
        "mira",
        "their release",
    )
    assert found["paused_at"] == found["since"] == "2026-10-15T08:12:40Z"
    assert found["breaker"]["state"] == "closed"
    done = act(erpsync, "system.pause")
    assert (done["actor"], done["subject"], done["reason"]) == ("mira", "erp", "their release")


@pytest.mark.parametrize(
    ("words", "pause", "said"),
    [
        (("--in",), "in", "nothing is read from it until"),
        (("--out",), "out", "nothing is sent to it until"),
        (("--both",), "both", "nothing is read from it or sent to it until"),
        ((), "both", "nothing is read from it or sent to it until"),
    ],
)
def test_either_side_can_be_paused(erpsync: Run, words: tuple[str, ...], pause: str, said: str) -> None:
    assert said in erpsync("systems", "pause", "wms", *words).out
    assert standing(erpsync, "wms")["pause"] == pause


def test_pausing_twice_is_said_and_is_no_second_act(erpsync: Run) -> None:
    erpsync("systems", "pause", "wms", "--in")
    told = erpsync("systems", "pause", "wms", "--in")
    assert (told.code, told.out.splitlines()[0]) == (
        0,
        "wms is paused for reading by mira already, since 03:12:40 (0s).",
    )
    assert erpsync("systems", "pause", "wms", "--in", "-o", "json").json["changed"] is False
    more = erpsync("systems", "pause", "wms", "--both", "-o", "json").json
    assert (more["changed"], more["pause_before"], more["pause"]) == (True, "in", "both")
    assert erpsync("systems", "pause", "wms", "--out").out.startswith("wms is paused by mira already")
    assert len(erpsync("audit", "list", "-o", "json", "--where", "what = system.pause").json["items"]) == 2


def test_who_paused_it_is_in_the_listing(erpsync: Run) -> None:
    erpsync("systems", "pause", "wms", "--out")
    told = erpsync("systems", "list", columns=120)
    assert "PAUSED BY" in told.out.splitlines()[0]
    row = next(line for line in told.out.splitlines() if line.startswith("wms"))
    assert "paused out  mira" in row
    assert "wms paused for sending by mira" in told.err
    assert "PAUSED BY" not in erpsync("systems", "list", columns=80).out
    for field, value in (("state", "paused"), ("pause", "out"), ("paused_by", "mira")):
        assert erpsync("systems", "list", "-o", "ids", "--where", f"{field} = {value}").out == "wms\n"


def test_a_paused_system_for_which_something_waits_is_a_cause_with_its_run(erpsync: Run) -> None:
    erpsync("systems", "pause", "erp", "--reason", "their release\x1b[2J")
    erpsync("systems", "pause", "wms", "--in")
    told = erpsync("status", columns=100)
    assert "erp is paused by mira, 1 waits: their release\\x1b[2J" in told.out
    assert "run: erpsync systems resume erp" in told.out
    assert "paused for reading by mira" in told.out
    causes = {cause["code"]: cause for cause in erpsync("status", "-o", "json").json["causes"]}
    paused = causes["system_paused"]
    assert (paused["system"], paused["by"], paused["messages"], paused["since"]) == (
        "erp",
        "mira",
        1,
        "2026-10-15T08:12:40Z",
    )
    assert paused["at_stake"]["amount"] == "9870.00"


def test_a_system_that_is_down_and_paused_is_both(erpsync: Run) -> None:
    told = erpsync("systems", "pause", "shop")
    assert "It is down as well, and stays so." in told.out
    found = standing(erpsync, "shop")
    assert (found["state"], found["breaker"]["state"]) == ("paused", "open")
    assert "paused, down" in erpsync("systems", "list", columns=100).out
    codes = [cause["code"] for cause in erpsync("status", "-o", "json").json["causes"]]
    assert "system_paused" in codes
    assert "system_down" not in codes, "one cause for the same messages"
    told = erpsync("systems", "resume", "shop", "--yes")
    assert told.out.splitlines()[-2:] == [
        "shop is not paused any more, but down, as it was.",
        "next: erpsync systems probe shop",
    ]
    found = standing(erpsync, "shop")
    assert (found["state"], found["breaker"]["failures"]) == ("down", 23)


def test_a_paused_system_for_which_nothing_waits_is_no_cause(erpsync: Run, night: Path) -> None:
    with Store.open(night / "erpsync.db", now=NIGHT) as store:
        store.writer.call(lambda db: db.execute("UPDATE counts SET n = 0 WHERE what = 'ready'"))
    erpsync("systems", "pause", "shop")
    codes = [cause["code"] for cause in erpsync("status", "-o", "json").json["causes"]]
    assert not {"system_paused", "system_down"} & set(codes)
    assert "paused by mira; down" in erpsync("status", columns=100).out


def test_paused_for_reading_alone_a_system_that_is_down_is_down(erpsync: Run) -> None:
    erpsync("systems", "pause", "shop", "--in")
    assert standing(erpsync, "shop")["state"] == "down"
    assert "paused in, down" in erpsync("systems", "list", columns=100).out


def test_messages_and_lanes_say_what_they_wait_for(erpsync: Run) -> None:
    erpsync("systems", "pause", "shop", "--out")
    told = erpsync("lanes", "show", "shop", "item:SKU-1").out
    assert "waits: shop is paused" in told
    assert "shop, which is paused" in told
    listed = erpsync("messages", "list", "--where", "state = ready and system = shop", columns=120).out
    assert listed.count("for shop, which is paused") == 4
    one = erpsync("messages", "list", "-o", "ids", "--where", "state = ready and system = shop").out.split()[0]
    assert "waits   for shop, which is paused" in erpsync("messages", "show", one).out


def test_resuming_says_who_paused_it_and_what_goes(erpsync: Run) -> None:
    erpsync("systems", "pause", "erp", "--reason", "their release")
    told = erpsync("systems", "resume", "erp", "--yes", "--reason", "they are done")
    assert told.out.splitlines() == [
        "erp is paused by mira since 03:12:40 (0s); 1 message waits.",
        "reason      their release",
        "erp is not paused any more; 1 message goes now.",
        "next: erpsync run --until-idle",
    ]
    assert standing(erpsync, "erp")["state"] == "up"
    assert standing(erpsync, "erp")["paused_by"] is None
    assert act(erpsync, "system.resume")["reason"] == "they are done"
    assert erpsync("systems", "resume", "erp", "--yes").code == 2


def test_resuming_asks_first(erpsync: Run) -> None:
    erpsync("systems", "pause", "erp")
    told = erpsync("systems", "resume", "erp")
    assert told.code == 2
    assert "there is no terminal" in told.err
    assert standing(erpsync, "erp")["state"] == "paused"


def test_resumed_in_json(erpsync: Run) -> None:
    erpsync("systems", "pause", "erp")
    told = erpsync("systems", "resume", "erp", "--yes", "-o", "json").json
    assert (told["schema"], told["from_state"], told["state"], told["waiting"]) == (
        "erpsync/systems.resume/1",
        "paused",
        "up",
        1,
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("wsm",), "system wsm does not exist"),
        (("wms", "--in", "--out"), "--in, --out and --both do not go together"),
        ((), "SYSTEM"),
    ],
)
def test_what_it_cannot_pause_it_says(erpsync: Run, words: tuple[str, ...], said: str) -> None:
    told = erpsync("systems", "pause", *words)
    assert told.code == 2
    assert said in told.err
    assert standing(erpsync, "wms")["pause"] is None


def test_read_only_pauses_nothing(erpsync: Run) -> None:
    assert erpsync("--read-only", "systems", "pause", "wms").code == 2
    assert standing(erpsync, "wms")["pause"] is None


def test_it_can_be_paused_before_anything_was_carried_and_without_its_secret(erpsync: Run, night: Path) -> None:
    for file in night.glob("erpsync.db*"):
        file.unlink()
    told = erpsync("systems", "pause", "erp", environ={"ERP_TOKEN": ""})
    assert told.code == 0, told.err
    assert "Nothing is due there" in told.out
    assert standing(erpsync, "erp")["pause"] == "both"


def test_what_workers_have_in_hand_is_said(erpsync: Run, night: Path) -> None:
    with Store.open(night / "erpsync.db", now=NIGHT) as store:
        store.writer.call(
            lambda db: db.execute(
                "UPDATE messages SET state = 'leased', tries = 1, due_at = ? WHERE state = 'ready' AND is_head = 1 AND target_id = 2",
                (int(NIGHT.timestamp() * 1000) + 60_000,),
            )
        )
    told = erpsync("systems", "pause", "shop", "--out").out
    assert "4 messages in workers' hands: calls in flight come to their end, the rest waits." in told
