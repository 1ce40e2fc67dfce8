"""The benchmarks as a program: what it lists and what it prints. How fast things are is no test."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.bench.__main__ import BENCHMARKS
from tests.bench.child import ROOT


def bench(*arguments: str) -> str:
    program = (sys.executable, "-m", "tests.bench", *arguments)
    return subprocess.run(program, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def test_without_a_name_each_benchmark_is_listed_with_one_line() -> None:
    lines = bench().splitlines()
    assert [line.split()[0] for line in lines] == list(BENCHMARKS)
    assert all(len(line.split()) > 1 for line in lines)


def test_a_benchmark_prints_one_json_object_with_a_ratio_to_its_baseline() -> None:
    figures = json.loads(bench("core", "--quick"))
    assert figures["benchmark"] == "core"
    assert figures["quick"] is True
    assert figures["ratio"] == round(figures["ours"]["us"] / figures["json.loads"]["us"], 3)
