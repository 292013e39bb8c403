"""`python -m descent`: run one stage by hand, or ask about the whole laboratory."""

from __future__ import annotations

import signal
import sys

if __name__ == "__main__":
    # Before anything that takes time: a stopped run ends in silence, and gets to remove its partial files.
    for _stop in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(_stop) is not signal.SIG_IGN:
            signal.signal(_stop, lambda number, _: sys.exit(128 + number))

import argparse  # noqa: E402
import errno  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
from pathlib import Path  # noqa: E402

from descent.pipeline.checkpoint import SECONDS  # noqa: E402
from descent.pipeline.stage import Stage  # noqa: E402


def _pairs(items: list[str], may_be_empty: bool = False) -> dict[str, str | tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for item in items:
        name, equals, path = item.partition("=")
        if not equals or not (path or may_be_empty):
            raise SystemExit(f"descent: {item!r}: must be name=path")
        found.setdefault(name, []).extend([path] if path else [])
    return {name: tuple(paths) for name, paths in found.items()}


def _single(items: list[str]) -> dict[str, str]:
    pairs = _pairs(items)
    for name, paths in pairs.items():
        if len(paths) > 1:
            raise SystemExit(f"descent: {name}: given {len(paths)} times (lists go after --inputs)")
    return {name: paths[0] for name, paths in pairs.items()}


def _json(kind: type):
    def parse(text: str):
        value = json.loads(text)
        if not isinstance(value, kind):
            raise ValueError
        return value

    parse.__name__ = f"JSON {kind.__name__}"  # how argparse calls it when it is wrong
    return parse


def _stage_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m descent", description=__doc__)
    parser.add_argument("stage", help="the operation's name (or `verify`, `store`, `compare`, `snapshot`, "
                                      "`submission`, `schema`)")
    parser.add_argument("--entry", required=True, help="module:function that computes it")
    parser.add_argument("--settings", required=True, type=_json(dict), help="all that the stage reads, as JSON")
    parser.add_argument("--replicates", default="[]", type=_json(list), help="replicates to compute, as a JSON list")
    parser.add_argument("--tools", nargs="*", default=[], help="native tools whose versions count")
    parser.add_argument("--input", nargs="*", default=[], metavar="NAME=PATH")
    parser.add_argument("--inputs", nargs="*", default=[], metavar="NAME=PATH",
                        help="inputs that are lists (NAME= for one without items)")
    parser.add_argument("--output", nargs="+", required=True, metavar="NAME=PATH")
    parser.add_argument("--recipe", help="refuse to run unless code, settings and inputs have this recipe")
    parser.add_argument("--store", help="folder or URL of the store")
    parser.add_argument("--read-only-store", action="store_true", default="DESCENT_READ_ONLY_STORE" in os.environ,
                        help="take from the store, add nothing (as with the variable DESCENT_READ_ONLY_STORE)")
    parser.add_argument("--exact", action="store_true", help="reuse only results of the same CPU type")
    parser.add_argument("--checkpoint-seconds", type=float, default=SECONDS, help="time between checkpoints of a loop")
    parser.add_argument("--log", type=Path)
    return parser


def _verify_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m descent verify", description="Prove that nothing shown is stale.")
    parser.add_argument("--configfile", nargs="*", default=[], help="files on top of config.yaml")
    return parser


def _compare_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m descent compare",
        description="What differs between two results: settings, code, versions; verdicts and numbers that moved.",
        epilog="Exit status: 0 no verdict and no number moved, 1 some did or outputs differ otherwise, 2 trouble.",
    )
    result = "a results folder, a checkout that has one, or a file written by `snapshot`"
    parser.add_argument("old", metavar="A", type=Path, help=result)
    parser.add_argument("new", metavar="B", type=Path, help=result)
    parser.add_argument("--tolerance", type=_tolerance, help="relative difference up to which numbers without an "
                        "interval are the same (default: 1e-9, or 1e-6 where the CPU types differ)")
    parser.add_argument("--all", action="store_true", help="cut no long section")
    return parser


def _tolerance(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1:
        raise ValueError
    return value


def _snapshot_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m descent snapshot",
                                     description="Keep in one file what `compare` needs to know of a results folder.")
    parser.add_argument("file", metavar="FILE", type=Path, help="the JSON file to write")
    parser.add_argument("results", nargs="?", default="results", type=Path, help="results folder (default: results)")
    return parser


def _store_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m descent store", description="What the store holds and saved.")
    parser.add_argument("--configfile", nargs="*", default=[], help="files on top of config.yaml")
    parser.add_argument("--evict", action="store_true", help="remove now what is beyond the limit")
    return parser


