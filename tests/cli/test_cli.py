from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import tiva
from tests.model.test_leontief import table as odd_table
from tests.paths import ROOT, listed
from tests.readers.support import edited
from tiva.cli import app as cli_app
from tiva.cli import main
from tiva.groups import country_groups
from tiva.results.export import FORMATS, read_dataset
from tiva.table.icio_table import IcioTable
from tiva.terms import Question, guide, methods

HEAVY = ("xarray", "pandas", "numba", "scipy", "matplotlib", "pyarrow", "h5py", "numpy")


@pytest.fixture(scope="module")
def saved(example: IcioTable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return example.save(tmp_path_factory.mktemp("cli") / "table.nc")


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["decompose", "--help"], []])
def test_start_is_light(arguments: list[str]) -> None:
    code = (
        f"import sys; from tiva.cli import main; code = main({arguments!r});"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == "[]"
    assert done.stdout.strip()


def test_python_m_tiva_prints_the_main_job() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tiva", "decompose"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert "MEX" in done.stdout
    assert "17,270,738" in done.stdout
    assert "identity residual: 2.0e-16 of gexp" in done.stdout


def test_a_closed_pipe_is_no_error() -> None:
    printed = f"{sys.executable} -m tiva decompose --quiet --format csv --level sector-bilateral"
    command = f"{printed} | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout.splitlines()[0].startswith("exporter,sector,importer,gexp")
    assert done.stdout.splitlines()[1] == "0"
    assert done.stderr == ""


def test_help_names_the_exit_codes_and_the_guide(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ran(capsys, "--help")
    assert code == 0
    assert "Exit codes: 0 done, 1 some jobs failed, 2 usage, 3 data refused." in out
    assert "--perspective world" in out
    for command in (
        "decompose",
        "check",
        "info",
        "convert",
        "plot",
        "batch",
        "fetch",
        "compare",
        "terms",
        "cite",
        "env",
    ):
        assert command in out


def test_help_of_options_is_that_of_the_docstring(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = ran(capsys, "decompose", "--help")
    assert "Whose border counts" in out
    for option in ("--method", "--perspective", "--approach", "--perimeter", "--level", "--detail", "--exporter",
                   "--importer", "--sector", "--out", "--format", "--layout", "--year", "--quiet", "--traceback",
                   "--value-added", "--gaps",
                   "--json", "--origin", "--absorber", "--groups", "--satellite", "--term"):  # fmt: skip
        assert option in out, option
    assert "--no-" not in out


@pytest.mark.parametrize("form", FORMATS)
def test_every_suffix_is_written(capsys: pytest.CaptureFixture[str], tmp_path: Path, form: str) -> None:
    path = tmp_path / f"r.{form}"
    code, out, err = ran(capsys, "decompose", "--exporter", "MEX", "--level", "bilateral", "--out", str(path))
    assert (code, out) == (0, "")
    assert "".join(err.split()) == f"wrote{path}"
    expected = [path.name, f"{path.name}.metadata.json"] if form in {"csv", "dta"} else [path.name]
    assert listed(tmp_path) == expected


def test_csv_on_stdout_is_data_only(capsys: pytest.CaptureFixture[str], example: IcioTable) -> None:
    code, out, err = ran(capsys, "decompose", "--level", "bilateral", "--exporter", "MEX,BRA", "--format", "csv")
    assert code == 0
    assert err.startswith("note: a country does not export to itself")
    assert err.count("\n") == 1
    assert ran(capsys, "decompose", "--level", "bilateral", "--format", "csv", "--quiet")[2] == ""
    frame = pd.read_csv(io.StringIO(out))
    expected = tiva.decompose(example, level="bilateral", exporter=["MEX", "BRA"])
    assert frame["exporter"].unique().tolist() == ["MEX", "BRA"]
    assert not (frame["exporter"] == frame["importer"]).any()
    assert frame["dva"].to_numpy().tolist() == expected.tiva.tidy()["dva"].to_numpy().tolist()
    every = expected["dva"].to_series().drop([("MEX", "MEX"), ("BRA", "BRA")])
    assert frame["dva"].to_numpy().tolist() == every.tolist()


def test_json_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ran(capsys, "decompose", "--json", "--exporter", "MEX", "--exporter", "USA")
    said = json.loads(out)
    assert code == 0
    assert [row["exporter"] for row in said["data"]] == ["MEX", "USA"]


def test_groups_and_sectors_are_selectors(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--level", "sector", "--exporter", "WLD-ROW", "--sector", "Food", "--format", "csv")
    code, out, _ = ran(capsys, "decompose", *arguments)
    frame = pd.read_csv(io.StringIO(out))
    assert code == 0
    assert len(frame) == 16
    assert frame["sector"].unique().tolist() == ["Food"]


def test_help_answers_research_questions(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = ran(capsys, "decompose", "--help")
    words = " ".join(out.split())
    for row in guide():
        assert row.question in words
        assert row.call() in words
        assert f"see {', '.join(row.terms)}: {row.remark}" in words


@pytest.mark.parametrize("row", guide(), ids=lambda row: row.question)
def test_the_commands_of_the_guide_run(capsys: pytest.CaptureFixture[str], row: Question) -> None:
    """Each as it is printed: it answers with rows that hold the terms it speaks of, and with its own options."""
    words = shlex.split(row.call())
    assert words[:2] == ["tiva", "decompose"]
    code, out, err = ran(capsys, *words[1:], "--json")
    assert code == 0, err
    said = json.loads(out)
    assert said["data"]
    assert set(row.terms) <= set(said["data"][0])
    if "--origin" not in words and "--absorber" not in words:
        for name in ("method", "perspective", "approach", "perimeter", "level"):
            assert said["attributes"][name] == getattr(row, name)
    assert any(line[term] for line in said["data"] for term in row.terms)
    assert ran(capsys, *words[1:], "--rows", "3")[0] == 0


def test_rows_are_summed_afterwards(capsys: pytest.CaptureFixture[str], example: IcioTable) -> None:
    words = ("--level", "bilateral", "--sum", "NAFTA,importer:ANDES=BRA|MEX", "--exporter", "NAFTA,BRA", "--json")
    code, out, err = ran(capsys, "decompose", *words)
    assert code == 0, err
    said = json.loads(out)
    rows = {(row["exporter"], row["importer"]): row["dva"] for row in said["data"]}
    expected = tiva.decompose(example, level="bilateral", exporter=["NAFTA", "BRA"])["dva"]
    three = ["CAN", "MEX", "USA"]
    assert rows["NAFTA", "CHN"] == pytest.approx(float(expected.sel(exporter=three, importer="CHN").sum()))
    assert rows["NAFTA", "ANDES"] == pytest.approx(float(expected.sel(exporter=three, importer=["BRA", "MEX"]).sum()))
    assert rows["NAFTA", "USA"] > 0  # trade within stays
    assert any("exporters summed after the decomposition: NAFTA = CAN, MEX, USA" in n for n in
               said["attributes"]["notes"])  # fmt: skip


def test_origins_are_summed_afterwards(capsys: pytest.CaptureFixture[str], example: IcioTable) -> None:
    words = ("--origin", "WLD", "--term", "fva", "--exporter", "DEU", "--sum", "origin:NAM=NAFTA", "--format", "csv")
    code, out, err = ran(capsys, "decompose", *words)
    assert code == 0, err
    frame = pd.read_csv(io.StringIO(out)).set_index("origin")["fva"]
    expected = tiva.origins(example, "fva", exporter="DEU").to_xarray()
    assert frame["NAM"] == pytest.approx(float(expected.sel(origin=["CAN", "MEX", "USA"]).sum()))
    assert frame.sum() == pytest.approx(float(expected.sum()))


@pytest.mark.parametrize("tool", ["stata", "oecd", "gvcjl", "exvatools"])
def test_results_under_the_names_of_a_tool(capsys: pytest.CaptureFixture[str], tmp_path: Path, tool: str) -> None:
    path = tmp_path / "r.csv"
    code, _, err = ran(capsys, "decompose", "--vocabulary", tool, "-o", str(path))
    assert code == 0, err
    named = tiva.translate(tiva.decompose(tiva.example()), tool)
    frame = pd.read_csv(path)
    assert list(frame.columns) == ["exporter", *named.data_vars]
    for name in named.data_vars:
        assert frame[name].tolist() == named[name].values.tolist()
    said = json.loads((tmp_path / "r.csv.metadata.json").read_text())
    assert said["attributes"]["vocabulary"] == tool
    assert any(f"not under the names of {tool}: " in note for note in said["attributes"]["notes"])
    code, out, _ = ran(capsys, "decompose", "--vocabulary", tool)
    words = " ".join(out.split())
    assert all(name in words for name in named.data_vars)
    assert f"note: not under the names of {tool}" in words


def test_nine_terms_from_the_command_line(capsys: pytest.CaptureFixture[str], example: IcioTable) -> None:
    _, out, _ = ran(capsys, "decompose", "--method", "wwz", "--vocabulary", "kww", "--json")
    nine = {row["exporter"]: row for row in json.loads(out)["data"]}
    kww = tiva.decompose(example, "kww")
    for term in ("DVA_INT", "RDV_FIN", "FDC"):
        assert nine["MEX"][term] == pytest.approx(float(kww[term.lower()].sel(exporter="MEX")))


def test_a_backend_is_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    plain = ran(capsys, "decompose", "--json")[1]
    code, out, err = ran(capsys, "decompose", "--backend", "numpy", "--json")
    assert (code, err) == (0, "")
    for one, other in zip(json.loads(plain)["data"], json.loads(out)["data"], strict=True):
        assert one["dva"] == pytest.approx(other["dva"])
    code, out, err = ran(capsys, "decompose", "--backend", "numpy", "--origin", "WLD", "--exporter", "MEX", "--json")
    assert code == 0, err


def test_groups_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ran(capsys, "groups")
    assert (code, err) == (0, "")
    for word in ("MERCOSUR", "Southern Common Market", "manufacturing", "members of the newest year"):
        assert word in out
    for name in dict.fromkeys(g.name for g in country_groups().values()):
        assert re.search(rf"^  {name} ", out, re.MULTILINE), name
    code, out, err = ran(capsys, "groups", "--table", "example")
    assert code == 0, err
    assert re.search(r"^  MERCOSUR +4 +1  ", out, re.MULTILINE)
    assert "members of 2011" in out


def test_one_group_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ran(capsys, "groups", "EU", "manufacturing", "--year", "1990")
    assert (code, err) == (0, "")
    words = " ".join(out.split())
    for text in ("GBR (1973-2019)", "HRV (2013-)", "of 1990 (12): BEL, DEU, FRA", "source: Treaties of accession",
                 "url: https://", "ISIC divisions: Rev. 3 15-37, Rev. 4 10-33"):  # fmt: skip
        assert text in words, text
    _, out, _ = ran(capsys, "groups", "MERCOSUR", "--table", "example", "--json")
    said = json.loads(out)[0]
    assert said["of_year"] == ["ARG", "BRA", "PRY", "URY"]
    assert (said["shown"], said["absent"], said["year"]) == (["BRA"], ["ARG", "PRY", "URY"], 2011)
    _, out, _ = ran(capsys, "groups", "WLD-NAFTA", "Food|Mining", "SICA", "--table", "example")
    words = " ".join(out.split())
    assert "in WIOD 2013 release 2011: Mining, Food (2)" in words
    assert "'SICA' selects no country of this table" in words
    assert "USA" not in words


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("EU28|NATFA",), "'EU28.NATFA' is an expression over a table.*--table"),
        (("NATFA",), "unknown group 'NATFA'.*did you mean 'NAFTA'"),
        (("--layout", "oecd"), "--layout belongs to a table"),
        (("NATFA", "--table", "example"), "unknown country or country group 'NATFA'.*'NAFTA'"),
        (("Food|Minning", "--table", "example"), "unknown sector or sector group 'Minning'.*'Mining'"),
        (("NAFTA|MEX", "--table", "example"), "both alone and in a group"),
    ],
)
def test_groups_that_are_not_there(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], text: str) -> None:
    code, out, err = ran(capsys, "groups", *words)
    assert (code, out) == (2, "")
    assert re.search(text, " ".join(err.split())), err


def test_help_reads_well(capsys: pytest.CaptureFixture[str]) -> None:
    """No line ends where the source does, options without a value have no default, and the guide is where it helps."""
    names = [name for name in cli_app.build() if not name.startswith("-")]
    assert {"groups", "decompose", "sizes"} <= set(names)
    for name in names:
        code, out, err = ran(capsys, name, "--help")
        assert (code, err) == (0, "")
        assert "[default: False]" not in out or name == "fetch"
        assert "Exit codes: 0 done" in out or name == "decompose"
        assert ("Which options answer" in out) is False
    _, out, _ = ran(capsys, "decompose", "--help")
    assert "Which question, which options" in out
    assert max(map(len, out.splitlines())) <= 120
    assert "(WIOD 2011, 17 economies, 15 sectors)" in " ".join(out.replace("│", "").split())


def test_groups_act_as_one(capsys: pytest.CaptureFixture[str], example: IcioTable) -> None:
    arguments = ("--groups", "NAFTA,ASIA=CHN|JPN|KOR", "--exporter", "NAFTA,ASIA", "--format", "csv")
    code, out, _ = ran(capsys, "decompose", *arguments)
    frame = pd.read_csv(io.StringIO(out)).set_index("exporter")
    expected = tiva.decompose(example, groups={"NAFTA": "NAFTA", "ASIA": "CHN|JPN|KOR"}, exporter=["NAFTA", "ASIA"])
    assert code == 0
    assert frame["dva"].to_dict() == expected["dva"].to_series().to_dict()


def test_a_satellite_takes_the_place_of_value_added(
    capsys: pytest.CaptureFixture[str], example: IcioTable, tmp_path: Path
) -> None:
    cells = [(c, s) for c in example.countries for s in example.sectors]
    lines = [f"{c},{s},{i % 7 + 1},thousand jobs" for i, (c, s) in enumerate(cells)]
    path = tmp_path / "jobs.csv"
    path.write_text("\n".join(["country,sector,value,unit", *lines]) + "\n")
    code, out, err = ran(capsys, "decompose", "--satellite", str(path), "--json")
    assert (code, err) == (0, "")
    jobs = [i % 7 + 1.0 for i in range(len(cells))]
    expected = tiva.decompose(example, satellite=jobs)
    said = json.loads(out)
    assert [row["dva"] for row in said["data"]] == expected["dva"].values.tolist()
    assert "thousand jobs" in out


@pytest.mark.parametrize("suffix", ["csv", "parquet", "nc"])
def test_origin_and_absorber(
    capsys: pytest.CaptureFixture[str], example: IcioTable, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"r.{suffix}"
    arguments = ("--exporter", "MEX", "--origin", "WLD", "--absorber", "USA,CHN", "--term", "fva", "--out", str(path))
    code, _, err = ran(capsys, "decompose", *arguments, "--level", "sector")
    assert code == 0, err
    dims = ("origin", "exporter", "sector", "absorber")
    expected = tiva.origins(example, "fva", by=dims, exporter="MEX", absorber=["USA", "CHN"]).to_xarray()
    if suffix == "nc":
        got = read_dataset(path)["fva"].transpose(*expected.dims).values.ravel().tolist()
    else:
        frame = pd.read_csv(path) if suffix == "csv" else pd.read_parquet(path)
        got = frame.set_index(list(dims))["fva"].astype(float).to_dict()
        assert got == pytest.approx({key: float(expected.loc[key]) for key in got})
        got = list(got.values())
    assert sorted(got) == pytest.approx(sorted(expected.values.ravel().tolist()))


def test_size_goes_with_groups_and_origin(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ran(capsys, "decompose", "--size", "example", "--groups", "NAFTA", "--exporter", "NAFTA", "--json")
    assert code == 0, err
    assert {row["exporter"] for row in json.loads(out)["data"]} == {"NAFTA"}
    arguments = ("--size", "example", "--origin", "WLD", "--exporter", "MEX", "--term", "dva", "--format", "csv")
    code, out, err = ran(capsys, "decompose", *arguments)
    assert code == 0, err
    banded = tiva.split_by_size(tiva.example(), tiva.example_margins())
    by = ("origin", "size")
    expected = tiva.origins(banded, "dva", by=by, exporter="MEX").to_xarray().to_series().dropna()
    got = pd.read_csv(io.StringIO(out)).set_index(list(by))["dva"].dropna()
    assert got.to_dict() == pytest.approx(expected.to_dict())


def test_dictionary_of_other_tools(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = ran(capsys, "terms")
    assert "names of other tools" in out
    _, out, _ = ran(capsys, "terms", "--tool", "decompr", "--method", "wwz", "--json")
    rows = json.loads(out)
    assert {(row["tool"], *row["method"]) for row in rows} == {("decompr", "wwz")}
    _, out, _ = ran(capsys, "terms", "--find", "DVA_INTrex", "--tool", "kww")
    assert "dva_intrexf + dva_intrexi2" in out
    assert "no equal" in ran(capsys, "terms", "--find", "OVA_FIN", "--tool", "exvatools")[1]
    code, _, err = ran(capsys, "terms", "--tool", "decomp")
    assert code == 2
    assert "did you mean 'decompr'" in err


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("decompose", "--mehtod", "bm"), 2, "Unknown option.*Did you mean --method.*tiva decompose --help"),
        (("decmpose",), 2, "decmpose.*decompose"),
        (("decompose", "--rows", "many"), 2, "many"),
        (("decompose", "--exporter", "MXE"), 2, "unknown exporter 'MXE'.*did you mean 'MEX'"),
        (("decompose", "--level", "sector", "--sector", "Vehicle"), 2, "unknown sector 'Vehicle'.*'Vehicles'"),
        (("decompose", "--method", "bmm"), 2, "unknown method 'bmm'.*did you mean 'bm'"),
        (("decompose", "--importer", "USA"), 2, "importer cannot be selected at level 'country'"),
        (("decompose", "--perspective", "world", "--level", "bilateral"), 2, "do not go together.*supported comb"),
        (("decompose", "none.csv"), 3, "no such file: none.csv"),
        (("decompose", "--year", "1999"), 2, "one layout and one year.*--year 1999.*2011"),
        (("decompose", "--format", "nc"), 2, "cannot go to the terminal.*--out result.nc"),
        (("decompose", "--format", "sas"), 2, "unknown output format 'sas'"),
        (("decompose", "--json", "--format", "csv"), 2, "contradict"),
        (("decompose", "--rows", "0"), 2, "at least one row"),
        (("decompose", "--out", "r.sas"), 2, "unknown suffix.*got: .sas"),
        (("decompose", "--out", "r.csv", "--format", "nc"), 2, "contradict"),
        (("decompose", "--out", "none/r.csv"), 3, "no such folder"),
        (("terms", "--method", "bmm"), 2, "unknown method 'bmm'.*did you mean"),
        (("cite", "--method", "kwww"), 2, "did you mean 'kww'"),
        (("convert", "none.nc", "none/x.nc"), 3, "no such folder"),
        (("convert", "table.csv", "x.csv"), 2, "converted to the native format only"),
    ],
)
def test_mistakes_are_told_with_their_exit_code(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...], code: int, text: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    got, out, err = ran(capsys, *arguments)
    assert got == code, err
    assert out == ""
    assert err.startswith("error: ")
    assert "Traceback" not in err
    assert re.search(text, " ".join(err.split())), err
    assert listed(tmp_path) == []


def test_traceback_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = ran(capsys, "decompose", "--exporter", "MXE", "--traceback")
    assert code == 2
    assert "Traceback (most recent call last)" in err
    assert "did you mean 'MEX'?" in err


def test_the_place_is_checked_before_the_work(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def works(*_: object) -> None:
        pytest.fail("the table was read before the output path was checked")

    monkeypatch.setattr("tiva.cli.decompose.read_table", works)
    code, _, err = ran(capsys, "decompose", "--out", str(tmp_path / "none" / "r.nc"))
    assert code == 3
    assert "no such folder" in err
    code, _, err = ran(capsys, "decompose", "--method", "bmm")
    assert code == 2


def test_an_interruption_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tiva.cli.table.read_table", stopped)
    code, _, err = ran(capsys, "info")
    assert code == cli_app.EXIT_INTERRUPTED
    assert "interrupted" in err


def test_warnings_are_one_line_and_can_be_silenced(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, example: IcioTable
) -> None:
    import warnings

    from tiva.errors import BalanceWarning

    def warns(*_: object) -> IcioTable:
        warnings.warn("it does not balance", BalanceWarning, stacklevel=1)
        return example

    monkeypatch.setattr("tiva.cli.table.read_table", warns)
    assert ran(capsys, "info")[2] == "warning: it does not balance\n"
    assert ran(capsys, "info", "--quiet")[2] == ""


def test_check_says_whether_it_balances(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, example: IcioTable
) -> None:
    code, out, _ = ran(capsys, "check")
    assert code == 0
    assert "balanced (million USD)" in out
    code, out, _ = ran(capsys, "check", "--json")
    assert json.loads(out)["ok"] is True
    odd = example.replace(output=example.output * 1.5)
    monkeypatch.setattr("tiva.cli.table.read_table", lambda *_: odd)
    code, out, _ = ran(capsys, "check")
    assert code == 3
    assert "NOT BALANCED" in out


def test_info_names_everything(capsys: pytest.CaptureFixture[str], example: IcioTable) -> None:
    code, out, _ = ran(capsys, "info")
    assert code == 0
    for word in (*example.countries, *example.sectors, example.checksum, "CC BY 4.0"):
        assert word in out
    _, out, _ = ran(capsys, "info", "--json")
    assert tuple(json.loads(out)["countries"]) == example.countries


def test_terms_and_cite_read_the_catalogue(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = ran(capsys, "terms")
    for row in methods():
        assert row.describe() in out
    _, out, _ = ran(capsys, "terms", "--method", "bm", "--json")
    said = json.loads(out)
    assert {row["method"] for row in said["methods"]} == {"bm"}
    assert "fva" in {row["code"] for row in said["terms"]}
    _, out, _ = ran(capsys, "cite", "--method", "bm")
    assert "Borin and Mancini (2019)" in out
    assert tiva.__version__ in out
    _, out, _ = ran(capsys, "cite", "--json")
    assert set(json.loads(out)["methods"]) == {row.method for row in methods()}


def test_env_reports_versions(capsys: pytest.CaptureFixture[str]) -> None:
    import numpy as np

    _, out, _ = ran(capsys, "env", "--json")
    said = json.loads(out)
    assert said["numpy"] == np.__version__
    assert said["tiva"] == tiva.__version__
    _, out, _ = ran(capsys, "env")
    assert "NUMBA_NUM_THREADS" in out


def test_results_are_converted(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result = tmp_path / "r.nc"
    assert ran(capsys, "decompose", "--out", str(result), "--quiet") == (0, "", "")
    code, _, _ = ran(capsys, "convert", str(result), str(tmp_path / "r.csv"))
    assert code == 0
    expected = read_dataset(result)["dva"].values.tolist()
    assert pd.read_csv(tmp_path / "r.csv")["dva"].tolist() == expected


def test_tables_are_read_and_converted(capsys: pytest.CaptureFixture[str], saved: Path, tmp_path: Path) -> None:
    pytest.importorskip("tiva.readers.native")
    target = tmp_path / "again.nc"
    code, _, err = ran(capsys, "convert", str(saved), str(target))
    assert code == 0, err
    assert tiva.read(target).checksum == tiva.read(saved).checksum
    assert ran(capsys, "decompose", str(saved))[1] == ran(capsys, "decompose")[1]
    code, _, err = ran(capsys, "info", str(saved), "--layout", "ntive")
    assert code == 2
    assert "did you mean 'native'" in err


def test_a_damaged_table_is_refused(capsys: pytest.CaptureFixture[str], saved: Path, tmp_path: Path) -> None:
    pytest.importorskip("tiva.readers.native")
    damaged = tmp_path / "table.nc"
    damaged.write_bytes(saved.read_bytes()[:5000])
    code, out, err = ran(capsys, "decompose", str(damaged))
    assert (code, out) == (3, "")
    assert err.startswith("error: ")


def test_a_discrepancy_is_printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiva.cli.decompose.read_table", lambda *_: odd_table())
    _, out, _ = ran(capsys, "decompose", "--level", "sector-bilateral")
    assert re.search(r"discrepancy: \d\.\de-\d\d of gexp \(country-sectors without output", out)


def test_how_a_table_is_read(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = edited("icio2023_2020_SML.csv", tmp_path, str)
    code, out, _ = ran(capsys, "info", str(path), "--value-added", "published")
    assert (code, "published" in out) == (0, True)
    assert "residual" in ran(capsys, "info", str(path))[1]
    edited("icio2023_2020_SML.csv", tmp_path, lambda t: t.replace(",23.5,", ",93.5,", 1))
    code, _, err = ran(capsys, "check", str(path))
    assert (code, "AUS.A01_02 (line 2): 235 against 165" in err, "gaps='keep'" in err) == (3, True, True)
    code, out, _ = ran(capsys, "check", str(path), "--gaps", "keep")
    assert (code, "NOT BALANCED" in out) == (3, True)
    code, _, err = ran(capsys, "info", "--gaps", "keep")
    assert (code, "--gaps keep" in err) == (2, True)
