# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The limit of the front end's size, which `make check` looks at."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENTRY = (
    '{"./index":()=>n.e(4).then(()=>1),"./extension":()=>Promise.all([n.e(9),n.e(1)]).then(()=>2),'
    '"./style":()=>n.e(2).then(()=>3)}'
)
STATED = "4 files, 10 kB, 3 kB gzip. At the start of JupyterLab three of them, 5 kB (1 kB gzip)"

spec = importlib.util.spec_from_file_location("check_bundle", ROOT / "scripts/check_bundle.py")
assert spec is not None and spec.loader is not None
check_bundle = importlib.util.module_from_spec(spec)
spec.loader.exec_module(check_bundle)


def build(static: Path, plugins: int, styles: int, later: int) -> Path:
    static.mkdir()
    (static / "remoteEntry.aa.js").write_text(ENTRY)
    for name, size in (("1.b", plugins), ("2.c", styles), ("11.d", later)):
        (static / f"{name}.js").write_bytes(b"x" * size)
    return static


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ((3000, 2000, 5000), []),
        ((3000, 2000, 6500), ["The front end has grown to 12 kB"]),
        ((4900, 2000, 3000), ["at its start has grown to 7 kB"]),
        (
            (6000, 2000, 9000),
            ["The front end has grown to 17 kB", "at its start has grown to 8 kB"],
        ),
    ],
)
def test_what_has_grown_is_said(
    tmp_path: Path, sizes: tuple[int, int, int], said: list[str]
) -> None:
    found = check_bundle.problems(build(tmp_path / "static", *sizes), STATED)
    assert len(found) == len(said)
    assert all(words in problem for words, problem in zip(said, found, strict=True))


def test_a_build_or_a_document_that_cannot_be_read_is_no_pass(tmp_path: Path) -> None:
    static = build(tmp_path / "static", 1, 1, 1)
    assert check_bundle.problems(static, "42 files")
    (static / "2.c.js").unlink()
    with pytest.raises(ValueError, match=r"'\./style'"):
        check_bundle.problems(static, STATED)


def test_the_sizes_are_stated() -> None:
    assert check_bundle.STATED.search((ROOT / "docs/benchmarks.md").read_text("utf-8"))
