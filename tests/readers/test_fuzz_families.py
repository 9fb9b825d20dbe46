"""Mutated files: every reader either gives a table or a typed error, and soon."""

from __future__ import annotations

import shutil
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tiva
from tests.readers.support import fixture
from tiva.errors import TivaError
from tiva.readers.tidy import write_tidy

EXAMPLES = 30
MUTATION = st.tuples(st.floats(0, 1, exclude_max=True), st.sampled_from(["flip", "cut", "drop", "insert", "line"]))
TEXTS = {
    "matrix_eu-ic-io_ind-by-ind_24ed_2022.csv": "figaro",
    "flatfile_eu-ic-io_ind-by-ind_24ed_2022.csv": "figaro",
    "icio_user.csv": "stata_icio",
    "ADB-MRIO62-2022_synthetic.xlsx": "adb",
}
INSERTS = [b"\x00", b",", b"\t", b"\n", b'"', b"nan", b"-", b"\xff\xfe", b"1e999", b"_", b"(", b"\xc3\xa9"]


def mutated(content: bytes, mutations: list[tuple[float, str]], byte: int) -> bytes:
    for where, kind in mutations:
        at = int(where * len(content))
        if kind == "flip" and content:
            content = content[:at] + bytes([content[at] ^ (byte | 1)]) + content[at + 1 :]
        elif kind == "cut":
            content = content[: max(at, 1)]
        elif kind == "drop":
            content = content[:at] + content[at + 1 + byte :]
        elif kind == "insert":
            content = content[:at] + INSERTS[byte % len(INSERTS)] + content[at:]
        else:
            lines = content.split(b"\n")
            row = int(where * len(lines))
            content = b"\n".join([*lines[:row], *lines[row + 1 :], lines[row]])
    return content


def survives(path: Path, layout: str | None, **options: object) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tiva.errors.TivaWarning)
        try:
            table = tiva.read(path, layout=layout, cache=False, **options)
        except TivaError:
            return
    assert table.n == len(table.areas) * len(table.sectors)


FUZZ = settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
MUTATIONS = {"mutations": st.lists(MUTATION, min_size=1, max_size=3), "byte": st.integers(0, 255)}


@FUZZ
@given(**MUTATIONS, named=st.booleans())
@pytest.mark.parametrize("name", TEXTS)
def test_mutated_file(tmp_path: Path, name: str, mutations: list[tuple[float, str]], byte: int, named: bool) -> None:
    path = tmp_path / name
    path.write_bytes(mutated(fixture(name).read_bytes(), mutations, byte))
    options = {"countries": ["AUS", "USA", "ROW"]} if named and name == "icio_user.csv" else {}
    survives(path, TEXTS[name] if named else None, **options)


@FUZZ
@given(**MUTATIONS, part=st.integers(0, 5), published=st.booleans())
def test_mutated_eora_folder(
    tmp_path: Path, mutations: list[tuple[float, str]], byte: int, part: int, published: bool
) -> None:
    folder = tmp_path / "eora26"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(fixture("eora26"), folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    victim = sorted(folder.iterdir())[part]
    victim.write_bytes(mutated(victim.read_bytes(), mutations, byte))
    survives(folder, None, value_added="published" if published else "residual")


@FUZZ
@given(**MUTATIONS, part=st.integers(0, 12), packed=st.booleans())
def test_mutated_exiobase_archive(
    tmp_path: Path, mutations: list[tuple[float, str]], byte: int, part: int, packed: bool
) -> None:
    path = tmp_path / "IOT_2022_ixi.zip"
    if packed:
        path.write_bytes(mutated(fixture(path.name).read_bytes(), mutations, byte))
    else:
        with zipfile.ZipFile(fixture(path.name)) as old, zipfile.ZipFile(path, "w") as new:
            for i, name in enumerate(old.namelist()):
                content = old.read(name)
                new.writestr(name, mutated(content, mutations, byte) if i == part else content)
    survives(path, None, value_added="published")


@FUZZ
@given(**MUTATIONS, part=st.sampled_from(["tidy.csv", "tidy.parquet"]))
def test_mutated_tidy_file(
    tmp_path_factory: pytest.TempPathFactory, mutations: list[tuple[float, str]], byte: int, part: str
) -> None:
    clean = tmp_path_factory.getbasetemp() / f"clean_{part}"
    if not clean.exists():
        table = tiva.read(fixture("icio_user.csv"))
        write_tidy(table, clean)
    path = clean.with_name(part)
    path.write_bytes(mutated(clean.read_bytes(), mutations, byte))
    survives(path, "tidy")