def _submission_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m descent submission",
        description="Put the finished report, and all that is needed to make it again, into one archive.")
    parser.add_argument("file", metavar="FILE", type=Path, help="the ZIP archive to write")
    parser.add_argument("--configfile", nargs="*", default=[], help="files on top of config.yaml")
    return parser


def stage_of(arguments: argparse.Namespace) -> Stage:
    """The stage that a command line describes."""
    return Stage(
        rule=arguments.stage,
        entry=arguments.entry,
        settings=arguments.settings,
        inputs={**_single(arguments.input), **_pairs(arguments.inputs, may_be_empty=True)},
        outputs=_single(arguments.output),
        replicates=tuple(arguments.replicates),
        tools=tuple(arguments.tools),
    )


def _run_stage(arguments: argparse.Namespace) -> None:
    from descent.pipeline.runner import Run, no_space
    from descent.pipeline.store import open_store

    stage, store = stage_of(arguments), open_store(arguments.store, arguments.read_only_store)
    try:
        Run(stage, store, arguments.recipe, arguments.log, arguments.exact,
            arguments.checkpoint_seconds).execute()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise OSError(no_space(stage)) from None


def _plan(configfiles: list[str]):
    from descent.pipeline import settings
    from descent.pipeline.plan import Plan

    library, here = Path(__file__).parent, Path("workflow/descent")
    if here.is_dir() and not here.samefile(library):
        raise ValueError(f"the code in {library} would be used, not this checkout's; set PYTHONPATH=workflow")
    return Plan(settings.read(["config.yaml", *configfiles]))


def _verify(arguments: argparse.Namespace) -> None:
    from descent.pipeline.staleness import verify

    faults = verify(_plan(arguments.configfile))
    if faults:
        raise ValueError("\n".join(f"{path}: {reason}" for path, reason in faults.items()))
    print("descent: verified: every output of the report comes from the current code, settings and inputs")


def _compare(arguments: argparse.Namespace) -> None:
    from descent.pipeline import comparison_text, snapshot
    from descent.pipeline.comparison import Comparison

    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `compare A B | head` ends in silence
    try:
        comparison = Comparison(snapshot.read(arguments.old), snapshot.read(arguments.new), arguments.tolerance)
    except (OSError, ValueError) as error:
        print(f"descent: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    names = (str(arguments.old), str(arguments.new))
    print("\n".join(comparison_text.lines(comparison, names, arguments.all)), flush=True)
    raise SystemExit(int(comparison.differs))


def _snapshot(arguments: argparse.Namespace) -> None:
    from descent.pipeline import snapshot

    snapshot.write(snapshot.take(arguments.results), arguments.file)


def _store(arguments: argparse.Namespace) -> None:
    from descent.pipeline.store_status import store_status

    print("\n".join(store_status(_plan(arguments.configfile), arguments.evict)))


def _submission(arguments: argparse.Namespace) -> None:
    from descent.report.submission import write_submission

    count = write_submission(_plan(arguments.configfile), arguments.configfile, arguments.file)
    print(f"descent: {arguments.file}: {count} files, {arguments.file.stat().st_size / 1e6:.1f} MB")


def _dispatch(words: list[str]) -> None:
    if words[:1] == ["verify"]:
        _verify(_verify_parser().parse_args(words[1:]))
    elif words[:1] == ["compare"]:
        _compare(_compare_parser().parse_args(words[1:]))
    elif words[:1] == ["snapshot"]:
        _snapshot(_snapshot_parser().parse_args(words[1:]))
    elif words[:1] == ["store"]:
        _store(_store_parser().parse_args(words[1:]))
    elif words[:1] == ["submission"]:
        _submission(_submission_parser().parse_args(words[1:]))
    elif words[:1] == ["schema"]:
        from descent.pipeline.settings import schema

        print(schema(), end="")
    else:
        _run_stage(_stage_parser().parse_args(words))


def main() -> None:
    """Dispatch the command line; a fault is one line on standard error and exit status 1."""
    try:
        _dispatch(sys.argv[1:])
    except (OSError, ValueError, RuntimeError) as error:
        raise SystemExit(f"descent: {error}") from None


if __name__ == "__main__":
    try:
        main()
    finally:
        # Nothing is left to stop, and Python's own end would answer a signal with a traceback.
        for _stop in (signal.SIGINT, signal.SIGTERM):
            signal.signal(_stop, signal.SIG_IGN)
