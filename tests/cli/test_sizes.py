from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import tiva
from tests.bands.worlds import two_countries
from tests.paths import ROOT, listed
from tiva.cli import main
from tiva.results.export import read_dataset

HEAVY = ("xarray", "pandas", "numba", "scipy", "matplotlib", "pyarrow", "h5py", "numpy")

HEAD = "country,year,sector,band_scheme,band,variable,unit,value,status,source"

GOOD = f"""{HEAD}
S,2020,1,EMP_250,sme,output,share,0.4,observed,survey
S,2020,1,EMP_250,large,output,share,0.6,observed,survey
S,2020,1,EMP_250,sme,exports,share,0.1,observed,customs
S,2020,1,EMP_250,large,exports,share,0.9,observed,customs
"""


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def margins(tmp_path: Path) -> Path:
    path = tmp_path / "margins.csv"
    path.write_text(GOOD)
    return path


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return two_countries().save(tmp_path / "toy.nc")


@pytest.mark.parametrize("arguments", [["sizes", "--help"], ["sizes", "report", "--help"]])
def test_start_is_light(arguments: list[str]) -> None:
    code = (
        f"import sys; from tiva.cli import main; code = main({arguments!r});"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == "[]"


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ran(capsys, "sizes", "--help")
    assert code == 0
    for command in ("check", "split", "report", "plot"):
        assert command in out
    assert "--size" in ran(capsys, "decompose", "--help")[1]


def test_check_of_the_example_shows_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ran(capsys, "sizes", "check")
    assert (code, err) == (0, "")
    for word in ("61 facts", "country-sectors split: 115 of 255", "confidential: BRA", "example_margins.csv line 5",
                 "unsplit: MEX", "reconcile"):  # fmt: skip
        assert word in out, word
    code, out, _ = ran(capsys, "sizes", "check", "--json")
    said = json.loads(out)
    assert said["ok"] is True
    assert len(said["log"]) == len(tiva.prepare_margins(tiva.example(), tiva.example_margins()).log)


def test_check_of_a_file(capsys: pytest.CaptureFixture[str], margins: Path, toy: Path) -> None:
    code, out, _ = ran(capsys, "sizes", "check", str(margins))
    assert code == 0
    assert "4 facts (4 observed)" in out
    assert "name --table" in out
    code, out, _ = ran(capsys, "sizes", "check", str(margins), "--table", str(toy))
    assert code == 0
    assert "assumed: S value_added" in out


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("S,2020,2,EMP_250,sme,output,share,0.4,observed,x", "line 6: shares of S 2 output sum to 0.4, not 1"),
        ("S,2020,1,EMP_250,large,output,share,0.6,observed,x", "line 6: duplicates margins.csv line 3"),
        ("S,2020,1,,large,va,share,0.6,observed,x", "line 6: band 'large' without band_scheme"),
        ("S,2020,1,EMP_250,large,va,share,-0.6,observed,x", "line 6: negative share -0.6"),
        ("S,2020,1,EMP_250,huge,va,share,0.6,observed,x", "line 6: unknown band 'huge'"),
        ("S,2020,1,EMP_250,large,vaa,share,1,observed,x", "line 6: unknown variable 'vaa'; did you mean 'va'"),
    ],
)
def test_bad_rows_are_named(capsys: pytest.CaptureFixture[str], margins: Path, row: str, text: str) -> None:
    margins.write_text(f"{GOOD}{row}\n")
    code, out, err = ran(capsys, "sizes", "check", str(margins))
    assert code == 3
    assert out.startswith("REFUSED: 1 problems")
    assert text in out
    assert err == ""
    said = json.loads(ran(capsys, "sizes", "check", str(margins), "--json")[1])
    assert said["ok"] is False
    assert text in said["problems"][0]
    code, out, err = ran(capsys, "decompose", "--size", str(margins))
    assert (code, out) == (3, "")
    assert text in " ".join(err.split())


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("X,2020,1,EMP_250,sme,output,share,1,observed,x\nX,2020,1,EMP_250,large,output,share,0,observed,x",
         "line 6: unknown country 'X'"),
        ("S,2020,9,EMP_250,sme,output,share,1,observed,x\nS,2020,9,EMP_250,large,output,share,0,observed,x",
         "line 6: unknown sector '9'"),
    ],
)  # fmt: skip
def test_rows_that_do_not_fit_the_table(
    capsys: pytest.CaptureFixture[str], margins: Path, toy: Path, row: str, text: str
) -> None:
    margins.write_text(f"{GOOD}{row}\n")
    code, out, _ = ran(capsys, "sizes", "check", str(margins), "--table", str(toy))
    assert code == 3
    assert text in out
    assert ran(capsys, "sizes", "split", str(toy), str(margins))[0] == 3


