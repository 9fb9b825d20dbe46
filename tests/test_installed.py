"""What works from a checkout works from an installed wheel."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data_fetch.conftest import DATASET, archive, row
from tests.data_fetch.publisher import Page, Publisher
from tests.paths import ROOT

BIN = "Scripts" if os.name == "nt" else "bin"
UV = os.environ.get("UV") or shutil.which("uv")

PROGRAM = '''
"""Runs in the installed package: commands in one process, then tiva.open against a publisher on this machine."""
import contextlib, importlib, importlib.metadata, io, json, os, sys
from pathlib import Path
import data_fetch, tiva
from data_fetch.catalogue import build
from tiva.cli import main

root, facts, entry = Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
assert root in Path(tiva.__file__).parents and root in Path(data_fetch.__file__).parents, tiva.__file__
answers = {"version": importlib.metadata.version("tiva-icio")}

def run(*words):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(words))
    answers[" ".join(words)] = [code, out.getvalue(), err.getvalue()]

os.environ["TIVA_OFFLINE"] = "1"
run("fetch", "list")
run("fetch", "info", "wiod2013")
run("fetch", "get", "wiod2013", "--years", "2011")
run("fetch", "add", "Eora26_2015_bp.zip")
run("fetch", "check", "eora26")
run("fetch", "margins", "oecd_sdbs", "--countries", "MEX", "--years", "2019", "--out", "m.csv")
run("decompose", "--level", "country")
run("batch", "--dry-run")
run("terms")
os.environ["TIVA_OFFLINE"] = "0"
known = build({"d": facts}, [entry])
for name in ("catalogue", "fetch", "tables"):
    importlib.import_module(f"data_fetch.{name}").catalogue = lambda: known
run("fetch", "get", "d")
table = tiva.open("d", 2011)
answers["opened"] = [table.year, table.provenance.licence, table.checksum == tiva.example().checksum]
os.environ["TIVA_OFFLINE"] = "1"
answers["again"] = tiva.open("d", 2011).year
print(json.dumps(answers))
'''


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel, and with the libraries of this one; the checkout is not on its path."""
    if UV is None:
        pytest.skip("uv builds and installs the wheel, and is not here")
    place = tmp_path_factory.mktemp("installed")
    offline = [UV, "--offline", "--quiet"]  # hatchling is in uv's cache since this project was installed
    built = [*offline, "build", "--wheel", "--python", sys.executable, "--out-dir", str(place), str(ROOT)]
    subprocess.run(built, check=True, timeout=120)
    (wheel,) = place.glob("*.whl")
    venv.create(place / "env", with_pip=False, symlinks=os.name != "nt")
    python = place / "env" / BIN / "python"
    subprocess.run([*offline, "pip", "install", "--no-deps", "--python", str(python), str(wheel)], check=True)
    (packages,) = (place / "env").rglob("site-packages")
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return place / "env"


@pytest.fixture(scope="module")
def settings(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of the programs: no trace of the checkout, bytecode kept (most of a start is compiling it)."""
    kept = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "TIVA_OFFLINE"}}
    place = tmp_path_factory.mktemp("home")
    return kept | {
        "TIVA_DATA": str(place / "data"),
        "PYTHONPYCACHEPREFIX": str(place / "bytecode"),
        "NUMBA_CACHE_DIR": str(place / "machine code"),
        "COLUMNS": "200",
    }


def ran(command: list[object], here: Path, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=here, env=settings, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def answers(installed: Path, settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list]:
    """What the commands answered: exit code, stdout, stderr."""
    import tiva

    here = tmp_path_factory.mktemp("work")
    (here / "Eora26_2015_bp.zip").write_bytes(archive())
    content = tiva.example().save(here / "t.nc").read_bytes()
    server = Publisher()
    try:
        server.pages["/t.nc"] = Page(content, drops=[1000])
        entry = row("t.nc", server.address("/t.nc"), year="2011")
        arguments = [str(installed), json.dumps(DATASET | {"years": "2011"}), json.dumps(entry)]
        done = ran([installed / BIN / "python", "-c", PROGRAM, *arguments], here, settings)
    finally:
        server.close()
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_commands_of_the_wheel(answers: dict[str, list]) -> None:
    import tiva

    assert answers["version"] == tiva.__version__
    code, out, _ = answers["fetch list"]
    assert (code, "wiod2013" in out) == (0, True)
    code, out, _ = answers["fetch info wiod2013"]
    assert (code, "CC BY 4.0" in out, "confirmed" in out) == (0, True, True)
    code, _, err = answers["fetch get wiod2013 --years 2011"]
    assert (code, "network may not be used" in err) == (3, True)
    code, out, _ = answers["fetch add Eora26_2015_bp.zip"]
    assert (code, "eora26" in out) == (0, True)
    code, out, _ = answers["fetch check eora26"]
    assert (code, out.split()[0]) == (0, "ok")
    code, _, err = answers["fetch margins oecd_sdbs --countries MEX --years 2019 --out m.csv"]
    assert (code, "no kept answer" in err) == (3, True)
    code, out, _ = answers["decompose --level country"]
    assert code == 0
    assert "identity residual" in out
    assert answers["batch --dry-run"][0] == 0
    assert (answers["terms"][0], "gexp" in answers["terms"][1]) == (0, True)


@pytest.mark.slow
def test_numbers_of_the_wheel_are_those_of_the_checkout(answers: dict[str, list], capsys) -> None:
    from tiva.cli import main

    assert main(["decompose", "--level", "country"]) == 0
    assert answers["decompose --level country"][1] == capsys.readouterr().out


@pytest.mark.slow
def test_tables_are_fetched_and_opened_from_the_wheel(answers: dict[str, list]) -> None:
    code, out, err = answers["fetch get d"]
    assert code == 0, err
    assert out.strip().endswith("t.nc")
    assert answers["opened"] == [2011, "CC BY 4.0", True]
    assert answers["again"] == 2011


@pytest.mark.parametrize("words", [["tiva", "fetch", "where"], ["python", "-m", "data_fetch", "where"]])
def test_both_ways_to_start(installed: Path, settings: dict[str, str], tmp_path: Path, words: list[str]) -> None:
    done = ran([installed / BIN / words[0], *words[1:]], tmp_path, settings)
    assert (done.returncode, done.stdout.strip()) == (0, settings["TIVA_DATA"]), done.stderr


@pytest.fixture(autouse=True, scope="module")
def _quiet_build(installed: Path) -> Iterator[None]:
    """Nothing of the build is left in the checkout."""
    before = {p.name for p in ROOT.iterdir()}
    yield
    assert {p.name for p in ROOT.iterdir()} - before <= {".pytest_cache"}
