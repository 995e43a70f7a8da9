"""Tab in real shells: bash, zsh and fish complete a line, and what was completed reaches erpsync as it is stored.

The store has keys that would be commands if a shell ever took them for its own: none is run, none breaks the line.
"""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from night_store import make_night

from erpsync.store.connection import open_writer

pytestmark = [pytest.mark.shells, pytest.mark.long]

HOSTILE = (
    "H1 $(touch pwned)",
    "H2 `touch pwned`",
    "H3 'it''s' \"q\" .",
    "H4;touch pwned",
    "H5&touch pwned|touch pwned<x>y",
    "H6*?[a]{b,c}~#!x",
    "H7\\back\\",
    "H8 $HOME $((1+1)) %n",
    "H9 é東京",
    "HA:b=c@d:e",
    "HB\ntouch pwned",
    "HC\x1b[31mred\x07",
    "HD\ttab",
)
PLAIN = [number for number in HOSTILE if number.isprintable()]


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """A folder with the landscape and the store of the night, and the hostile keys in it."""
    store, _ = make_night(tmp_path)
    store.close()
    db = open_writer(tmp_path / "erpsync.db")
    db.executemany(
        "INSERT INTO records (company_id, kind, number, origins, changed_at) VALUES (1, 'item', ?, '{}', 1)",
        [(number,) for number in HOSTILE],
    )
    db.close()
    return tmp_path


def environ(folder: Path) -> dict[str, str]:
    """The surroundings of somebody who has erpsync on the path and nothing else of their own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ERPSYNC_", "COLUMNS"))}
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    home = folder / "home"
    home.mkdir(exist_ok=True)
    return {**kept, "PATH": search, "HOME": str(home), "TERM": "xterm", "LC_ALL": "C.UTF-8", "HISTFILE": "/dev/null"}


# The line is shown as the shell has it, and a function of the same name shows what erpsync would be handed.
START = {
    "bash": """\
bind -x '"\\C-g": printf "\\nLINE<%s>\\n" "$READLINE_LINE"'
bind 'set enable-bracketed-paste off'
source <(erpsync completion bash)
erpsync() { printf 'GOT<%s>\\n' "$@"; }
echo REA''DY
""",
    "zsh": """\
autoload -Uz compinit && compinit -u -D
shown() { print -r -- $'\\n'"LINE<$BUFFER>"; zle reset-prompt }
zle -N shown; bindkey '^G' shown
unset zle_bracketed_paste; unsetopt auto_menu
source <(erpsync completion zsh)
erpsync() { printf 'GOT<%s>\\n' "$@"; }
echo REA''DY
""",
}
COMMAND = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}


class Terminal:
    """A shell on a terminal, typed into."""

    def __init__(self, shell: str, folder: Path) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(COMMAND[shell][0], COMMAND[shell], environ(folder))
        self.said = ""
        self.types(START[shell])
        self.until("READY\r\n")

    def types(self, text: str) -> None:
        """Type this."""
        os.write(self.fd, text.encode())

    def until(self, mark: str) -> str:
        """What is said up to this mark; what follows is kept."""
        until = time.monotonic() + 30
        while mark not in self.said:
            ready, _, _ = select.select([self.fd], [], [], max(until - time.monotonic(), 0))
            assert ready, f"nothing more came: {self.said!r}"
            self.said += os.read(self.fd, 65536).decode(errors="replace")
        said, _, self.said = self.said.partition(mark)
        return said

    def line_after(self, typed: str) -> str:
        """The line once Tab was pressed behind what is typed."""
        self.types(f"{typed}\t\x07")
        self.until("LINE<")
        return self.until(">\r\n")

    def handed(self) -> list[str]:
        """Enter: the words that erpsync is handed."""
        self.types("\recho EN''D\r")
        return re.findall(r"GOT<(.*?)>\r\n", self.until("END\r\n"))


@contextmanager
def terminal(shell: str, folder: Path) -> Iterator[Terminal]:
    """A shell on a terminal; skips where it is not installed."""
    needs(shell)
    opened = Terminal(shell, folder)
    try:
        yield opened
    finally:
        os.kill(opened.pid, signal.SIGKILL)
        os.waitpid(opened.pid, 0)
        os.close(opened.fd)


def needs(shell: str) -> None:
    """Skip where a shell is not installed."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")


BOTH = pytest.mark.parametrize("shell", ["bash", "zsh"])