def test_exports_above_output_are_moved_and_told(capsys: pytest.CaptureFixture[str], margins: Path, toy: Path) -> None:
    margins.write_text(
        f"{HEAD}\nS,2020,1,EMP_250,sme,output,share,0.7,observed,x\nS,2020,1,EMP_250,large,output,share,0.3,observed,x\n"
        "S,2020,1,EMP_250,sme,exports,share,0.05,observed,x\nS,2020,1,EMP_250,large,exports,share,0.95,observed,x\n"
    )
    code, out, _ = ran(capsys, "sizes", "check", str(margins), "--table", str(toy))
    assert code == 0
    assert "margins contradict each other or the table in 1 country-sectors" in out
    assert "reconcile: S 1" in out
    assert "moved" in out
    _, _, err = ran(capsys, "sizes", "split", str(toy), str(margins))
    assert err.startswith("warning: margins contradict each other")


def test_split_writes_shares_log_and_result(
    capsys: pytest.CaptureFixture[str], margins: Path, toy: Path, tmp_path: Path
) -> None:
    out = tmp_path / "split"
    code, text, err = ran(capsys, "sizes", "split", str(toy), str(margins), "-o", str(out))
    assert (code, text) == (0, "")
    assert "wrote shares.csv, log.csv and result.nc" in " ".join(err.split())
    assert listed(out) == ["log.csv", "result.nc", "shares.csv"]
    shares = pd.read_csv(out / "shares.csv", dtype={"sector": str})
    mine = shares[(shares["country"] == "S") & (shares["sector"] == "1")]
    assert mine["exports"].tolist() == [0.1, 0.9]
    assert mine["exports_status"].tolist() == ["observed"] * 2
    assert mine["imports_status"].tolist() == ["assumed"] * 2
    assert set(pd.read_csv(out / "log.csv")["step"]) >= {"assumed", "unsplit"}
    result = read_dataset(out / "result.nc")
    assert float(result["exports_direct"].sel(exporter="S", sector="1", size="sme")) == pytest.approx(3.5)
    assert "of exports in split sectors" in result.attrs["coverage"]


def test_split_prints_or_gives_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ran(capsys, "sizes", "split")
    assert code == 0
    assert "feasible" in out
    said = json.loads(ran(capsys, "sizes", "split", "example", "example", "--json")[1])
    assert {"shares", "log"} == set(said)
    assert said["shares"][0]["domestic_intermediate"] is None


