"""``python -m benchmarks [part]``: print tables of ratios and write them as JSON, part by part."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.report import heading, merge
from benchmarks.tables import SIZES

PARTS = ("decompositions", "readers", "batch", "scale")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("part", nargs="?", default="decompositions", choices=[*PARTS, "all"])
    parser.add_argument("--sizes", nargs="*", default=["wiod", "icio"], choices=sorted(SIZES), help="decompositions")
    parser.add_argument("--rows", default="", help="decompositions, scale: only rows whose name contains this text")
    parser.add_argument("--wiod", type=Path, default=Path("../shared/data/wiod2013/wiot2011.npz"))
    parser.add_argument("--repeats", type=int, default=3, help="decompositions: pairs of runs")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results.json"))
    return parser.parse_args()


def _run(part: str, args: argparse.Namespace) -> None:
    if part == "decompositions":
        from benchmarks import decompositions

        rows = decompositions.run(args.sizes, args.wiod, args.repeats, args.rows)
        merge(args.out, part, rows, decompositions.UNIT)
    elif part == "readers":
        from benchmarks import readers

        heading("readers")
        merge(args.out, part, [r.to_dict() for r in readers.run()], readers.UNIT)
    elif part == "batch":
        from benchmarks import batch

        heading("batch")
        merge(args.out, part, [r.to_dict() for r in batch.run(args.wiod.parent)], batch.UNIT)
    else:
        from benchmarks import scale

        heading("scale")
        merge(args.out, part, [r.to_dict() for r in scale.run(args.rows)], scale.UNIT)


def main() -> None:
    """Run one part or all."""
    args = _arguments()
    for part in PARTS if args.part == "all" else (args.part,):
        _run(part, args)
    print(f"written to {args.out}")


if __name__ == "__main__":
    main()
