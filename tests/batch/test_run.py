from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import tiva
from tests.batch.conftest import PLAN, contents, small_table
from tests.paths import shared
from tiva.batch import costs, describe, run_plan
from tiva.batch.execute import Outcome
from tiva.batch.jobs import expand
from tiva.batch.plan import parse_plan, read_plan
from tiva.batch.scenarios import StableModel, apply_scenario
from tiva.batch.settings import evened, fitting, layout_of, settle
from tiva.errors import OutputError, PartialResultsWarning, PlanError, PlanWarning, UnknownLabelError, UsageError
from tiva.terms import LEVELS

EXACT = 1e-12
"""One BLAS thread or several change the last digits only."""


def inline(plan: Path, **options: object) -> tiva.batch.BatchReport:
    return run_plan(plan, scheduler="inline", progress=False, **options)  # type: ignore[arg-type]


def manifest(folder: Path) -> dict[str, object]:
    values: dict[str, object] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return values


@pytest.mark.parametrize("form", ["parquet", "netcdf", "zarr"])
def test_results_are_those_of_decompose_in_every_format(form: str, project: Path) -> None:
    (project / "plan.toml").write_text(PLAN.format(form=form), encoding="utf-8")
    report = inline(project / "plan.toml")
    assert report.exit_code == 0
    assert len(report.outcomes) == 6
    results = tiva.open_results(project / "out")
    assert dict(results.sizes)["year"] == 3
    for year in (2000, 2001, 2002):
        for method, label in (("headline", "headline-exporter"), ("kww", "kww")):
            direct = tiva.decompose(small_table(year), method=method)
            stored = results.sel(year=year, decomposition=label)
            for name in direct.data_vars:
                np.testing.assert_allclose(stored[name], direct[name], rtol=EXACT, atol=EXACT)


def test_entries_that_overlap_are_in_the_manifest(project: Path) -> None:
    text = (project / "plan.toml").read_text()
    inline(project / "plan.toml")
    assert manifest(project / "out")["plan"]["notes"] == []  # type: ignore[index]
    entry = '[[methods]]\nmethod = "bm"\n'
    (project / "plan.toml").write_text(f'{text}{entry}{entry}level = ["country", "sector"]\n')
    with pytest.warns(PlanWarning, match="bm-exporter-source at level country"):
        report = inline(project / "plan.toml")
    assert (len(report.outcomes), len(report.skipped)) == (12, 6)
    (note,) = manifest(project / "out")["plan"]["notes"]  # type: ignore[index]
    said = "14:1: bm-exporter-source at level country: asked for before, in the entry at line 12; computed once"
    assert note == said


