# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Every command on a real workspace: what it says, its JSON, its failures."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from cli_project import HOSTILE, Project
from rich.cells import cell_len

TERMINAL = {"FORCE_COLOR": "1", "NO_COLOR": "1", "COLUMNS": "120", "LINES": "40"}


def rows(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines()]


def code_of(result: Any) -> str:
    problem = json.loads(result.stderr)["error"]
    assert problem["message"]
    return str(problem["code"])


# --- init ---------------------------------------------------------------------


def test_init_makes_a_workspace_and_says_where(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    first = project.json("init", str(folder))
    assert first["root"] == str(folder) and not first["existed"]
    again = project.json("init", str(folder))
    assert again["existed"] and again["id"] == first["id"]
    assert "tracked already" in project.ds("init", str(folder)).stdout


def test_init_without_a_path_takes_the_git_work_tree(tmp_path: Path, project: Project) -> None:
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    (tmp_path / "repo" / "sub").mkdir()
    answer = project.json("-C", str(tmp_path / "repo" / "sub"), "init")
    assert answer["root"] == str(tmp_path / "repo")


def test_init_inside_a_workspace_needs_force(project: Project) -> None:
    inner = project.folder / "inner"
    inner.mkdir()
    refused = project.ds("--json", "init", "inner")
    assert refused.exit_code == 1 and code_of(refused) == "exists"
    assert not (inner / ".dotscience").exists()
    # without a path the workspace that is there already is meant
    assert project.json("-C", "inner", "init")["root"] == str(project.folder)
    assert project.json("init", "inner", "--force")["root"] == str(inner)


def test_init_refuses_a_home_folder(project: Project) -> None:
    home = os.environ["HOME"]
    assert project.ds("init", home).exit_code == 1
    assert not (Path(home) / ".dotscience").exists()
    assert project.ds("init", home, "--force").exit_code == 0


def test_init_of_what_is_no_folder(project: Project) -> None:
    result = project.ds("init", "nothing-here")
    assert result.exit_code == 1 and "not a folder" in result.stderr


# --- status and commit ----------------------------------------------------------


def test_status_and_commit(project: Project) -> None:
    (project.folder / "a.txt").write_text("hello")
    status = project.json("status")
    assert status["status"] == "changed"
    assert [f["filename"] for f in status["changed_files"]] == ["a.txt"]
    text = project.ds("status").stdout
    assert "a.txt" in text and "added" in text
    commit = project.json("commit", "-m", "A file", "--author", "ada")["commit"]
    assert (commit["message"], commit["author"]) == ("A file", "ada")
    assert project.json("status")["status"] == "clean"
    assert project.json("commit", "-m", "again")["commit"] is None
    nothing = project.ds("commit")
    assert nothing.exit_code == 0 and "Nothing has changed" in nothing.stdout


def test_commit_says_what_it_could_not_read(project: Project) -> None:
    (project.folder / "broken.ipynb").write_text("{ [[DOTSCIENCE-RUN:1]]")
    result = project.ds("commit", "-m", "x")
    assert result.exit_code == 0
    assert "Warning: broken.ipynb" in result.stderr


def test_published_runs_that_wait_are_announced(project: Project) -> None:
    from dotscience_jupyter.cli.workspace import waiting_runs

    spool = project.folder / ".dotscience" / "spool"
    assert waiting_runs(project.folder / "none") == 0
    spool.mkdir(exist_ok=True)
    (spool / ".half.json").write_text("{")
    run = {"version": "1", "input": [], "output": [], "labels": {}, "summary": {}, "parameters": {}}
    record = {"format": 1, "id": "0b5f6c5e-0f1a-4b65-9a52-6ad0c9b1a001", "run": run}
    (spool / f"{record['id']}.json").write_text(json.dumps(record))
    assert waiting_runs(spool) == 1
    committed = project.json("commit")["commit"]
    assert record["id"] in committed["runs"]
    assert waiting_runs(spool) == 0


# --- log, runs, show ------------------------------------------------------------


def test_log_lists_commits_newest_first(story: Project) -> None:
    answer = story.json("log")
    assert answer["total"] == len(answer["items"]) >= 4
    table = rows(story.ds("log").stdout)
    assert table[0][0] == "Commit"
    assert [row[0] for row in table[1:]] == [item["id"] for item in answer["items"]]
    assert len(story.json("log", "--limit", "2")["items"]) == 2
    assert story.json("log", "--offset", "1")["items"] == answer["items"][1:]


def test_a_list_of_many_pages_is_whole(story: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from dotscience_jupyter.cli import diff, paging

    whole = [story.json("log"), story.json("runs"), story.json("diff", "HEAD~3", "HEAD")]
    for module in (diff, paging):
        monkeypatch.setattr(module, "PAGE", 2)
    assert [
        story.json("log"),
        story.json("runs"),
        story.json("diff", "HEAD~3", "HEAD"),
    ] == whole


def test_runs_can_be_filtered_sorted_searched_and_paged(story: Project) -> None:
    def ids(*arguments: str) -> list[str]:
        return [run["id"] for run in story.json("runs", *arguments)["items"]]

    assert ids("--where", "metrics.accuracy > 0.9") == [story.ids["train"]]
    assert ids("--where", "parameters.kind = 'svm' and not status = 'failed'") == [
        story.ids["train"]
    ]
    assert ids("--search", "clean") and set(ids("--search", "clean")) <= set(ids())
    by_alpha = ids("--where", "parameters.alpha is not null", "--sort", "parameters.alpha")
    assert by_alpha == [story.ids["failed"], story.ids["train"]]
    assert ids("--limit", "1", "--offset", "1") == ids()[1:2]
    assert ids("--where", "metrics.none = 1") == []
    assert "No run matches" in story.ds("runs", "--where", "id = 'x'", env=TERMINAL).stdout


@pytest.mark.parametrize("option", ["--where", "--sort"])
@pytest.mark.parametrize("text", ["metrics.a >", "__import__('os')", "nothing = 1", "'", "x y"])
def test_a_condition_that_makes_no_sense_is_pointed_at(
    story: Project, option: str, text: str
) -> None:
    result = story.ds("runs", option, text)
    assert result.exit_code == 2
    assert "Error: " in result.stderr and "^" in result.stderr
    assert code_of(story.ds("--json", "runs", option, text)) == "invalid_where"


def test_runs_in_a_pipe_are_whole_and_on_one_line_each(story: Project) -> None:
    table = rows(story.ds("runs").stdout)
    answer = story.json("runs")
    assert len(table) == 1 + len(answer["items"])
    assert {"metrics.accuracy", "parameters.kind"} <= set(table[0])
    assert [row[0] for row in table[1:]] == [run["id"] for run in answer["items"]]


@pytest.mark.parametrize("width", ["20", "40", "80", "200"])
def test_runs_fit_any_terminal(story: Project, width: str) -> None:
    text = story.ds("runs", env={**TERMINAL, "COLUMNS": width}).stdout
    table = text.split("No room for")[0]
    assert all(cell_len(line) <= int(width) for line in table.splitlines())
    assert story.ids["train"][:8] in text
    assert ("accuracy" in table) == (width == "200") or width == "80"


@pytest.mark.parametrize(
    "arguments",
    [
        ["runs"],
        ["log"],
        ["show", "failed"],
        ["provenance", "failed"],
        ["runs", "--where", "\x1b[2J"],
        ["show", "\x1b[2J-no-such-run"],
        ["diff", "HEAD~1", "HEAD", "no\x1b[2Jfile"],
        ["restore", "HEAD", "no\x1b[2Jfile", "--to", "x"],
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("terminal", [False, True])
def test_text_of_others_never_commands_a_terminal(
    story: Project, arguments: list[str], as_json: bool, terminal: bool
) -> None:
    given = [story.ids.get(argument, argument) for argument in arguments]
    result = story.ds(*["--json"] * as_json, *given, env=TERMINAL if terminal else None)
    for text in (result.stdout, result.stderr):
        assert not set(text) & set("\x1b\x07\x9b\x7f\r\u202e")


def test_markup_in_a_description_is_shown_as_it_is(story: Project) -> None:
    assert "[bold red]markup[/]" in story.ds("show", story.ids["failed"], env=TERMINAL).stdout


def test_colours_only_where_they_are_wanted(story: Project) -> None:
    colours = {**TERMINAL, "NO_COLOR": ""}
    assert "\x1b[" in story.ds("runs", env=colours).stdout
    assert "\x1b" not in story.ds("runs", env=TERMINAL).stdout
    assert "\x1b" not in story.ds("runs").stdout


def test_show_tells_everything(story: Project) -> None:
    identity = story.ids["train"]
    for name in (identity, identity[:8]):
        text = story.ds("show", name).stdout
        for expected in (identity, "Train", "alpha", "0.5", "accuracy", "0.93", "colour", "blue"):
            assert expected in text
        assert "data/clean.csv" in text and "model.bin" in text
    assert f"written by run {story.ids['clean'][:8]}" in text
    answer = story.json("show", identity[:8])
    assert answer["id"] == identity and answer["outputs"][0]["path"] == "model.bin"
    failed = story.json("show", story.ids["failed"])
    assert failed["status"] == "failed" and failed["description"] == HOSTILE
    assert "failed" in story.ds("show", story.ids["failed"]).stdout


def test_show_prints_a_log(story: Project) -> None:
    detail = story.json("show", story.ids["train"])
    name = next(log["name"] for log in detail["logs"] if "stdout" in log["name"])
    assert "working" in story.ds("show", story.ids["train"], "--log", name).stdout
    assert "working" in story.json("show", story.ids["train"], "--log", name)["text"]
    missing = story.ds("--json", "show", story.ids["train"], "--log", "none.log")
    assert missing.exit_code == 1 and code_of(missing) == "not_found"


@pytest.mark.parametrize("command", ["show", "provenance"])
@pytest.mark.parametrize("name", ["", "0", "no-such-run", "HEAD~99", "%", "../../x"])
def test_a_run_that_is_not_there(story: Project, command: str, name: str) -> None:
    result = story.ds(command, name)
    assert result.exit_code == 1
    assert result.stdout == "" and "Traceback" not in result.stderr


# --- diff -----------------------------------------------------------------------


def test_diff_lists_the_files_that_differ(story: Project) -> None:
    answer = story.json("diff", story.ids["clean"], story.ids["failed"])
    changes = {item["path"]: item["change"] for item in answer["items"]}
    assert changes == {"model.bin": "added", "book.ipynb": "added", "notes.txt": "removed"}
    table = rows(story.ds("diff", story.ids["clean"], story.ids["failed"]).stdout)
    assert {row[1]: row[0] for row in table[1:]} == changes


def test_diff_knows_head_commits_and_runs(story: Project) -> None:
    head = story.json("log", "--limit", "1")["items"][0]["id"]
    by_name = story.json("diff", "HEAD~1", "HEAD")
    assert by_name["new"] == head
    assert story.json("diff", by_name["old"][:10], head[:10]) == by_name
    assert story.json("diff", "HEAD", story.ids["failed"])["items"] == []
    assert "No file differs" in story.ds("diff", "HEAD", "HEAD", env=TERMINAL).stdout


def test_diff_of_a_text_file_is_a_unified_diff(story: Project) -> None:
    text = story.ds("diff", story.ids["raw"], story.ids["clean"], "notes.txt").stdout
    assert text == (
        "--- a/notes.txt\n+++ b/notes.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+TWO\n three\n"
        "\\ No newline at end of file\n"
    )
    shown = story.ds(
        "diff", story.ids["raw"], story.ids["clean"], "notes.txt", env={**TERMINAL, "NO_COLOR": ""}
    ).stdout
    assert "\x1b[32m+TWO" in shown and "\x1b[31m-two" in shown
    answer = story.json("diff", story.ids["raw"], story.ids["clean"], "notes.txt")
    assert answer["diff"] == text and answer["change"] == "modified"


def test_diff_of_a_notebook_shows_its_sources(story: Project) -> None:
    text = story.ds("diff", story.ids["train"], story.ids["failed"], "book.ipynb").stdout
    assert "-x = 1" in text and "+x = 2" in text and "out 1" not in text


def test_diff_of_a_binary_file_tells_sizes_and_digests(story: Project) -> None:
    text = story.ds("diff", story.ids["train"], story.ids["failed"], "model.bin").stdout
    answer = story.json("diff", story.ids["train"], story.ids["failed"], "model.bin")
    assert "3 B" in text and answer["old_digest"][:16] in text and answer["new_digest"][:16] in text


def test_diff_of_a_folder_lists_what_differs_in_it(story: Project) -> None:
    answer = story.json("diff", story.ids["raw"], "HEAD", "data")
    assert [item["path"] for item in answer["items"]] == ["data/clean.csv"]
    # paths are relative to where one is
    inside = story.json("-C", "data", "diff", story.ids["raw"], "HEAD", ".")
    assert inside == answer


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (["HEAD~99", "HEAD"], "not_found", 1),
        (["HEAD", "no-such"], "not_found", 1),
        (["", "HEAD"], "not_found", 1),
        (["HEAD~1", "HEAD", "no/such/file"], "not_found", 1),
        (["HEAD~1", "HEAD", "notes.txt/below"], "not_found", 1),
        (["HEAD~1", "HEAD", "../outside"], "forbidden_path", 2),
    ],
)
def test_diff_of_what_is_not_there(
    story: Project, arguments: list[str], code: str, exit_code: int
) -> None:
    result = story.ds("--json", "diff", *arguments)
    assert (result.exit_code, code_of(result)) == (exit_code, code)


# --- restore --------------------------------------------------------------------


def test_restore_brings_back_the_files_of_a_run(story: Project, tmp_path: Path) -> None:
    target = tmp_path / "back"
    result = story.ds("restore", story.ids["raw"][:8], "--to", str(target))
    assert result.exit_code == 0, result.output
    assert (target / "notes.txt").read_text() == "one\ntwo\nthree"
    assert (target / "data/raw.csv").exists() and not (target / "data/clean.csv").exists()
    assert not (target / ".dotscience").exists()


def test_restore_of_some_paths(story: Project, tmp_path: Path) -> None:
    answer = story.json("restore", "HEAD", "data", "--to", str(tmp_path / "some"))
    assert answer["files"] == 2
    found = sorted(p.name for p in (tmp_path / "some").rglob("*") if p.is_file())
    assert found == ["clean.csv", "raw.csv"]
    everything = story.json("restore", "HEAD", ".", "--to", str(tmp_path / "all"))
    assert everything["files"] > 2


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (["HEAD", "--to", "data"], 1),
        (["HEAD", "--to", "model.bin"], 1),
        (["HEAD", "--to", ".dotscience/x"], 1),
        (["no-such", "--to", "new"], 1),
        (["HEAD", "no-such", "--to", "new"], 1),
        (["HEAD", "../outside", "--to", "new"], 2),
    ],
)
def test_restore_never_overwrites_and_never_half(
    story: Project, arguments: list[str], exit_code: int
) -> None:
    before = sorted(story.folder.rglob("*"))
    result = story.ds("restore", *arguments)
    assert result.exit_code == exit_code
    assert "Error: " in result.stderr and "Traceback" not in result.stderr
    new = [p for p in sorted(story.folder.rglob("*")) if p not in before]
    assert [p for p in new if ".dotscience" not in p.parts] == []


