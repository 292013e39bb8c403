"""Which functions of the library each stage executes, seen from outside: every stage runs again under `sys.settrace`.

A program for the folder of a finished laboratory: `python -P call_record.py RECORD CONFIG...`. It knows nothing of
fingerprints. Every stage has a process of its own, forked from this one, so that nothing another stage has imported,
cached or compiled hides a call. Machine code is out of sight of a trace: a call of a numba kernel shows when numba
compiles or loads it, and then counts as a call of every function that its byte code refers to.
"""

import importlib
import inspect
import json
import os
import sys
import tempfile
import types
from pathlib import Path

LIBRARY = Path.cwd() / "workflow"
# What stages import from elsewhere, imported once.
SHARED = ("jinja2", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg", "numba", "numpy", "pyarrow",
          "pyarrow.compute", "pyarrow.parquet", "scipy.integrate", "scipy.linalg", "scipy.optimize", "scipy.special",
          "scipy.stats", "sympy")


def in_child(function, *arguments):
    """The JSON value of `function(*arguments)`, called in a fork of this process."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        with open(write, "w") as pipe:
            json.dump(function(*arguments), pipe)
        os._exit(0)
    os.close(write)
    with open(read) as pipe:
        text = pipe.read()
    if os.waitpid(child, 0)[1]:
        raise SystemExit(f"{function.__name__}{arguments} failed")
    return json.loads(text)


def planned(configuration):
    """Every stage of a configuration, with the folder of its compiled kernels."""
    from descent.pipeline import settings
    from descent.pipeline.environment import stage_environment
    from descent.pipeline.plan import Plan

    plan = Plan(settings.read(configuration))
    return [
        {"entry": stage.entry, "settings": dict(stage.settings), "inputs": dict(stage.inputs),
         "outputs": dict(stage.outputs), "replicates": stage.replicates, "code": plan.identity(stage).code,
         "kernels": stage_environment(plan.identity(stage).code)["NUMBA_CACHE_DIR"]}
        for stage in plan.stages
    ]


def warm():
    """Make other libraries do now what they do when first used."""
    import numba
    import numpy as np
    import pydantic
    from matplotlib.figure import Figure

    for module in SHARED:
        importlib.import_module(module)
    numba.njit(lambda x: x + 1.0)(np.zeros(2))
    pydantic.create_model("Warm", field=(int, 1))
    figure = Figure()
    figure.subplots().set_title("$x_1$")
    figure.savefig(os.devnull, format="svg")


def unit(code):
    """`module:function` or `module:Class.method` that a code object of the library is part of."""
    module = ".".join(Path(code.co_filename).relative_to(LIBRARY).with_suffix("").parts).removesuffix(".__init__")
    return f"{module}:{code.co_qualname.partition('.<locals>')[0]}"


def of_library(code):
    # Bodies of modules and classes are no functions.
    return code.co_filename.startswith(f"{LIBRARY}/") and code.co_flags & inspect.CO_OPTIMIZED


def imports(frame):
    """Whether a call happens because a module of the library is being imported."""
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_code.co_filename.startswith(f"{LIBRARY}/"):
            return True
        frame = frame.f_back
    return False


def tracer(called, importing):
    """A trace function that enters functions of the library in `called`, or those called by imports in `importing`."""
    from numba.core.dispatcher import Dispatcher

    known, compiling = set(), Dispatcher.compile.__code__

    def trace(frame, event, argument):
        code = frame.f_code
        if code in known:
            return
        if code is compiling:
            for function in compiled(frame.f_locals["self"].py_func):
                called[unit(function.__code__)] = None
        elif not of_library(code):
            known.add(code)
        elif imports(frame):
            importing[unit(code)] = None
        else:
            known.add(code)
            called[unit(code)] = None

    return trace


def compiled(kernel):
    """A kernel and the functions of the library that become part of its machine code or help to make it."""
    found, pending = {}, [kernel]
    while pending:
        function = pending.pop()
        if function not in found and of_library(function.__code__):
            found[function] = None
            pending.extend(references(function))
    return list(found)


def references(function):
    """Functions that a function's byte code names, also those inside numba's wrappers."""
    names, pending = dict.fromkeys(function.__code__.co_freevars), [function.__code__]
    while pending:
        code = pending.pop()
        names.update(dict.fromkeys(code.co_names))
        pending.extend(constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    scope = {**function.__globals__, **inspect.getclosurevars(function).nonlocals}
    values = [scope[name] for name in names if name in scope]
    values += [getattr(value, name, None) for value in values if inspect.ismodule(value) for name in names]
    values = [getattr(value, "py_func", getattr(value, "_defn", value)) for value in values]
    return [value for value in values if inspect.isfunction(value)]


def executed(stage):
    """What one stage calls."""
    import numba

    numba.config.CACHE_DIR = stage["kernels"]
    called, importing = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        sys.settrace(tracer(called, importing))
        run(stage, Path(folder))
        sys.settrace(None)
    return {"entry": stage["entry"], "output": next(iter(stage["outputs"].values())), "called": sorted(called),
            "importing": sorted(importing)}


def run(stage, folder):
    """What runner and worker do for a stage that shapes its results; one replicate, one format of a figure."""
    from descent.pipeline.environment import stage_environment

    stage_environment(stage["code"])
    inputs = {name: Path(p) if isinstance(p, str) else [Path(x) for x in p] for name, p in stage["inputs"].items()}
    names = ["svg"] if "svg" in stage["outputs"] else list(stage["outputs"])
    outputs, replicate = {name: folder / name for name in names}, stage["replicates"][:1]
    module, _, function = stage["entry"].partition(":")
    getattr(importlib.import_module(module), function)(stage["settings"], inputs, outputs, *replicate)
    if replicate:
        from descent.pipeline.tables import join_tables

        for path in outputs.values():
            join_tables([path], folder / "joined")


if __name__ == "__main__":
    stages = in_child(planned, sys.argv[2:])
    warm()
    Path(sys.argv[1]).write_text(json.dumps([in_child(executed, stage) for stage in stages]))
