"""Result folders as readers find them: whole, changed, without a journal, of many levels, by other libraries."""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

import tiva
import tiva.batch
from tests.batch.conftest import PLAN, small_table
from tiva.batch import run_plan
from tiva.batch.journal import JOURNAL_FILE, read_events
from tiva.batch.runner import BatchReport
from tiva.batch.specs import MethodSpec
from tiva.batch.writers import COLUMNS_FILE, KEYS
from tiva.errors import ChecksumError, OutputError, UsageError
from tiva.terms import decomposition_terms, methods

EXACT = 1e-12
"""The same numbers, written and read."""

HEAD = '[output]\nfolder = "out"\nformat = "{form}"\n[[tables]]\nname = "small"\npaths = ["data/t2000.nc"]\n'


def ran(project: Path, methods: str, form: str = "parquet") -> BatchReport:
    (project / "plan.toml").write_text(HEAD.format(form=form) + methods, encoding="utf-8")
    report = run_plan(project / "plan.toml", scheduler="inline", progress=False)
    assert report.exit_code == 0, report.summary()
    return report


LEVELS = """
[[methods]]
method = "bm"
level = ["country", "sector-bilateral"]
[[methods]]
method = "oecd"
level = "sector"
"""


def test_selections_of_one_method_are_results_of_their_own(project: Path) -> None:
    ran(project, '[[methods]]\nmethod = "bm"\nexporter = ["C0"]\n[[methods]]\nmethod = "bm"\nexporter = ["C1", "C2"]\n')
    results = tiva.open_results(project / "out")
    direct = tiva.decompose(small_table(2000))["dva"]
    labels = {"bm-exporter-source-of-C0": ["C0"], "bm-exporter-source-of-C1+C2": ["C1", "C2"]}
    assert list(results["decomposition"].values) == list(labels)
    for label, exporters in labels.items():
        stored = results["dva"].sel(decomposition=label, year=2000)
        np.testing.assert_allclose(stored.sel(exporter=exporters), direct.sel(exporter=exporters), rtol=EXACT)
        assert int(stored.notnull().sum()) == len(exporters)


def test_labels_tell_selections_apart_and_fit_in_file_names() -> None:
    def label(**chosen: tuple[str, ...]) -> str:
        return MethodSpec("bm", "exporter", "source", None, "country", False, **chosen).label  # type: ignore[arg-type]

    assert label() == "bm-exporter-source"
    assert label(exporter=("A",), importer=("B",), sector=("c5",)) == "bm-exporter-source-of-A-to-B-in-c5"
    odd = [label(exporter=names) for names in (("WLD-USA",), ("A|B",), ("A", "B|C"), tuple("ABCDEFGHIJKLMNOPQRSTUVW"))]
    assert len(set(odd)) == len(odd)
    assert all(len(name) < 40 and "|" not in name for name in odd)


def test_one_name_for_two_selections_is_refused(project: Path) -> None:
    text = '[[methods]]\nmethod = "bm"\nname = "mine"\nexporter = ["C0"]\n'
    with pytest.raises(UsageError, match="two jobs have the name"):
        ran(project, text + text.replace("C0", "C1"))


@pytest.mark.parametrize("form", ["parquet", "netcdf", "zarr"])
def test_levels_open_together_and_count_nothing_twice(form: str, project: Path, tmp_path: Path) -> None:
    ran(project, LEVELS, form)
    results = tiva.open_results(project / "out")
    table = small_table(2000)
    bm = results.sel(year=2000, decomposition="bm-exporter-source")
    country, fine = (tiva.decompose(table, level=level) for level in ("country", "sector-bilateral"))
    stored = bm["dva"].sel(level="country", sector="total", importer="total")
    np.testing.assert_allclose(stored, country["dva"], rtol=EXACT)
    inner = bm["dva"].sel(level="sector-bilateral").drop_sel(sector="total", importer="total")
    np.testing.assert_allclose(inner.transpose(*fine["dva"].dims), fine["dva"], rtol=EXACT)
    for level in ("country", "sector-bilateral"):
        summed = bm["gexp"].sel(level=level).sum(["sector", "importer"])
        np.testing.assert_allclose(summed, country["gexp"], rtol=1e-9)
    oecd = tiva.decompose(table, method="oecd", level="sector")
    sector = results["EXGR"].sel(year=2000, level="sector", sector=list(oecd["sector"].values))
    np.testing.assert_allclose(
        sector.sel(decomposition=sector["decomposition"][-1]).squeeze(), oecd["EXGR"], rtol=EXACT
    )
    results.load().to_netcdf(tmp_path / "all.nc", engine="h5netcdf")
    assert set(tiva.open_results(project / "out", level="country").dims) == {"year", "decomposition", "exporter"}
    both = tiva.open_results(project / "out", level=["country", "sector"])
    assert list(both["level"].values) == ["country", "sector"]