# --- verify and gc ----------------------------------------------------------------


def test_verify_says_that_all_is_well(story: Project) -> None:
    result = story.ds("verify")
    assert result.exit_code == 0 and "as it was recorded" in result.stdout
    assert story.json("verify")["problems"] == []


def test_verify_exits_with_3_when_something_was_tampered_with(project: Project) -> None:
    import sqlite3

    (project.folder / "a.txt").write_text("hello")
    project.json("commit", "-m", "before")
    connection = sqlite3.connect(project.folder / ".dotscience" / "records.db")
    connection.execute("UPDATE commits SET message = 'after'")
    connection.commit()
    connection.close()
    result = project.ds("verify")
    assert result.exit_code == 3 and "problem" in result.stdout
    as_json = project.ds("verify", "--json")
    assert as_json.exit_code == 3 and json.loads(as_json.stdout)["problems"]


def test_gc_frees_nothing_that_is_needed(project: Project) -> None:
    (project.folder / "a.txt").write_text("hello")
    project.json("commit", "-m", "x")
    answer = project.json("gc")
    assert answer["freed_bytes"] >= 0 and answer["stored_bytes"] > 0
    assert "Freed" in project.ds("gc").stdout
    assert project.ds("verify").exit_code == 0


# --- run --------------------------------------------------------------------------