LINES = (
    ("erpsync dl", "erpsync dlq "),
    ("erpsync dlq sh", "erpsync dlq show "),
    ("erpsync dlq list --whe", "erpsync dlq list --where "),
    ("erpsync dlq list -o i", "erpsync dlq list -o ids "),
    ("erpsync systems probe w", "erpsync systems probe wms "),
    ("erpsync trace ship", "erpsync trace shipment:"),
    ("erpsync trace shipment:SH-88", "erpsync trace shipment:SH-88022 "),
    ("erpsync trace 'shipment:SH-88", "erpsync trace 'shipment:SH-88022' "),
    ("erpsync lanes show wms customer:CU-11", "erpsync lanes show wms customer:CU-1107 "),
    ("erpsync dlq list --where 'sys", "erpsync dlq list --where 'system"),
    ("erpsync dlq list --where 'system = w", "erpsync dlq list --where 'system = wms' "),
    ("erpsync dlq list --where system=w", "erpsync dlq list --where system=wms "),
    ("erpsync messages list --where 'state = dead a", "erpsync messages list --where 'state = dead and"),
    ("erpsync --landscape erpsync.t", "erpsync --landscape erpsync.toml "),
    ("true; erpsync --landscape ./erpsync.toml trace shipment:SH-88", "trace shipment:SH-88022 "),
    ("erpsync dlq nonsense", "erpsync dlq nonsense"),
    ("erpsync trace nonsense:", "erpsync trace nonsense:"),
)


@BOTH
def test_tab_goes_on_with_the_line(shell: str, night: Path) -> None:
    with terminal(shell, night) as shown:
        for typed, line in LINES:
            assert shown.line_after(typed).endswith(line), typed
            shown.types("\x15")


@BOTH
@pytest.mark.parametrize("quote", ["", "'", '"'], ids=["bare", "single", "double"])
def test_what_is_completed_reaches_erpsync_as_it_is_stored(shell: str, quote: str, night: Path) -> None:
    with terminal(shell, night) as shown:
        for number in PLAIN:
            if shell == "bash" and quote == '"' and "!" in number:
                continue  # in these quotes bash takes ! for its history, however it is written
            shown.line_after(f"erpsync trace {quote}item:{number[:2]}")
            assert shown.handed() == ["trace", f"item:{number}"], number
    assert not (night / "pwned").exists()


@BOTH
def test_what_acts_on_a_terminal_is_never_offered(shell: str, night: Path) -> None:
    with terminal(shell, night) as shown:
        for beginning in ("HB", "HC", "HD"):
            assert shown.line_after(f"erpsync trace item:{beginning}").endswith(f"item:{beginning}")
            shown.types("\x15")
    assert not (night / "pwned").exists()


def test_zsh_follows_a_landscape_that_is_assigned_on_the_line(
    night: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with terminal("zsh", tmp_path_factory.mktemp("elsewhere")) as shown:
        line = shown.line_after(f"ERPSYNC_LANDSCAPE={night}/erpsync.toml erpsync trace shipment:SH-88")
        assert line.endswith("shipment:SH-88022 ")


def test_bash_is_told_by_its_words_alone_too(night: Path) -> None:
    script = """source <(erpsync completion bash)
COMP_WORDS=(erpsync dlq list --where "'system = w"); COMP_CWORD=4
_erpsync; printf '%s\\n' "${COMPREPLY[@]}"
"""
    done = subprocess.run(
        ["bash", "--norc", "-c", script], cwd=night, env=environ(night), capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("system = wms\n", "")


def fish(folder: Path, line: str) -> list[str]:
    """What fish offers at the end of a line."""
    needs("fish")
    place = folder / "home" / ".config" / "fish" / "completions"
    place.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["fish", "-c", "erpsync completion fish > $argv[1]; complete -C $argv[2]", str(place / "erpsync.fish"), line],
        cwd=folder,
        env=environ(folder),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("erpsync dl", ["dlq\tdead letters: the list, one letter with its evidence"]),
        ("erpsync dlq sh", ["show\tOne dead letter"]),
        ("erpsync trace shipment:SH-88", ["shipment:SH-88022"]),
        ("erpsync dlq list --where 'system = w", ["system = wms\twms"]),
        ("erpsync dlq list -o i", ["ids"]),
        ("erpsync dlq list --output=i", ["--output=ids"]),
        ("erpsync --landscape ./erpsync.toml systems probe w", ["wms\twms"]),
        ("erpsync --landscape erpsync.t", ["erpsync.toml"]),
        ("erpsync dlq nonsense ", []),
    ],
)
def test_fish_offers_what_comes_next(line: str, offered: list[str], night: Path) -> None:
    assert fish(night, line) == offered


def test_fish_offers_hostile_keys_as_text_and_leaves_out_what_acts(night: Path) -> None:
    assert sorted(fish(night, "erpsync trace item:H")) == sorted(f"item:{number}" for number in PLAIN)
    for quote in ("'", '"'):
        assert fish(night, f"erpsync trace {quote}item:H1 ") == ["item:H1 $(touch pwned)"]
    assert not (night / "pwned").exists()


def test_fish_follows_a_landscape_that_is_assigned_on_the_line(
    night: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert fish(elsewhere, f"ERPSYNC_LANDSCAPE={night}/erpsync.toml erpsync trace shipment:SH-88") == [
        "shipment:SH-88022"
    ]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_where_no_landscape_is_tab_is_silent(shell: str, tmp_path: Path) -> None:
    if shell == "fish":
        assert fish(tmp_path, "erpsync trace order:") == []
    else:
        with terminal(shell, tmp_path) as shown:
            shown.types("erpsync trace order:\t\x07")
            assert "error" not in shown.until("LINE<")
    assert {path.name for path in tmp_path.iterdir()} == {"home"}
