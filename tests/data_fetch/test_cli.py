from __future__ import annotations

import sys

import pytest

from data_fetch.cli import main
from tests.data_fetch.conftest import archive


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("TIVA_DATA", str(tmp_path / "store"))
    monkeypatch.setenv("TIVA_OFFLINE", "1")
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        said = capsys.readouterr()
        return int(caught.value.code or 0), said.out, said.err

    return call


def test_list_names_every_data_set(run):
    code, out, _ = run("list")
    assert code == 0
    assert "wiod2013" in out
    assert "bot wall" in out
    assert "0 of 5" in out


def test_info_gives_licence_citation_and_checksums(run):
    code, out, _ = run("info", "icio2025")
    assert code == 0
    assert "sha256:46db55c45747e26dde5c1716d072b2aa74ace362a4424491ac646d2ab175befb" in out
    assert "http://oe.cd/icio" in out
    assert "0 of 5 here" in out
    assert "confirmed  licence    third party: " in out
    assert "https://webfs-sti.oecd.org/files/STI-PIE/ICIO/2025/2001-2005_EXT.zip" not in out


def test_info_says_what_is_here_and_what_was_before(run, tmp_path):
    file = tmp_path / "GLORIA_MRIOs_60_2019.zip"
    for content in ("1", "2"):
        file.write_bytes(archive(content))
        assert run("add", str(file))[0] == 0
    _, out, _ = run("info", "gloria")
    assert "files      0 of 33 here, 1 more" in out
    assert "from added by hand" in out
    assert "      before: " in out
    assert "1 of 33" in run("list")[1]


def test_help_says_where_files_go_and_nothing_of_decompositions(run):
    for words in (["--help"], ["get", "--help"], ["compare", "oecd", "--help"]):
        _, out, _ = run(*words)
        assert "TIVA_DATA" in out
        assert "TIVA_OFFLINE" in out
        assert "perspective" not in out


def test_get_offline_says_what_to_do(run):
    code, out, err = run("get", "wiod2013")
    assert code == 3
    assert out == ""
    assert "network may not be used" in err
    assert "Traceback" not in err


def test_unknown_name_is_a_usage_error_with_a_suggestion(run):
    code, _, err = run("get", "wiod2014")
    assert code == 2
    assert "did you mean" in err


def test_add_and_check(run, tmp_path):
    file = tmp_path / "Eora26_2015_bp.zip"
    file.write_bytes(archive())
    code, out, _ = run("add", str(file))
    assert code == 0
    assert "eora26" in out
    code, out, _ = run("check", "eora26")
    assert (code, out.split()[0]) == (0, "ok")
    (tmp_path / "store" / "eora26" / "Eora26_2015_bp.zip").write_bytes(b"something else")
    code, out, _ = run("check", "eora26")
    assert (code, out.split()[0]) == (3, "changed")


def test_where(run, tmp_path):
    assert run("where")[1].strip() == str(tmp_path / "store")


def test_importing_brings_nothing_heavy():
    import subprocess

    program = (
        "import sys, data_fetch; bad = {'requests', 'pooch', 'numpy', 'httpx'} & set(sys.modules); sys.exit(bool(bad))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_margins_offline_writes_nothing(run, tmp_path):
    out = tmp_path / "band_margins.csv"
    code, _, err = run("margins", "oecd_sdbs", "--countries", "MEX", "--years", "2019", "--out", str(out))
    assert code == 3
    assert "no kept answer" in err
    assert not out.exists()


def test_margins_take_another_flow_and_codes(run, tmp_path):
    more = ("--countries", "MEX", "--years", "2019", "--out", str(tmp_path / "m.csv"))
    code, _, err = run("margins", "oecd_tec", *more, "--flow", "OECD.SDD.TPS:DSD_TEC_ISIC5@DF_TEC(2.0)")
    assert code == 3
    assert "datastructure/OECD.SDD.TPS/DSD_TEC_ISIC5/latest" in err
    code, _, err = run("margins", "oecd_sdbs", *more, "--fixed", "UNIT_MEASURE=XDC,FREQ=")
    assert code == 3
    assert "/.MEX.VALU...XDC?" in err
    code, _, err = run("margins", "oecd_sdbs", *more, "--fixed", "UNIT_MEASURE")
    assert code == 2
    assert "DIMENSION=CODE" in err


def test_compare_needs_kept_answers_when_offline(run, tmp_path):
    import tiva

    path = tiva.example().save(tmp_path / "t.nc")
    code, _, err = run("compare", "oecd", str(path), "--level", "country")
    assert code == 3
    assert "no kept answer" in err


def test_commands_of_tiva(monkeypatch, tmp_path, capsys):
    from tiva.cli import main as tiva_main

    monkeypatch.setenv("TIVA_DATA", str(tmp_path / "store"))
    monkeypatch.setenv("TIVA_OFFLINE", "1")
    assert tiva_main(["fetch", "where"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "store")
    assert tiva_main(["fetch", "get", "wiod2013", "--years", "1995-2011"]) == 3
    assert "network may not be used" in capsys.readouterr().err
    assert tiva_main(["fetch", "get", "wiod2014"]) == 2
    assert "did you mean" in capsys.readouterr().err
    file = tmp_path / "Eora26_2015_bp.zip"
    file.write_bytes(archive())
    assert tiva_main(["fetch", "add", str(file)]) == 0
    (tmp_path / "store" / "eora26" / "Eora26_2015_bp.zip").write_bytes(b"something else")
    assert tiva_main(["fetch", "check", "eora26"]) == 3


def test_tiva_open_is_offline_when_told(monkeypatch, tmp_path):
    import tiva
    from tiva.errors import OfflineError

    monkeypatch.setenv("TIVA_OFFLINE", "1")
    with pytest.raises(OfflineError, match="tiva fetch get wiod2013"):
        tiva.open("wiod2013", 2011, folder=tmp_path)


def test_every_command_takes_the_common_options(run, tmp_path):
    from tiva.cli import main as tiva_main

    assert run("list", "--quiet")[0] == run("where", "--traceback")[0] == run("info", "wiod2013", "--quiet")[0] == 0
    code, _, err = run("get", "wiod2013", "--traceback")
    assert (code, "Traceback" in err, "OfflineError" in err) == (3, True, True)
    for words in (["add", str(tmp_path / "no"), "--quiet"], ["check", "no", "--quiet"], ["compare", "oecd", "no"]):
        assert run(*words)[0] in {2, 3}
        assert tiva_main(["fetch", *words, "--traceback"]) in {2, 3}


def test_quiet_shows_no_progress(publisher, monkeypatch, tmp_path, capsys, make):
    from tests.data_fetch.conftest import row
    from tests.data_fetch.publisher import Page

    publisher.pages["/f.bin"] = Page(b"content")
    sources = make([row("f.bin", publisher.address("/f.bin"))])
    monkeypatch.setattr("data_fetch.fetch.catalogue", lambda: sources)
    monkeypatch.setenv("TIVA_DATA", str(tmp_path / "store"))
    for words, said in ((["--quiet"], ""), (["--refresh"], "fetching f.bin\n")):
        with pytest.raises(SystemExit) as caught:
            main(["get", "d", *words])
        assert caught.value.code == 0
        assert capsys.readouterr().err == said