def test_run_records_what_the_command_published(project: Project) -> None:
    identity = project.publish("x", {"description": "Hello", "summary": {"a": "1"}})
    run = project.json("show", identity)
    assert (run["description"], run["authority"], run["metrics"]) == (
        "Hello",
        "workload",
        {"a": "1"},
    )


def test_run_of_a_silent_command_is_one_derived_run(project: Project) -> None:
    command = project.emitting(files={"out.txt": "x"})
    result = project.ds("run", "--description", "By hand", "--", *command)
    assert result.exit_code == 0
    (run,) = project.json("runs", "--where", "authority = 'derived'")["items"]
    assert run["description"] == "By hand"
    assert [file["path"] for file in project.json("show", run["id"])["outputs"]] == ["out.txt"]
    assert "recorded 1 run" in result.stderr


def test_run_in_json_keeps_standard_output_for_the_document(project: Project) -> None:
    result = project.ds("--json", "run", *project.emitting({"description": "x"}, exit_code=3))
    answer = json.loads(result.stdout)
    assert result.exit_code == answer["status"] == 3
    assert len(answer["runs"]) >= 1 and len(answer["commits"]) >= 1
    assert "working" in result.stderr


def test_run_of_a_command_that_is_not_there(project: Project) -> None:
    result = project.ds("--json", "run", "no-such-command-here")
    assert result.exit_code == 127 and code_of(result) == "command_not_found"
    (project.folder / "plain.txt").write_text("no program")
    result = project.ds("--json", "run", "./plain.txt")
    assert result.exit_code == 126 and code_of(result) == "command_not_executable"
    assert project.json("runs")["total"] == 0