def test_decompose_by_size(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ran(capsys, "decompose", "--size", "example", "--exporter", "MEX,BRA")
    assert (code, err) == (0, "")
    assert "medium" in out
    assert "coverage BRA: 82 % of exports in split sectors; margins 2 % observed" in " ".join(out.split())
    _, out, _ = ran(capsys, "decompose", "--size", "example", "--exporter", "MEX", "--format", "csv")
    frame = pd.read_csv(io.StringIO(out)).dropna()
    banded = tiva.split_by_size(tiva.example(), tiva.example_margins())
    expected = tiva.decompose(banded, exporter="MEX")["dva"].sel(exporter="MEX", size=frame["size"].tolist())
    assert frame["dva"].tolist() == expected.values.tolist()


def test_report_tells_the_story(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ran(capsys, "sizes", "report", "--country", "MEX", "--draws", "4")
    assert (code, err) == (0, "")
    for word in ("Direct and indirect exports by firm size", "Who exports for whom, MEX", "visibility",
                 "Channels of indirect exports", "import_content_of_exports", "mm1_employment", "mm5_import",
                 "Heterogeneity correction", "margin Monte Carlo", "model interval", "coupling sensitivity",
                 "identified set", "Where the margins come from", "What was assumed", "INEGI",
                 "coverage MEX: 82 % of exports in split sectors"):  # fmt: skip
        assert word in out, word


@pytest.mark.parametrize("suffix", ["txt", "html", "json", "nc"])
def test_report_is_written(capsys: pytest.CaptureFixture[str], tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"r.{suffix}"
    code, out, err = ran(capsys, "sizes", "report", "--country", "BRA", "--no-intervals", "--out", str(path))
    assert (code, out) == (0, "")
    assert "".join(err.split()) == f"wrote{path}"
    assert listed(tmp_path) == [path.name]
    if suffix == "json":
        printed = ran(capsys, "sizes", "report", "--country", "BRA", "--no-intervals", "--json")[1]
        assert json.loads(path.read_text()) == json.loads(printed)
    elif suffix == "nc":
        assert "visibility" in read_dataset(path)
    else:
        assert "coverage BRA" in path.read_text()


def test_figures_are_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for kind, name in (("direct-indirect", "bars.png"), ("matrix", "heat.svg")):
        options = ("--country", "MEX", "--no-intervals", "--kind", kind, "-o", str(tmp_path / name))
        assert ran(capsys, "sizes", "plot", *options)[0] == 0
    assert listed(tmp_path) == ["bars.png", "heat.svg"]
    assert (tmp_path / "bars.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("sizes", "report", "--country", "MERCOSUR,BRA"), 2, "country 'BRA' appears both alone and in a group"),
        (("sizes", "report", "--country", "CHN"), 2, "CHN is not split by firm size.*BRA"),
        (("sizes", "report", "--country", "MXE"), 2, "did you mean 'MEX'"),
        (("sizes", "report", "--country", "MEX", "--draws", "1"), 2, "draws"),
        (("sizes", "report", "--country", "MEX", "--draws", "0"), 2, "draws"),
        (("sizes", "report", "--out", "r.doc"), 2, "unknown suffix of the report"),
        (("sizes", "report", "--out", "none/r.txt"), 3, "no such folder"),
        (("sizes", "report", "--json", "--out", "r.txt"), 2, "contradict"),
        (("sizes", "report", "none.csv"), 3, "no such file"),
        (("sizes", "report", "example", "none.csv"), 3, "none.csv"),
        (("sizes", "check", "none.csv"), 3, "none.csv"),
        (("sizes", "split", "--out", "none/none"), 3, "cannot make the folder"),
        (("sizes", "split", "--out", "x", "--format", "sas"), 2, "unknown output format"),
        (("sizes", "split", "--out", "x", "--json"), 2, "contradict"),
        (("sizes", "plot", "--kind", "pie", "-o", "x.png"), 2, "unknown kind 'pie'"),
        (("sizes", "plot", "--kind", "matrix", "-o", "x.png"), 2, "the matrix is that of one country"),
        (("sizes", "plot", "-o", "x.bmp"), 2, "unknown suffix of the figure"),
        (("decompose", "--schemes", "x.csv"), 2, "belong to --size"),
        (("decompose", "--size", "example", "--schemes", "x.csv"), 2, "their own schemes"),
        (("sizes", "repot"), 2, "repot"),
    ],
)
def test_mistakes_are_told_with_their_exit_code(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...], code: int, text: str,
) -> None:  # fmt: skip
    import re

    monkeypatch.chdir(tmp_path)
    got, out, err = ran(capsys, *arguments)
    assert got == code, err
    assert out == ""
    assert err.startswith("error: ")
    assert "Traceback" not in err
    assert re.search(text, " ".join(err.split())), err
    assert listed(tmp_path) == []