def test_numbers_are_read_when_they_are_asked_for(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet as pq

    inline(project / "plan.toml")
    read: list[str] = []
    original = pq.read_table

    def noting(path: Path, **options: object) -> object:
        read.append(Path(path).name)
        return original(path, **options)

    monkeypatch.setattr(pq, "read_table", noting)
    results = tiva.open_results(project / "out")
    assert read == []
    value = float(results["gexp"].sel(year=2001, decomposition="headline-exporter", exporter="C1"))
    assert read == ["small-t2001_headline-exporter_country.parquet"]
    assert value == pytest.approx(float(tiva.decompose(small_table(2001), method="headline")["gexp"][1]), rel=EXACT)
    picked = results["gexp"].isel(year=[2, 0], decomposition=0, exporter=slice(None, None, -1))
    xr.testing.assert_identical(picked.load(), results["gexp"].load().isel(year=[2, 0], decomposition=0)[:, ::-1])


def test_what_a_method_does_not_have_is_missing_not_zero(project: Path) -> None:
    inline(project / "plan.toml")
    results = tiva.open_results(project / "out")
    assert "davax" in results
    assert np.isnan(results["davax"].sel(decomposition="kww")).all()
    assert "decomposition" not in tiva.open_results(project / "out", method="kww")["gexp"].attrs


def test_the_parquet_folder_is_a_data_set_by_year_and_method(project: Path) -> None:
    import pyarrow.dataset as ds

    inline(project / "plan.toml")
    table = ds.dataset(project / "out" / "data", partitioning="hive").to_table(filter=ds.field("year") == 2001)
    assert set(table.column("method").to_pylist()) == {"headline", "kww"}
    assert set(table.column("level").to_pylist()) == {"country"}


def test_manifest_and_log_tell_what_happened(project: Path) -> None:
    report = inline(project / "plan.toml")
    values = manifest(project / "out")
    assert values["status"] == "complete"
    assert values["counts"] == {"ok": 6}
    files = contents(project / "out")
    jobs = values["jobs"]
    assert isinstance(jobs, list)
    for job in jobs:
        assert files[job["path"]] == job["sha256"]
        assert job["seconds"] >= 0
        assert job["peak_bytes"] > 1 << 20
        assert job["identity_residual"] < 1e-9
    inputs = values["inputs"]
    assert isinstance(inputs, list)
    assert {Path(i["path"]).name for i in inputs} == {"t2000.nc", "t2001.nc", "t2002.nc"}
    assert "small-t2000_kww_country" in (project / "out" / "run.log").read_text(encoding="utf-8")
    assert "6 done, 0 unchanged" in report.summary()


def test_the_manifest_says_what_share_of_gross_flows_is_in_no_term(project: Path) -> None:
    from tests.tables import Oddities, random_table

    netted = random_table(61, 4, 3, Oddities(netted=(7,))).replace(year=2000)
    netted.save(project / "data" / "t2000.nc")
    plan = project / "plan.toml"
    plan.write_text(
        plan.read_text(encoding="utf-8") + 'level = "country"\n[[methods]]\nmethod = "bm"\nlevel = "bilateral"\n'
    )
    report = inline(plan)
    found = {str(job["id"]): job["discrepancy_share"] for job in manifest(project / "out")["jobs"]}  # type: ignore[attr-defined]
    share = tiva.decompose(netted, level="bilateral").attrs["discrepancy_share"]
    assert share > 0
    assert {name for name, value in found.items() if value} == {"small-t2000_bm-exporter-source_bilateral"}
    assert found["small-t2000_bm-exporter-source_bilateral"] == pytest.approx(share)
    assert f"largest discrepancy: {share:.1e} of gross flows" in report.summary()


def test_a_country_alone_and_in_a_group_is_refused_and_nothing_is_written(project: Path) -> None:
    text = (project / "plan.toml").read_text(encoding="utf-8")
    chosen = '[[methods]]\nmethod = "bm"\nexporter = ["WLD-C0", "C1"]\n'
    (project / "plan.toml").write_text(text + chosen, encoding="utf-8")
    report = inline(project / "plan.toml")
    failed = [o for o in report.outcomes if o.status == "failed"]
    assert len(failed) == 3
    assert all("exporter 'C1' appears both alone and in a group" in str(o.message) for o in failed)
    assert not [name for name in contents(project / "out") if "bm" in name]


def test_unchanged_jobs_are_skipped_and_changed_ones_are_not(project: Path) -> None:
    inline(project / "plan.toml")
    before = contents(project / "out")
    assert len(inline(project / "plan.toml").skipped) == 6
    small_table(2001, seed=7).save(project / "data" / "t2001.nc")
    report = inline(project / "plan.toml")
    assert sorted(report.skipped) == sorted(o.id for o in report.outcomes if "t2001" not in o.id)
    after = contents(project / "out")
    assert {k for k in before if before[k] != after[k]} == {k for k in before if "t2001" in k}
    assert len(inline(project / "plan.toml", resume=False).skipped) == 0
    assert contents(project / "out") == after


def test_results_that_left_the_plan_are_removed(project: Path) -> None:
    inline(project / "plan.toml")
    text = (project / "plan.toml").read_text(encoding="utf-8")
    (project / "plan.toml").write_text(text.replace('[[methods]]\nmethod = "kww"\n', ""), encoding="utf-8")
    assert len(inline(project / "plan.toml").skipped) == 3
    assert all("headline" in name for name in contents(project / "out"))
    assert len(contents(project / "out")) == 3


def test_a_changed_result_is_made_again(project: Path) -> None:
    inline(project / "plan.toml")
    before = contents(project / "out")
    victim = project / "out" / next(iter(before))
    victim.write_bytes(victim.read_bytes()[:-1])
    assert len(inline(project / "plan.toml").skipped) == 5
    assert contents(project / "out") == before


def test_a_dry_run_lists_jobs_and_writes_nothing(project: Path) -> None:
    text = describe(project / "plan.toml")
    assert "6 jobs on 3 tables" in text
    assert "estimate: " in text
    assert text.count("to do") == 6
    assert not (project / "out").exists()
    assert "data/year=(as read)/method=kww/small-t2000_kww_country.parquet" in text
    inline(project / "plan.toml")
    again = describe(project / "plan.toml")
    assert again.count("unchanged ") == 6
    assert "estimate: 0 s; " in again


def test_a_dry_run_knows_the_year_of_the_example(project: Path) -> None:
    (project / "plan.toml").write_text('[[tables]]\nexample = true\n[[methods]]\nmethod = "kww"\n', encoding="utf-8")
    assert f"-> data/year={tiva.example().year}/method=kww/example_kww_country.parquet" in describe(
        project / "plan.toml"
    )


def test_a_folder_with_other_files_is_refused(project: Path) -> None:
    (project / "out").mkdir()
    (project / "out" / "thesis.tex").touch()
    with pytest.raises(OutputError, match="holds other files"):
        inline(project / "plan.toml")


def test_opening_refuses_what_is_not_there(project: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no results"):
        tiva.open_results(project / "out")
    inline(project / "plan.toml")
    with pytest.raises(UnknownLabelError, match="unknown level"):
        tiva.open_results(project / "out", level="sector")
    with pytest.raises(UnknownLabelError, match="did you mean 'kww'"):
        tiva.open_results(project / "out", method="kw")


def test_a_job_that_needs_more_memory_than_allowed_is_refused(project: Path) -> None:
    report = inline(project / "plan.toml", memory="100MB")
    assert {o.status for o in report.outcomes} == {"refused"}
    assert report.exit_code == 1
    assert "allowed is 100.0 MB" in report.summary()


def test_progress_can_be_a_function(project: Path) -> None:
    seen: list[tuple[int, int]] = []

    def note(done: int, total: int, outcome: Outcome) -> None:
        assert outcome.status == "ok"
        seen.append((done, total))

    run_plan(project / "plan.toml", scheduler="inline", progress=note)
    assert seen == [(i, 6) for i in range(1, 7)]


def test_plain_lines_where_there_is_no_terminal(project: Path) -> None:
    code = f"import tiva.batch; tiva.batch.run_plan({str(project / 'plan.toml')!r}, scheduler='inline')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0].startswith("run: 6 jobs, 0 unchanged")
    assert len(lines) == 1 + 6
    assert "\x1b" not in done.stderr


def test_bits_do_not_depend_on_what_was_asked_for_first() -> None:
    first, second = StableModel(small_table(2000)), StableModel(small_table(2000))
    _ = first.inverse
    first.expect_inverse()
    for a, b in zip(first.inverse_diagonal_blocks, second.inverse_diagonal_blocks, strict=True):
        assert (a == b).all()


def test_demand_scenario_against_explicit_inverse(project: Path) -> None:
    table = small_table(2000)
    text = (
        '[[tables]]\nexample = true\n[[methods]]\nmethod = "kww"\n[[scenarios]]\nname = "shock"\n'
        'final_demand = [{ seller = "C1", sector = "s0", absorber = "C2", factor = 0.5 }]\n'
    )
    shocked = apply_scenario(table, parse_plan(text, project / "p.toml").scenarios[0])
    final = table.final_demand_by_absorber.copy()
    final[2, 2] *= 0.5
    coefficients = table.intermediate / table.output
    output = np.linalg.inv(np.eye(6) - coefficients) @ final.sum(axis=1)
    np.testing.assert_allclose(shocked.output, output, rtol=EXACT)
    np.testing.assert_allclose(shocked.intermediate, coefficients * output, rtol=EXACT)
    np.testing.assert_allclose(shocked.value_added / output, table.value_added / table.output, rtol=EXACT)
    assert shocked.check().ok


def test_scenarios_with_groups_and_aggregation_and_margins_axis(project: Path) -> None:
    text = PLAN.format(form="parquet").replace("data/*.nc", "data/t2000.nc") + (
        '[[scenarios]]\nname = "union"\ngroups = { U = ["C0", "C1"] }\n'
        '[[scenarios]]\nname = "one-sector"\nbased_on = "union"\naggregate_sectors = { all = ["s0", "s1"] }\n'
    )
    (project / "plan.toml").write_text(text, encoding="utf-8")
    assert inline(project / "plan.toml").exit_code == 0
    results = tiva.open_results(project / "out", method="kww")
    assert list(results["scenario"].values) == ["baseline", "union", "one-sector"]
    direct = tiva.decompose(small_table(2000), method="kww", groups={"U": ["C0", "C1"]})
    stored = results["gexp"].sel(scenario="union", exporter="U").item()
    assert stored == pytest.approx(direct["gexp"].sel(exporter="U").item(), rel=EXACT)


def test_partial_results_are_announced(project: Path) -> None:
    (project / "data" / "t2002.nc").write_bytes(b"no table")
    report = inline(project / "plan.toml")
    assert report.exit_code == 1
    assert len(report.failed) == 2
    assert manifest(project / "out")["status"] == "incomplete"
    with pytest.warns(PartialResultsWarning, match="2 of 6 results are missing"):
        results = tiva.open_results(project / "out")
    assert list(results["year"].values) == [2000, 2001]


def test_time_limits_mean_nothing_inline(project: Path) -> None:
    with pytest.raises(UsageError, match="no job can be ended inline"):
        inline(project / "plan.toml", timeout=5)
    assert not (project / "out").exists()
    text = (project / "plan.toml").read_text(encoding="utf-8")
    (project / "plan.toml").write_text("[run]\ntimeout = 1e-9\n" + text.replace("version = 1\n", ""), encoding="utf-8")
    report = inline(project / "plan.toml")
    assert report.exit_code == 0
    assert report.layout.reason.endswith("the plan's limit of 1e-09 s does not hold inline")
    assert manifest(project / "out")["run"]["timeout_seconds"] is None  # type: ignore[index]
    for limit in (float("nan"), float("inf"), 0.0):
        with pytest.raises(UsageError, match="a time limit more than 0"):
            run_plan(project / "plan.toml", timeout=limit, dry_run=True)


def test_workers_of_dask_have_room_for_dask_and_the_largest_group(project: Path) -> None:
    plan, options = read_plan(project / "plan.toml"), {"workers": None, "timeout": None, "memory": None}
    groups = expand(plan)
    largest = max(g.cost.memory for g in groups)
    for scheduler in ("slurm", "tcp://10.0.0.1:8786"):
        settings = settle(plan, groups, scheduler=scheduler, **options | {"workers": 100})  # type: ignore[arg-type]
        layout = layout_of(groups, settings)
        assert layout.workers == len(groups)
        assert settings.memory // layout.workers * 0.95 > largest + (100 << 20)
    few = settle(plan, groups, scheduler="local", **options | {"memory": 2 * largest})  # type: ignore[arg-type]
    assert layout_of(groups, few).workers == 1


def test_sizes_of_memory() -> None:
    assert costs.parse_bytes("8GB") == 8 << 30
    assert costs.parse_bytes("1.5 GiB") == 3 << 29
    assert costs.format_bytes(3 << 29) == "1.5 GB"
    with pytest.raises(UsageError, match="not a size"):
        costs.parse_bytes("0GB")


def test_tables_with_bands_need_more_memory() -> None:
    plain, banded = (costs.estimate(3465, [1.0], banded=b, rate=1e9)[0].memory for b in (False, True))
    assert banded - plain == 3 * 8 * 3465**2


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a job is known on Linux")
@pytest.mark.slow
def test_memory_is_estimated_within_a_factor_of_two(tmp_path: Path) -> None:
    table = shared("wiod2013/wiot2011.npz")
    assert costs.size_of(table) == (1435, 41)
    (tmp_path / "plan.toml").write_text(
        f'[output]\nfolder = "out"\n[[tables]]\npaths = ["{table}"]\n'
        '[[methods]]\nmethod = "bm"\nlevel = "sector-bilateral"\n'
        '[[methods]]\nmethod = "wwz_third"\nlevel = "bilateral"\n',
        encoding="utf-8",
    )
    report = run_plan(tmp_path / "plan.toml", workers=1, progress=False)
    assert report.exit_code == 0, report.summary()
    ratio = max(o.peak_bytes for o in report.outcomes) / report.groups[0].cost.memory
    assert 0.5 < ratio < 2.0


def test_sizes_of_tables_are_read_from_headers(tmp_path: Path) -> None:
    table = small_table(2000, countries=4, sectors=3)
    table.save(tmp_path / "t.nc")
    assert costs.size_of(tmp_path / "t.nc") == (12, 4)
    assert costs.size_of(tmp_path) == (12, 4)
    (tmp_path / "t.csv").write_bytes(b"x" * 9 * 400 * 400)
    assert costs.size_of(tmp_path / "t.csv") == (400, 20)
    assert costs.size_of(tmp_path / "none.npz") == (1, 1)


def test_what_is_written_counts_in_estimates() -> None:
    cells = {level: costs.result_cells("bm", level, 120, 10) for level in LEVELS}
    assert cells == {"country": 10, "sector": 120, "bilateral": 100, "sector-bilateral": 1200}
    assert costs.result_cells("wwz_third", "sector-bilateral", 120, 10) == 12_000
    small, large = (costs.estimate(1000, [c], rate=1e10)[0] for c in (1e3, 1e7))
    assert large.seconds - small.seconds == pytest.approx(3.0, rel=1e-3)
    assert large.memory - small.memory == pytest.approx(8e8, rel=1e-3)
    text, book = (costs.estimate(1000, [], workbook=w, rate=1e10)[0] for w in (False, True))
    assert book.seconds == book.shared > 2 * text.seconds


def test_layouts_follow_cores_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "cores", lambda: 4)
    small = [(300, costs.estimate(300, [1.0] * 3, rate=1e9)[0], 3) for _ in range(12)]
    large = [(9800, costs.estimate(9800, [1.0] * 3, rate=1e10)[0], 3) for _ in range(4)]
    many = [(2000, costs.estimate(2000, [1.0] * 6, rate=1e9)[0], 6) for _ in range(12)]
    assert costs.choose_layout(large, 0, 6 << 30).workers == 1
    assert costs.choose_layout(large, 0, 6 << 30).threads == 4
    assert costs.choose_layout(many, 0, 64 << 30).workers == 4
    assert costs.choose_layout(many, 0, 64 << 30).threads == 1
    assert costs.choose_layout(many, 0, 2 << 30).workers == 4
    assert costs.choose_layout(small, 3, 64 << 30).workers == 3
    single = [(1435, costs.estimate(1435, [6e4] * 40, rate=5e10)[0], 40)]
    assert [costs.choose_layout(single, w, 64 << 30).workers for w in (0, 3, 9)] == [4, 3, 9]
    lone_job = [(1435, costs.estimate(1435, [6e4], rate=5e10)[0], 1)]
    assert [costs.choose_layout(lone_job, w, 64 << 30).workers for w in (0, 3, 9)] == [1, 1, 1]
    assert [costs.choose_layout(g, 1, 64 << 30).threads for g in (single, many, large)] == [1, 4, 4]
    monkeypatch.setattr(costs, "cores", lambda: 1)
    lone = costs.choose_layout(many, 0, 64 << 30)
    assert (lone.workers, lone.threads) == (1, 1)
    assert "one processor" in lone.reason


def test_what_is_left_over_is_cut_so_that_all_workers_end_together() -> None:
    even, short = costs.Estimate(4.0, 1, 0.5), costs.Estimate(1.0, 1, 0.5)
    assert costs.cuts([(even, 20)] * 4, 2) == [1, 1, 1, 1]
    assert costs.cuts([(even, 20)] * 5, 2).count(2) == 1
    assert costs.cuts([(even, 20)] * 2, 3) == [3, 3]
    assert costs.cuts([(even, 20)], 4) == [4]
    assert costs.cuts([(even, 3)], 4) == [1]  # too few jobs to read the table twice
    assert costs.cuts([(even, 20), (short, 20), (even, 20)], 2) == [1, 2, 1]
    assert costs.cuts([(costs.Estimate(4.0, 1, 4.0), 20)], 4) == [1]  # all of it is reading
    assert costs.cuts([], 3) == []


def test_parts_have_every_job_once(project: Path) -> None:
    groups = expand(read_plan(project / "plan.toml"))
    jobs = sorted(job.id for group in groups for job in group.jobs)
    for workers in range(1, 9):
        parts = evened(groups, workers)
        assert sorted(job.id for part in parts for job in part.jobs) == jobs
        assert [p.cost.seconds for p in parts] == sorted((p.cost.seconds for p in parts), reverse=True)
        assert all(part.jobs for part in parts)
        assert len({part.source.name for part in parts}) == len(groups)


def test_a_table_is_not_cut_where_memory_takes_one_process_at_a_time(project: Path) -> None:
    groups = expand(read_plan(project / "plan.toml"))
    largest = max(g.cost.memory for g in groups)
    assert [fitting(groups, m) for m in (1, largest, 2 * largest, 5 * largest)] == [1, 1, 2, 5]
    assert len(evened(groups, fitting(groups, largest))) == len(groups)


def test_parts_take_about_the_same_time() -> None:
    text = '[output]\nfolder = "o"\n[[tables]]\nexample = true\n[[methods]]\nmethod = "bm"\n'
    source = expand(parse_plan(text, Path("plan.toml")))[0]
    seconds = [0.1] * 10 + [1.4] + [0.1] * 2
    jobs = tuple(replace(source.jobs[0], id=f"j{k}", seconds=s) for k, s in enumerate(seconds))
    group = replace(source, jobs=jobs, cost=costs.Estimate(0.3 + sum(seconds), 1, 0.3))
    parts = evened([group], 2)
    assert [[job.id for job in part.jobs][:2] for part in parts] == [["j10", "j11"], ["j0", "j1"]]
    assert [part.cost.seconds for part in parts] == pytest.approx([1.9, 1.3])


def test_margins_split_the_table(project: Path) -> None:
    from importlib import resources

    for name in ("example_margins.csv", "example_sector_map.csv"):
        text = resources.files("tiva.data").joinpath(name).read_text(encoding="utf-8")
        (project / name).write_text(text, encoding="utf-8")
    (project / "plan.toml").write_text(
        '[output]\nfolder = "out"\n[[tables]]\nexample = true\n[[methods]]\nmethod = "headline"\n'
        '[[margins]]\nname = "published"\npath = "example_margins.csv"\nsector_map = "example_sector_map.csv"\n',
        encoding="utf-8",
    )
    report = inline(project / "plan.toml")
    assert report.exit_code == 0, report.summary()
    results = tiva.open_results(project / "out")["gexp"]
    plain, split = results.sel(margins="none").load(), results.sel(margins="published").load()
    np.testing.assert_allclose(split.sum("size"), plain.sel(size="total"), rtol=1e-9)
    assert bool(plain.drop_sel(size="total").isnull().all())
    assert bool(split.sel(size="total").isnull().all())
    changed = (project / "example_sector_map.csv").read_text(encoding="utf-8")
    (project / "example_sector_map.csv").write_text(changed + "\n", encoding="utf-8")
    assert inline(project / "plan.toml").skipped == ("example_headline-exporter_country",)


SATELLITES = """
[[methods]]
method = "bm"
level = "sector"
satellite = ["none", "jobs"]
[[satellites]]
name = "jobs"
path = "jobs.csv"
unit = "persons"
[[scenarios]]
name = "shock"
final_demand = [{ seller = "C1", sector = "s0", absorber = "C2", factor = 0.5 }]
"""


def test_satellites_take_the_place_of_value_added_and_follow_output(project: Path) -> None:
    text = PLAN.format(form="parquet").replace("data/*.nc", "data/t2000.nc")
    (project / "plan.toml").write_text(text + SATELLITES, encoding="utf-8")
    table = small_table(2000)
    jobs = np.arange(1.0, 7.0)
    lines = [f"{c},{s},{jobs[2 * i + j]}" for i, c in enumerate(table.countries) for j, s in enumerate(table.sectors)]
    (project / "jobs.csv").write_text("country,sector,value\n" + "\n".join(lines) + "\n", encoding="utf-8")
    report = inline(project / "plan.toml")
    assert report.exit_code == 0, report.summary()
    assert len(report.outcomes) == 2 * 4
    results = tiva.open_results(project / "out", method="bm-exporter-source-jobs")
    shocked = apply_scenario(table, parse_plan(text + SATELLITES, project / "plan.toml").scenarios[0])
    cases = [("baseline", table, jobs), ("shock", shocked, jobs * shocked.output / table.output)]
    for scenario, source, satellite in cases:
        direct = tiva.decompose(source, level="sector", satellite=satellite)
        stored = results.sel(scenario=scenario)
        for name in ("dva", "fva", "content"):
            np.testing.assert_allclose(stored[name].squeeze(), direct[name], rtol=EXACT, atol=EXACT)
    inputs = [Path(i["path"]).name for i in manifest(project / "out")["inputs"]]  # type: ignore[attr-defined]
    assert sorted(inputs) == ["jobs.csv", "t2000.nc"]
    (project / "jobs.csv").write_text("country,sector,value\n" + "\n".join(lines[:-1]) + "\n", encoding="utf-8")
    again = inline(project / "plan.toml")
    assert len(again.skipped) == 6
    assert all("the satellite lacks 1 of 6" in o.message for o in again.failed)
    assert len(again.failed) == 2


def test_satellites_of_plans_are_checked(project: Path) -> None:
    text = PLAN.format(form="parquet") + 'satellite = "job"\n[[satellites]]\nname = "jobs"\npath = "none.csv"\n'
    with pytest.raises(PlanError) as caught:
        parse_plan(text, project / "plan.toml")
    assert any("unknown satellite 'job'; did you mean 'jobs'?" in p for p in caught.value.problems)
    assert any("no such file" in p for p in caught.value.problems)


BACKEND = 1e-9
"""LU by another library, and diagonal blocks from the inverse: the last digits of well-conditioned systems."""


def test_a_backend_gives_the_same_results_under_keys_of_its_own(project: Path) -> None:
    """The path of a GPU, with NumPy as its array library."""
    inline(project / "plan.toml")
    plain = tiva.open_results(project / "out").load()
    text = (project / "plan.toml").read_text(encoding="utf-8")
    (project / "plan.toml").write_text("[run]\nbackend = 'numpy'\n" + text.replace("version = 1", ""), encoding="utf-8")
    report = inline(project / "plan.toml")
    assert report.exit_code == 0
    assert report.skipped == ()
    assert {job["options"]["backend"] for job in manifest(project / "out")["jobs"]} == {"numpy"}  # type: ignore[attr-defined]
    on_backend = tiva.open_results(project / "out").load()
    xr.testing.assert_allclose(plain, on_backend, rtol=BACKEND, atol=BACKEND)


def test_tables_of_the_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was taken in by hand is read, hashed as an input, and known the next time."""
    import zipfile

    from data_fetch.local import add

    workbook = shared("formats/fixtures/wiot11_row_sep12.xlsx")
    monkeypatch.setenv("TIVA_DATA", str(tmp_path / "store"))
    monkeypatch.setenv("TIVA_OFFLINE", "1")
    (tmp_path / "plan.toml").write_text(
        '[output]\nfolder = "out"\n[[tables]]\ncatalogue = "wiod2013"\nyears = 2011\n[[methods]]\nmethod = "kww"\n',
        encoding="utf-8",
    )
    report = inline(tmp_path / "plan.toml")
    assert [o.id for o in report.failed] == ["wiod2013_2011_kww_country"]
    assert "is not here, and the network may not be used" in report.failed[0].message
    with zipfile.ZipFile(tmp_path / "WIOTS_in_EXCEL.zip", "w") as archive:
        archive.write(workbook, "WIOT11_ROW_Sep12.xlsx")
    add(tmp_path / "WIOTS_in_EXCEL.zip", "wiod2013")
    assert inline(tmp_path / "plan.toml").exit_code == 0
    assert [Path(i["path"]).name for i in manifest(tmp_path / "out")["inputs"]] == ["WIOTS_in_EXCEL.zip"]  # type: ignore[attr-defined]
    assert len(inline(tmp_path / "plan.toml").skipped) == 1
    direct = tiva.decompose(tiva.read(workbook), "kww")
    stored = tiva.open_results(tmp_path / "out").squeeze()
    np.testing.assert_allclose(stored["gexp"], direct["gexp"], rtol=EXACT)


def test_files_that_options_of_a_reader_name_are_inputs(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative to the plan, wherever the run is started; a change of theirs changes the result."""
    table = small_table(2000)
    numbers = {"intermediate": table.intermediate, "final_demand": table.final_demand_by_absorber}
    labels = {"countries": table.countries, "sectors": table.sectors, "final_demand_categories": ["f"], "year": 2000}
    np.savez(project / "t.npz", **numbers, **{k: np.array(v) for k, v in labels.items()})

    def below(taxes: float) -> None:
        rows = np.array([np.full(6, taxes), table.value_added - taxes])
        np.savez(project / "below.npz", rows=np.array(["r99", "r64"]), intermediate=rows, final_demand=np.zeros((2, 3)))

    options = "options = { bottom_rows = 'below.npz', value_added = 'published' }"
    text = PLAN.format(form="parquet").replace('["data/*.nc"]', f"'t.npz'\n{options}")
    (project / "plan.toml").write_text(text, encoding="utf-8")
    below(0.0)
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    first = inline(project / "plan.toml")
    assert first.exit_code == 0, first.summary()
    assert {Path(i["path"]).name for i in manifest(project / "out")["inputs"]} == {"t.npz", "below.npz"}  # type: ignore[attr-defined]
    told = manifest(project / "out")["jobs"][0]["options"]["table"]  # type: ignore[index]
    assert told["option_files"] == {"bottom_rows": "below.npz"}
    assert len(inline(project / "plan.toml").skipped) == 2
    below(0.01)
    again = inline(project / "plan.toml")
    assert again.skipped == ()
    assert {o.table_sha256 for o in again.outcomes}.isdisjoint(o.table_sha256 for o in first.outcomes)
    moved = project.parent / f"{project.name}-moved"
    shutil.copytree(project, moved)
    assert len(inline(moved / "plan.toml").skipped) == 2
