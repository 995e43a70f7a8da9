"""What is in force, and where it comes from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import SECRETS, Run  # type: ignore[import-not-found]  # the folder's own conftest

from erpsync.adapters import specs


def shown(run: Run, *words: str) -> dict[str, tuple[Any, str, int | None]]:
    """Value, origin and line of each setting that is shown."""
    items = run("config", "show", "-o", "json", "--limit", "0", *words).json["items"]
    return {item["setting"]: (item["value"], item["from"], item["line"]) for item in items}


def test_each_value_comes_from_the_line_that_says_it(erpsync: Run, night: Path) -> None:
    lines = (night / "erpsync.toml").read_text(encoding="utf-8").splitlines()
    settings = shown(erpsync)
    written = {name: found for name, found in settings.items() if found[1] == "file"}
    assert len(written) > 20
    for name, (value, _, line) in written.items():
        assert line is not None
        word = {"store": "url", "where": "where"}.get(name, name.rsplit(".", 1)[-1])
        assert word in lines[line - 1], (name, lines[line - 1])
        if isinstance(value, str) and name != "store" and not name.endswith(".spec"):
            assert all(part in lines[line - 1] for part in value.split(", ")), (name, value, lines[line - 1])
    assert settings["systems.erp.limits.rate"] == (20.0, "file", lines.index('limits = { rate = "20/s" }') + 1)
    assert settings["production"] == (True, "file", 2)


def test_what_nobody_says_holds_by_default(erpsync: Run) -> None:
    settings = shown(erpsync, "--where", "from = default")
    assert settings["systems.shop.limits.concurrency"] == (4, "default", None)
    assert settings["systems.shop.retry.longest"] == ("5m", "default", None)
    assert settings["rounding"] == ("half-up per line", "default", None)
    assert settings["systems.shop.run_by"] == ("", "default", None)


def test_what_holds_for_all_systems_has_the_line_of_all(erpsync: Run, night: Path) -> None:
    file = night / "erpsync.toml"
    text = file.read_text(encoding="utf-8") + '\n[retry]\nlongest = "90s"\n[systems.wms.retry]\ntries = 3\n'
    file.write_text(text, encoding="utf-8")
    last = len(text.splitlines())
    settings = shown(erpsync, "--where", "setting = systems.*.retry.*")
    assert settings["systems.wms.retry.longest"] == ("90s", "file", last - 2)
    assert settings["systems.erp.retry.longest"] == ("90s", "file", last - 2)
    assert settings["systems.wms.retry.tries"] == (3, "file", last)
    assert settings["systems.erp.retry.tries"] == (12, "default", None)


def test_a_spec_file_says_what_the_landscape_does_not(erpsync: Run, night: Path) -> None:
    spec = Path(specs.__path__[0]) / "sim_shop.toml"
    own = spec.read_text(encoding="utf-8") + '\n[limits]\ntimeout = "45s"\nconcurrency = 2\n'
    (night / "shop.toml").write_text(own, encoding="utf-8")
    file = night / "erpsync.toml"
    text = file.read_text(encoding="utf-8").replace(
        'spec = "sim_shop"', 'spec = "shop.toml"\nlimits = { concurrency = 3 }'
    )
    file.write_text(text, encoding="utf-8")
    settings = shown(erpsync, "--where", "setting = systems.shop.limits.*")
    assert settings["systems.shop.limits.timeout"] == ("45s", "spec", None)
    assert settings["systems.shop.limits.deadline"] == ("45s", "spec", None), "never shorter than one call"
    assert settings["systems.shop.limits.concurrency"][:2] == (3, "file")


def test_secrets_are_shown_by_where_they_are_found(erpsync: Run) -> None:
    answer = erpsync("config", "show", "--limit", "0")
    assert "env:ERP_TOKEN" in answer.out
    for secret in SECRETS.values():
        assert secret not in answer.out + answer.err


def test_no_store_is_needed_and_a_wrong_landscape_says_where(night: Path, run_in: Callable[[Path], Run]) -> None:
    for file in night.glob("erpsync.db*"):
        file.unlink()
    run = run_in(night)
    assert run("config", "show").code == 0
    file = night / "erpsync.toml"
    file.write_text(f'nmae = "y"\n{file.read_text(encoding="utf-8")}', encoding="utf-8")
    answer = run("config", "show")
    assert answer.code == 2
    assert "erpsync.toml:1:1" in answer.err


@pytest.mark.parametrize("columns", [60, 80, 120, None])
def test_what_an_option_says_is_shown_harmless(erpsync: Run, night: Path, columns: int | None) -> None:
    file = night / "erpsync.toml"
    file.write_text(
        file.read_text(encoding="utf-8").replace('user = "erpsync"', 'user = "\\u001b[31mme\\u202e"'), encoding="utf-8"
    )
    answer = erpsync("config", "show", "--where", "setting = systems.wms.options.user", columns=columns)
    assert answer.code == 0, answer.err
    assert "\\x1b[31mme\\u202e" in answer.out
    assert "\x1b" not in answer.out