def first_file(project: Path) -> Path:
    return next(p for p in sorted((project / "out" / "data").glob("year=20*/*/*")))


@pytest.mark.parametrize("form", ["parquet", "netcdf", "zarr"])
def test_a_result_that_was_changed_is_refused(form: str, project: Path) -> None:
    ran(project, '[[methods]]\nmethod = "headline"\n', form)
    results = tiva.open_results(project / "out")
    victim = first_file(project)
    if victim.is_dir():
        victim = next(p for p in sorted((victim / "dva").rglob("*")) if p.is_file() and p.name != "zarr.json")
    good = victim.read_bytes()
    for at in (len(good) // 3, len(good) - 3):
        victim.write_bytes(good[:at] + bytes([good[at] ^ 255]) + good[at + 1 :])
        with pytest.raises(ChecksumError, match=r"is not what was recorded(.|\n)*run the plan again with resume"):
            tiva.open_results(project / "out")["dva"].load()
        with pytest.raises(ChecksumError):
            results["dva"].load()
    victim.write_bytes(good)
    value = tiva.decompose(small_table(2000), method="headline")["dva"]
    np.testing.assert_allclose(results["dva"].squeeze(), value, rtol=EXACT)
    victim.write_bytes(good[:-1])
    with pytest.raises(ChecksumError):
        tiva.open_results(project / "out")
    victim.unlink()
    with pytest.raises(ChecksumError):
        results["gexp"].load()


def test_a_file_is_verified_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tiva.batch import results as module
    from tiva.batch.writers import checksum

    ran(project, '[[methods]]\nmethod = "headline"\n')
    hashed: list[Path] = []

    def noting(path: Path) -> str:
        hashed.append(path)
        return checksum(path)

    monkeypatch.setattr(module, "checksum", noting)
    results = tiva.open_results(project / "out")
    assert hashed == []
    results["dva"].isel(exporter=0).load()
    results["dva"].isel(exporter=1).load()
    assert len(hashed) == 1


@pytest.mark.parametrize("text", ["", '{"jobs": [', "[]", "{}", '{"jobs": [3]}', "\x00" * 20])
def test_a_broken_manifest_is_told(text: str, project: Path) -> None:
    ran(project, '[[methods]]\nmethod = "headline"\n')
    (project / "out" / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(OutputError, match="run the plan again"):
        tiva.open_results(project / "out")
    assert len(ran(project, '[[methods]]\nmethod = "headline"\n').skipped) == 1
    assert "dva" in tiva.open_results(project / "out")


def test_the_manifest_is_enough_to_open_results(project: Path) -> None:
    ran(project, '[[methods]]\nmethod = "headline"\n')
    before = tiva.open_results(project / "out").load()
    (project / "out" / JOURNAL_FILE).unlink()
    assert before.identical(tiva.open_results(project / "out").load())


BAD_LINES = [
    '{"event":"end"}', '{"event":"run"}', '{"event":"run","threads":"x"}', '{"event":"begin"}', "{}", "[1]", "no json",
    '{"event":"end","id":"x","key":"k","status":"ok","path":"../../x"}', "[" * 100_000,
    '{"event":"end","id":"x","key":"k","status":"ok","path":"data/x","size":"big"}',
]  # fmt: skip


def test_bad_lines_of_the_journal_count_as_absent(project: Path) -> None:
    ran(project, LEVELS)
    journal = project / "out" / JOURNAL_FILE
    lines = journal.read_text(encoding="utf-8").splitlines()
    events = read_events(project / "out")
    for bad in BAD_LINES:
        journal.write_text("\n".join([lines[0], bad, *lines[1:], bad, ""]), encoding="utf-8")
        assert read_events(project / "out") == events
    journal.write_text("\n".join(x for bad in BAD_LINES for x in (bad, *lines)) + "\n", encoding="utf-8")
    assert len(ran(project, LEVELS).skipped) == 3


def test_data_sets_lose_no_column_of_any_method(project: Path) -> None:
    import pandas as pd
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    ran(project, LEVELS)
    data = project / "out" / "data"
    of_methods: dict[str, set[tuple[str, ...]]] = {}
    for file in data.glob("year=20*/*/*.parquet"):
        of_methods.setdefault(file.parent.name, set()).add(tuple(pq.read_schema(file).names))
    assert len(of_methods) > 1
    assert all(len(columns) == 1 for columns in of_methods.values()), "files of a method have the same columns"
    every = pq.read_schema(data / COLUMNS_FILE)
    assert all(set(names) <= set(every.names) for columns in of_methods.values() for names in columns)
    assert ds.dataset(data).files[0].endswith(COLUMNS_FILE), "readers take the columns of the first file"
    arrow = ds.dataset(project / "out" / "data", partitioning="hive").to_table().to_pandas()
    frames = [arrow, pd.read_parquet(project / "out" / "data")]
    fine = tiva.decompose(small_table(2000), level="sector-bilateral")["dva"].to_series()
    sectors = tiva.decompose(small_table(2000), method="oecd", level="sector")["EXGR"].to_series()
    for frame in frames:
        keyed = frame[frame["level"] == "sector-bilateral"].astype(dict.fromkeys(fine.index.names, str))
        got = keyed.set_index(fine.index.names)["dva"].loc[fine.index]
        np.testing.assert_allclose(got, fine, rtol=EXACT)
        keyed = frame[frame["level"] == "sector"].astype(dict.fromkeys(sectors.index.names, str))
        assert keyed["importer"].isna().all() or "importer" in sectors.index.names
        np.testing.assert_allclose(keyed.set_index(sectors.index.names)["EXGR"].loc[sectors.index], sectors, rtol=EXACT)


def test_the_file_of_columns_is_kept_whole(project: Path) -> None:
    ran(project, LEVELS)
    columns = project / "out" / "data" / COLUMNS_FILE
    good = columns.read_bytes()
    columns.write_bytes(good[:-5])
    assert len(ran(project, LEVELS).skipped) == 3
    assert columns.read_bytes() == good
    text = HEAD.format(form="netcdf") + LEVELS
    (project / "plan.toml").write_text(text, encoding="utf-8")
    run_plan(project / "plan.toml", scheduler="inline", progress=False)
    assert not columns.parent.parent.exists()


def test_polars_reads_the_data_set(project: Path) -> None:
    pl = pytest.importorskip("polars")
    ran(project, LEVELS)
    files = project / "out" / "data" / "**" / "*.parquet"
    with pytest.raises(pl.exceptions.PolarsError, match="missing_columns='insert'"):
        pl.read_parquet(files, hive_partitioning=True)
    frame = pl.read_parquet(files, hive_partitioning=True, missing_columns="insert")
    assert set(frame["year"]) == {2000}
    country = tiva.decompose(small_table(2000))["dva"]
    got = frame.filter((pl.col("level") == "country") & (pl.col("spec") == "bm-exporter-source"))["dva"].to_list()
    np.testing.assert_allclose(got, country, rtol=EXACT)


def test_the_catalogue_knows_every_column_of_every_method() -> None:
    table = small_table(2000)
    for row in methods():
        result = tiva.decompose(
            table,
            row.method,
            perspective=row.perspective or None,
            approach=row.approach or None,
            perimeter=row.perimeter or None,
            level=row.levels[-1],
            detail=bool(row.detail_terms),
        )
        assert set(map(str, result.dims)) <= set(KEYS)
        assert set(map(str, result.data_vars)) <= set(decomposition_terms())


def test_failures_of_one_kind_are_told_once(project: Path) -> None:
    (project / "data" / "t2002.nc").write_bytes(b"no table")
    (project / "plan.toml").write_text(PLAN.format(form="parquet"), encoding="utf-8")
    summary = run_plan(project / "plan.toml", scheduler="inline", progress=False).summary()
    assert summary.count("failed: ") == 1
    assert "(2 jobs, small-t2002_headline-exporter_country, small-t2002_kww_country)" in summary
    assert json.loads((project / "out" / "manifest.json").read_text(encoding="utf-8"))["run"]["seconds"] > 0


def test_warnings_are_shown_with_the_jobs_they_are_about(project: Path) -> None:
    text = HEAD.format(form="parquet").replace("[output]", '[run]\nbackend = "cupy"\n[output]')
    (project / "plan.toml").write_text(text + '[[methods]]\nmethod = "kww"\n', encoding="utf-8")
    report = run_plan(project / "plan.toml", scheduler="inline", progress=False)
    if not report.outcomes[0].warnings:
        pytest.skip("this machine has CuPy and a device")
    assert "warning (small_kww_country): BackendFallbackWarning" in report.summary()


def test_the_manifest_says_what_decided_each_result(project: Path) -> None:
    for name in ("example_margins.csv", "example_sector_map.csv"):
        text = resources.files("tiva.data").joinpath(name).read_text(encoding="utf-8")
        (project / name).write_text(text, encoding="utf-8")
    (project / "plan.toml").write_text(
        '[output]\nfolder = "out"\n[[tables]]\nexample = true\n[[methods]]\nmethod = "headline"\n'
        '[[margins]]\nname = "facts"\npath = "example_margins.csv"\nsector_map = "example_sector_map.csv"\n'
        'theta = 0.25\n[[scenarios]]\nname = "bloc"\ngroups = { NAF = ["CAN", "MEX", "USA"] }\n',
        encoding="utf-8",
    )
    run_plan(project / "plan.toml", scheduler="inline", progress=False)
    manifest = json.loads((project / "out" / "manifest.json").read_text(encoding="utf-8"))
    jobs = {(j["labels"]["scenario"], j["labels"]["margins"]): j["options"] for j in manifest["jobs"]}
    options = jobs["bloc", "facts"]
    assert options["margins"]["split"] == {"theta": 0.25}
    assert options["margins"]["files"] == {"source": "example_margins.csv", "sector_map": "example_sector_map.csv"}
    assert options["scenario"] == [{"name": "bloc", "groups": {"NAF": ["CAN", "MEX", "USA"]}}]
    assert (options["table"]["kind"], options["backend"], options["satellite"]) == ("example", None, None)
    assert jobs["baseline", "none"]["margins"] is None
    digest = hashlib.sha256(resources.files("tiva.data").joinpath("example_wiod2011.nc").read_bytes()).hexdigest()
    assert {"path": "tiva/data/example_wiod2011.nc", "sha256": digest} in manifest["inputs"]


def test_the_results_of_the_example_plan_open_as_the_page_says(tmp_path: Path) -> None:
    run_plan(out=tmp_path / "out", scheduler="inline", progress=False)
    results = tiva.open_results(tmp_path / "out")
    dva = results["dva"].sel(level="country", sector="total", importer="total", scenario="baseline", exporter="MEX")
    expected = tiva.decompose(tiva.example(), exporter="MEX")["dva"].item()
    assert dva.sel(decomposition="bm-exporter-source").item() == pytest.approx(expected, rel=EXACT)
    assert results["discrepancy"].load().notnull().any()
    cube = tiva.batch.open_cube(tmp_path / "out" / "cubes" / "example_content.zarr")["value"]
    content = tiva.batch.open_cube(tmp_path / "out" / "cubes" / "example_content.zarr")["value"].sum()
    parts = [cube.isel(origin_row=(cube["origin"] == c).values).sum() for c in set(cube["origin"].values)]
    assert float(sum(parts)) == pytest.approx(float(content), rel=1e-9)
    assert set(cube.isel(row=(cube["exporter"] == "MEX").values)["exporter"].values) == {"MEX"}
    assert cube.sel(importer="USA").dims == ("origin_row", "row")