def test_options_after_the_command_are_the_commands_own(project: Project, tmp_path: Path) -> None:
    outside = project.ds("-C", str(tmp_path), "run", "true", "--json")
    assert outside.exit_code == 4 and outside.stderr.startswith("Error: ")
    command = project.emitting(say="mine")
    command = [command[0], "-c", "import sys; print(sys.argv[1:])", "--json", "-C", "x", "--", "-h"]
    result = project.ds("run", *command)
    assert result.exit_code == 0
    assert "['--json', '-C', 'x', '--', '-h']" in result.stdout


# --- completion of names ------------------------------------------------------------


def test_ids_are_completed(story: Project) -> None:
    def complete(*words: str) -> str:
        env = {
            "_DOTSCIENCE_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(("ds", "-C", str(story.folder), *words)),
            "COMP_CWORD": str(2 + len(words)),
        }
        return story.ds(env=env).stdout

    assert story.ids["train"][:8] in complete("show", story.ids["train"][:3])
    assert "HEAD" in complete("diff", "HE")
    assert story.json("log")["items"][0]["id"][:8] in complete("restore", "")


def test_ids_are_not_completed_outside_of_a_workspace(story: Project, tmp_path: Path) -> None:
    env = {
        "_DOTSCIENCE_COMPLETE": "bash_complete",
        "COMP_WORDS": f"ds -C {tmp_path} provenance ",
        "COMP_CWORD": "4",
    }
    result = story.ds(env=env)
    assert result.stdout.strip() == "" and "Traceback" not in result.output
