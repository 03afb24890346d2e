"""The tests of a module are found by its path: `echokit/a/b.py` by `tests/echokit/a/test_b.py`."""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

import echokit

CORE = Path(echokit.__file__).parent
TESTS = Path(__file__).parent
LEAST = 60
"""Lines of code from which on a module has tests of its own."""
WITH_ANOTHER: dict[str, dict[str, str]] = {
    "a rule of a contract is tested by components that break it": {
        "testing/clips.py": "contracts/test_contracts.py",
        "testing/contracts/aggregator.py": "contracts/test_broken.py",
        "testing/contracts/backbone.py": "contracts/test_broken_networks.py",
        "testing/contracts/blocks.py": "contracts/test_broken_clips.py",
        "testing/contracts/command.py": "contracts/test_broken_services.py",
        "testing/contracts/executor.py": "contracts/test_broken_services.py",
        "testing/contracts/explainer.py": "contracts/test_broken_networks.py",
        "testing/contracts/folders.py": "contracts/test_broken_clips.py",
        "testing/contracts/loader.py": "contracts/test_broken_clips.py",
        "testing/contracts/moving.py": "contracts/test_broken_clips.py",
        "testing/contracts/pixels.py": "contracts/test_broken_clips.py",
        "testing/contracts/rules.py": "contracts/test_contracts.py",
        "testing/contracts/suite.py": "contracts/test_contracts.py",
        "testing/contracts/writer.py": "contracts/test_broken_writers.py",
        "testing/results.py": "contracts/test_contracts.py",
        "testing/contracts/transform.py": "contracts/test_broken_clips.py",
    },
    "a value and its checks are tested where they are used": {
        "interfaces.py": "contracts/test_contracts.py",
        "recipe/recipe.py": "echokit/recipe/test_load.py",
        "recipe/tables.py": "echokit/recipe/test_load.py",
        "components/slots.py": "echokit/recipe/test_load.py",
        "components/views.py": "echokit/voting/test_view_classifier.py",
        "evaluation/rows.py": "echokit/evaluation/test_metrics.py",
        "voting/subset_table.py": "echokit/evaluation/test_voting_rules.py",
        "plugins/component.py": "echokit/plugins/test_registry.py",
        "plugins/weights.py": "plugins/test_backbones.py",
        "networks/checkpoint.py": "echokit/networks/test_train.py",
        "networks/job.py": "echokit/networks/test_train.py",
        "system/run_record.py": "echokit/runs/test_damage.py",
        "evaluation/reliability.py": "echokit/evaluation/test_conformal.py",
    },
    "a step of a journey is tested by what the whole journey leaves": {
        "runs/calibrate.py": "echokit/runs/test_run.py",
        "runs/feature_fusion.py": "echokit/networks/test_fused.py",
        "runs/prepare.py": "echokit/runs/test_run.py",
        "runs/train.py": "echokit/runs/test_run.py",
        "runs/jobs.py": "echokit/runs/test_crossfit.py",
        "studies/bundle.py": "echokit/export/test_write.py",
        "studies/clips.py": "echokit/studies/test_model.py",
        "studies/manifest.py": "echokit/export/test_write.py",
        "studies/load.py": "echokit/studies/test_model.py",
        "studies/outcomes.py": "echokit/studies/test_model.py",
        "studies/evaluation.py": "echokit/studies/test_evaluate.py",
        "studies/plain.py": "echokit/studies/test_model.py",
        "studies/result.py": "echokit/studies/test_model.py",
        "studies/queue/tables.py": "echokit/studies/queue/test_queue.py",
        "export/card.py": "echokit/export/test_write.py",
    },
    "a command is tested by what it prints and writes": {
        "bench/leaderboard.py": "echokit/bench/test_accuracy.py",
        "bench/result.py": "echokit/bench/test_accuracy.py",
        "cli/bench.py": "echokit/bench/test_speed.py",
        "cli/evaluate.py": "echokit/studies/test_evaluate.py",
        "cli/plugins.py": "echokit/cli/test_cli.py",
        "cli/doctor_run.py": "echokit/runs/test_damage.py",
        "cli/plugins_tried.py": "echokit/cli/test_plugins_check.py",
        "cli/plugins_verdict.py": "echokit/cli/test_plugins_check.py",
        "cli/predict.py": "echokit/studies/test_model.py",
    },
    "a part of a page is tested by the page's data": {
        "report/evaluation_page.py": "echokit/studies/test_evaluate.py",
        "report/judged.py": "echokit/report/sections/test_calibration.py",
        "report/paper/asked.py": "echokit/report/paper/test_findings.py",
        "report/paper/compared.py": "echokit/report/paper/test_findings.py",
        "report/paper/layout.py": "echokit/report/paper/test_figures.py",
        "report/paper/publication.py": "echokit/report/paper/test_findings.py",
        "report/paper/table_formats.py": "echokit/report/paper/test_tables.py",
        "report/pictures/example.py": "echokit/report/paper/test_figures.py",
        "report/results.py": "echokit/report/test_run_page.py",
        "report/terminal.py": "echokit/report/sections/test_figures.py",
        "report/sections/fusion_words.py": "echokit/report/sections/test_fusion.py",
        "report/words.py": "echokit/report/sections/test_figures.py",
    },
}
"""Reason -> module: the test file that has its tests."""


def lines_of_code(path: Path) -> int:
    """Lines that hold code: neither blank, nor comment, nor docstring."""
    text = path.read_text("utf-8")
    strings = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    blank = {
        *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE),
        *(tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER),
    }
    code = {
        line
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in blank
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(code - strings)


def test_every_module_finds_its_tests_by_its_path_or_is_named_here() -> None:
    listed = {module: file for group in WITH_ANOTHER.values() for module, file in group.items()}
    alone = {
        path.relative_to(CORE).as_posix()
        for path in CORE.rglob("*.py")
        if lines_of_code(path) > LEAST
        and not (TESTS / "echokit" / path.relative_to(CORE)).with_name(f"test_{path.name}").exists()
        and path.name != "__init__.py"
    }
    assert alone == set(listed)
    assert {file for file in listed.values() if not (TESTS / file).is_file()} == set()


def test_every_test_file_of_the_core_stands_in_a_folder_of_the_core() -> None:
    folders = {
        path.parent.relative_to(TESTS / "echokit") for path in TESTS.glob("echokit/**/test_*.py")
    }
    assert {folder for folder in folders if not (CORE / folder).is_dir()} == set()
