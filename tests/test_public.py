"""What the outside sees of the package: its names, and what it costs to look at them."""

import json
import subprocess
import sys

import couchvoice

HEAVY = {"aiortc", "av", "numpy", "httpx", "pydantic", "sounddevice"}


def modules_after(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded when ``code`` has run."""
    script = f"import sys, json\n{code}\nprint(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_loads_nothing_heavy():
    assert not modules_after("import couchvoice") & HEAVY


def test_help_loads_nothing_heavy():
    run = (
        "from couchvoice.apps.cli import app\n"
        "import contextlib, io\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "    app(['--help'])"
    )
    assert not modules_after(run) & HEAVY


def test_the_public_names_are_sorted_and_there():
    assert couchvoice.__all__ == sorted(couchvoice.__all__)
    for name in couchvoice.__all__:
        assert getattr(couchvoice, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(couchvoice, "nothing_of_the_kind")


def test_the_package_says_that_it_is_typed():
    from importlib import resources

    assert resources.files("couchvoice").joinpath("py.typed").is_file()
