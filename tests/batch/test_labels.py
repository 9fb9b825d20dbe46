"""Names of countries, sectors and groups in a plan, told by line and column before anything is computed."""

from __future__ import annotations

from pathlib import Path

import pytest

import tiva
from tests.batch.conftest import PLAN, small_table
from tests.paths import shared
from tiva.batch import run_plan
from tiva.batch.scenarios import StableModel
from tiva.errors import PlanError
from tiva.readers.labels import labels_of

LABELS = """\
exporter = ["C0", "CO"]
[[methods]]
method = "bm"
level = "sector-bilateral"
sector = "s7"
importer = "C0|C1"
[[scenarios]]
name = "shock"
final_demand = [{ seller = ["C1", "C9"], factor = 0.5 }]
[[scenarios]]
name = "merged"
aggregate_countries = { NEW = ["C1", "C2"], X = ["C4"] }
[[scenarios]]
name = "bloc"
groups = { U = ["C0", "C1"], V = ["C5"] }
"""


def mistakes(project: Path, text: str) -> list[str]:
    (project / "plan.toml").write_text(text, encoding="utf-8")
    with pytest.raises(PlanError) as caught:
        run_plan(project / "plan.toml", dry_run=True)
    with pytest.raises(PlanError):
        run_plan(project / "plan.toml", scheduler="inline", progress=False)
    assert not (project / "out").exists()
    return list(caught.value.problems)


def test_names_that_no_table_has_are_refused_with_line_and_column(project: Path) -> None:
    lines = PLAN.format(form="parquet").count("\n")
    found = mistakes(project, PLAN.format(form="parquet") + LABELS)
    places = [line.split(": ", 1)[0] for line in found]
    assert places == [f"{lines + row}:{column}" for row, column in ((1, 19), (5, 10), (9, 35), (12, 49), (15, 34))]
    said = ["unknown exporter 'CO'", "unknown sector 's7'", "unknown country 'C9'", "unknown country 'C4'", "'C5'"]
    assert all(text in line for text, line in zip(said, found, strict=True)), found
    assert "expected: one of C0, C1, C2" in found[0]
    assert "small-t2000, small-t2001, small-t2002" in found[0]


def test_scenarios_change_what_can_be_named(project: Path) -> None:
    text = PLAN.format(form="parquet").replace("data/*.nc", "data/t2000.nc") + (
        'exporter = "U"\n[[scenarios]]\nname = "merged"\naggregate_countries = { U = ["C1", "C2"] }\n'
        '[[scenarios]]\nname = "bloc"\ngroups = { U = ["C0", "C1"] }\n'
    )
    (project / "plan.toml").write_text(text, encoding="utf-8")
    report = run_plan(project / "plan.toml", dry_run=True)
    assert len(report.notes) == 1, "only the baseline has no U"
    assert "exporter: unknown exporter 'U'" in report.notes[0]
    assert report.notes[0].endswith("(table small)")
    assert f"some jobs will fail: {report.notes[0]}" in report.summary()
    ran = run_plan(project / "plan.toml", scheduler="inline", progress=False)
    assert [o.id for o in ran.failed] == ["small_kww-of-U_country"]
    assert ran.notes == report.notes
    assert report.notes[0] in (project / "out" / "run.log").read_text(encoding="utf-8")


def test_a_part_of_a_group_that_acts_as_one_is_no_exporter(project: Path) -> None:
    text = (
        PLAN.format(form="parquet") + 'exporter = "C1"\n[[scenarios]]\nname = "bloc"\ngroups = { U = ["C0", "C1"] }\n'
    )
    tables = 'paths = ["data/*.nc"]\nscenarios = "bloc"'
    found = mistakes(project, text.replace('paths = ["data/*.nc"]', tables))
    assert len(found) == 1
    assert "part of a group that acts as one country here" in found[0]


def test_a_name_that_only_some_tables_have_is_told_and_the_others_run(project: Path) -> None:
    small_table(2001, countries=4).save(project / "data" / "t2001.nc")
    (project / "plan.toml").write_text(PLAN.format(form="parquet") + 'exporter = "C3"\n', encoding="utf-8")
    report = run_plan(project / "plan.toml", scheduler="inline", progress=False)
    assert len(report.notes) == 1
    assert "(table small-t2000, small-t2002)" in report.notes[0]
    assert {o.id for o in report.failed} == {f"small-t{y}_kww-of-C3_country" for y in (2000, 2002)}


def test_jobs_of_tables_whose_labels_are_not_known_fail_before_anything_is_computed(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiva.batch.labels.labels_of", lambda *_, **__: None)
    factorised: list[object] = []
    monkeypatch.setattr(StableModel, "factor", property(lambda self: factorised.append(self)))
    text = PLAN.format(form="parquet").replace('[[methods]]\nmethod = "headline"\n', "") + 'exporter = "CO"\n'
    (project / "plan.toml").write_text(text, encoding="utf-8")
    report = run_plan(project / "plan.toml", scheduler="inline", progress=False)
    assert report.notes == ()
    assert len(report.failed) == 3
    assert all("unknown exporter 'CO'" in o.message for o in report.failed)
    assert factorised == []


@pytest.mark.parametrize(
    "name", ["icio2025_2022_EXT.csv", "icio2025_2022_SML.csv", "ICIO2016_2011.csv", "ICIO2021_2018.csv"]
)
def test_labels_of_icio_are_those_that_are_read(name: str) -> None:
    path = shared(f"formats/fixtures/{name}")
    found, table = labels_of(path), tiva.read(path)
    assert found is not None
    assert set(found.countries) == set(table.countries)
    assert (found.sectors, found.year) == (table.sectors, table.year)


def test_labels_of_archives_and_native_files(tmp_path: Path) -> None:
    table = small_table(2000)
    table.save(tmp_path / "t.nc")
    native = labels_of(tmp_path / "t.nc")
    wiod = labels_of(shared("wiod2013/wiot2011.npz"))
    assert native is not None
    assert (native.countries, native.sectors, native.year) == (table.countries, table.sectors, 2000)
    assert wiod is not None
    assert (len(wiod.countries), len(wiod.sectors), wiod.year) == (41, 35, 2011)
    (tmp_path / "t.nc").write_bytes(b"\x89HDF\r\n\x1a\n")
    assert labels_of(tmp_path / "t.nc") is None
    assert labels_of(tmp_path / "none.csv") is None
    assert labels_of(tmp_path / "t.nc", layout="eora26") is None


def test_labels_of_parsed_tables_of_the_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that was opened before is looked up in what was parsed then, without reading its source again."""
    from tiva.batch import labels as module
    from tiva.batch.jobs import Input, TableSource, digest
    from tiva.readers.cache import cached

    monkeypatch.setenv("TIVA_DATA", str(tmp_path))
    source = tmp_path / "source.xlsx"
    source.write_bytes(b"whatever a slow reader reads")
    table = small_table(2000)
    given = Input(str(source), digest(source))
    entry = TableSource(
        "t", "catalogue", None, (given,), "wiod2013", 2000, None, {}, {}, "none", None, {}, "baseline", (), None
    )
    assert module._labels(entry) is None
    cached(source, {"layout": None, "year": 2000}, tmp_path / "parsed", lambda: table)
    found = module._labels(entry)
    assert found is not None
    assert (found.countries, found.sectors) == (table.countries, table.sectors)
