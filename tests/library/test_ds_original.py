# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What programs of 2018 to 2020 do, and what they got (checked against the library of then)."""

from __future__ import annotations

import inspect
import json
import os
import re
import sys
from datetime import datetime

import pytest
from ds_helpers import RUN, module, parse

import dotscience

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{8}T\d{6}\.\d{6}")
NOTICE = "You have not called ds.start() yet, so I'm doing it for you!\n"


def without_times(run):
    return {key: value for key, value in run.items() if key not in ("start", "end")}


def test_the_text_byte_for_byte(session, publish):
    session.interactive()
    session.start("ünï \u2028 😀")
    session.add_parameter("b", 1.5)
    session.add_parameter("a", '"\\\n')
    session.add_metric("m", True)
    session.add_label("l", None)
    publish()
    text = publish.stream.getvalue()
    run_id, start, end = UUID4.search(text)[0], *sorted(TIME.findall(text))
    assert text == (
        f"[[DOTSCIENCE-RUN:{run_id}]]{{\n"
        '    "description": "\\u00fcn\\u00ef \\u2028 \\ud83d\\ude00",\n'
        f'    "end": "{end}",\n'
        '    "input": [],\n'
        '    "labels": {\n        "l": "None"\n    },\n'
        '    "output": [],\n'
        '    "parameters": {\n        "a": "\\"\\\\\\n",\n        "b": "1.5"\n    },\n'
        f'    "start": "{start}",\n'
        '    "summary": {\n        "m": "True"\n    },\n'
        '    "version": "1"\n'
        f"}}[[/DOTSCIENCE-RUN:{run_id}]]\n"
    )


def test_readers_of_the_original_find_it(session, publish):
    session.start()
    publish.stream.write("before ")
    publish()
    run_id, document = RUN.search(publish.stream.getvalue()).groups()
    assert UUID4.fullmatch(run_id)
    assert sorted(json.loads(document)) == sorted(
        ["version", "input", "output", "labels", "summary", "parameters", "start", "end"]
    )


def test_functions_return_their_argument(session, publish):
    session.start()
    assert session.metric("a", 1) == 1
    assert session.summary("a", 2.5) == 2.5
    assert session.param("b", True) is True
    assert session.parameter("b", None) is None
    assert session.label("c", "x") == "x"
    assert session.input("no-file") == "no-file"
    assert session.output("out") == "out"
    assert session.error("bad") == "bad"
    assert session.description(12) == 12
    for result in (
        session.add_metric("a", 1),
        session.add_label("a", 1),
        session.add_parameter("a", 1),
        session.add_input("a"),
        session.add_output("a"),
        session.set_error("bad"),
        session.set_description("d"),
        session.start(),
        session.end(),
        session.publish(stream=publish.stream),
        session.debug(),
    ):
        assert result is None


def test_aliases_are_the_same_functions():
    assert dotscience.add_summary is dotscience.add_metric
    assert dotscience.add_summaries is dotscience.add_metrics
    assert dotscience.summary is dotscience.metric
    assert dotscience.param is dotscience.parameter
    assert dotscience.Run.summary is dotscience.Run.metric
    assert dotscience.remove_prefix("abc", "a") == "bc"
    assert dotscience.remove_prefix("abc", "x") == "abc"


def test_everything_can_be_imported():
    names: dict[str, object] = {}
    exec("from dotscience import *", names)
    assert set(dotscience.__all__) <= set(names)
    assert set(dotscience.__all__) | {"_defaultDS"} <= set(dir(dotscience))
    assert dotscience.Run is dotscience.Run is names["Run"]
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        dotscience.nothing  # noqa: B018  # the access is the test


def test_publish_is_called_as_before():
    signature = inspect.signature(dotscience.publish)
    assert list(signature.parameters) == ["description", "stream", "build", "deploy"]
    defaults = {name: p.default for name, p in signature.parameters.items() if name != "stream"}
    assert defaults == {"description": None, "build": False, "deploy": False}
    assert list(inspect.signature(dotscience.Dotscience().publish).parameters) == [
        "description",
        "stream",
        "build",
        "deploy",
    ]


def test_the_default_stream_is_the_stdout_of_import(folder):
    from ds_helpers import run_python

    done = run_python(
        "import contextlib, io\nimport dotscience as ds\nds.start()\n"
        "with contextlib.redirect_stdout(io.StringIO()) as other:\n    ds.publish()\n"
        "assert other.getvalue() == ''\n"
    )
    assert len(parse(done.stdout)) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda ds: ds.metric("a", 1),
        lambda ds: ds.add_input("x"),
        lambda ds: ds.end(),
        lambda ds: ds.debug(),
        lambda ds: ds.add_labels(a=1),
        lambda ds: ds.set_error("x"),
        lambda ds: ds.model(module("sklearn"), "a", "b"),
    ],
)
def test_whatever_comes_first_starts_a_run_and_says_so(session, capsys, call):
    call(session)
    assert capsys.readouterr().out.startswith(NOTICE)
    assert session._defaultDS.currentRun._start is not None
    call(session)
    assert NOTICE not in capsys.readouterr().out


def test_publish_first(session, publish, capsys):
    publish()
    assert capsys.readouterr().out == NOTICE
    assert len(publish.all) == 1


def test_publishing_again_repeats_everything_under_a_new_id(session, publish):
    session.start("one")
    session.metric("a", 1)
    publish()
    session.metric("b", 2)
    publish()
    publish("two")
    session.start()
    publish()
    ids, runs = zip(*publish.all, strict=True)
    assert len(set(ids)) == 4
    assert [run.get("description") for run in runs] == ["one", "one", "two", None]
    assert [run["summary"] for run in runs] == [
        {"a": "1"},
        {"a": "1", "b": "2"},
        {"a": "1", "b": "2"},
        {},
    ]
    times = [run[key] for run in runs for key in ("start", "end")]
    assert times == sorted(times)


def test_times_start_again_lazily(session, publish):
    session.start()
    run = session._defaultDS.currentRun
    assert isinstance(run._start, datetime) and run._start.tzinfo is None and run._end is None
    session.end()
    end = run._end
    session.end()
    assert run._end is end
    publish()
    assert session._defaultDS.currentRun is run
    assert (run._start, run._end) == (None, None) and run._id is not None
    session.metric("a", 1)
    assert run._start is not None and run._end is None


def test_bulk_forms(session, publish):
    session.start()
    session.add_metrics("a", 1, "b", 2, a=3, c=4)
    session.add_labels(x=1)
    session.add_parameters("p", None)
    session.add_summaries(s=1)
    session.add_inputs("i", "j")
    session.add_outputs("o")
    run = publish()
    assert run["summary"] == {"a": "1", "b": "2", "c": "4", "s": "1"}
    assert (run["labels"], run["parameters"]) == ({"x": "1"}, {"p": "None"})
    assert (run["input"], run["output"]) == (["i", "j"], ["o"])


@pytest.mark.parametrize("name", ["add_metrics", "add_labels", "add_parameters"])
def test_a_name_without_a_value_is_an_error(session, name):
    session.start()
    with pytest.raises(ValueError, match="pairs"):
        getattr(session, name)("a", 1, "b", z=2)


def test_texts_are_texts(session, publish):
    session.start(5)
    session.set_error(None)
    assert publish()["description"] == "5"
    run = publish(6)
    assert (run["description"], run["error"]) == ("6", "None")
    session.start("")
    assert publish()["description"] == ""


# files


@pytest.fixture
def files(folder):
    for name in ("d/a.txt", "d/sub/b.txt", "e/x"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (folder / "empty").mkdir()
    return folder


def test_paths_are_relative_to_the_root(files, session, publish, monkeypatch):
    session.start()
    monkeypatch.chdir("d")
    session.add_inputs("a.txt", "sub", "../e", "../empty", "missing", "a.txt")
    session.add_input("/etc/hostname")
    session.add_outputs("a.txt", "sub/", "../empty", "z")
    run = session._defaultDS.currentRun
    up = os.path.relpath("/etc/hostname", files)
    inputs = {up, "d/a.txt", "d/sub/b.txt", "e/x", "d/missing"}
    assert run._inputs == inputs
    assert run._outputs == {"d/a.txt", "d/sub", "d/z", "empty"}
    published = publish()
    assert published["input"] == sorted(inputs)
    assert published["output"] == ["d/a.txt", "d/sub/b.txt", "d/z"]


def test_input_folders_are_expanded_at_once_and_output_folders_at_publish(files, session, publish):
    session.start()
    session.add_input("d")
    session.add_output("d")
    session.add_input("late")
    session.add_output("late")
    (files / "d" / "new").touch()
    (files / "late").mkdir()
    (files / "late" / "f").touch()
    run = publish()
    assert run["input"] == ["d/a.txt", "d/sub/b.txt", "late"]
    assert run["output"] == ["d/a.txt", "d/new", "d/sub/b.txt", "late/f"]


def test_the_root_can_be_told(files, session, publish, monkeypatch):
    monkeypatch.setenv("DOTSCIENCE_PROJECT_DOT_ROOT", str(files / "d"))
    monkeypatch.setattr(session, "_defaultDS", session.Dotscience())
    session.start()
    session.add_input("e")
    assert publish()["input"] == ["../e/x"]


# modes


def test_modes(session, publish):
    assert session._defaultDS._mode is None
    session.script("q/x.py")
    session.script("q/x.py")
    assert (session._defaultDS._mode, session._defaultDS._workload_file) == ("script", "q/x.py")
    session.start()
    assert publish()["workload-file"] == "q/x.py"


def test_script_takes_the_program(session, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["sub/train.py"])
    session.script()
    assert session._defaultDS._workload_file == "sub/train.py"


@pytest.mark.parametrize("first", ["interactive", "script", "remote"])
@pytest.mark.parametrize("second", ["interactive", "script", "remote"])
def test_a_session_has_one_mode(session, first, second):
    getattr(session, first)()
    if first == second:
        getattr(session, second)()
    else:
        with pytest.raises(RuntimeError, match=f"{first} mode"):
            getattr(session, second)()
    assert session._defaultDS._mode == first


@pytest.mark.parametrize(
    ("told", "mode"),
    [("jupyter", "interactive"), ("command", "script"), ("foo", None), ("", None)],
)
def test_the_mode_is_guessed_at_publish(session, publish, monkeypatch, told, mode):
    monkeypatch.setenv("DOTSCIENCE_WORKLOAD_TYPE", told)
    monkeypatch.setattr(sys, "argv", ["t.py"])
    session.start()
    run = publish()
    assert session._defaultDS._mode == mode
    assert run.get("workload-file") == ("t.py" if mode == "script" else None)


# models


def test_models(session, publish):
    session.start()
    classes = "model/classes.json"
    tensorflow = module("tensorflow", "2.1.0")
    assert session.model(tensorflow, "roads", "model/1", classes=classes) == "model/1"
    assert session._defaultDS.currentRun.getModelDir() == "model/1"
    assert session.model(module("sklearn"), "svm", "./x/m.joblib") == "./x/m.joblib"
    run = publish()
    assert run["labels"] == {
        "artefact:roads": '{"files":{"classes":"model/classes.json","model":"model/1"},'
        '"type":"tensorflow-model","version":"2.1.0"}',
        "artefact:svm": '{"files":{"model":"x/m.joblib"},"type":"sklearn-model","version":"1.2.3"}',
    }
    assert run["output"] == ["model/1", "model/classes.json", "x/m.joblib"]


def test_add_model_is_there_and_returns_nothing(session):
    session.start()
    assert session.add_model(module("sklearn"), "m", "x") is None
    assert session.Run("/").add_model(module("sklearn"), "m", "x") is None


@pytest.mark.parametrize(
    ("thing", "message"), [(module("foo"), "foo-model"), (object(), "None"), (12, "None")]
)
def test_unknown_models(session, thing, message):
    session.start()
    with pytest.raises(RuntimeError, match=f"Unknown model type {message}"):
        session.model(thing, "m", "x")
    assert session._defaultDS.currentRun._labels == {}


# classes and private names that programs reach for


def test_a_run_by_itself(folder):
    run = dotscience.Run(str(folder))
    assert run._id is None
    assert str(run).startswith("[[DOTSCIENCE-RUN:None]]{")
    run.metric("a", 1)
    assert run._start is None
    run.start()
    with pytest.raises(RuntimeError):
        run.start()
    run.newID()
    assert UUID4.fullmatch(run._id)
    run._set_workload_file("w.py")
    assert sorted(run.metadata()) == [
        "input", "labels", "output", "parameters", "start", "summary", "version", "workload-file",
    ]  # fmt: skip
    run.forget_times()
    assert run._start is None
    run.lazy_start()
    assert run._start is not None
    run.end()
    assert run._end is not None


def test_debug_prints_what_would_be_published(session, capsys):
    session.start("x")
    session.debug()
    out = capsys.readouterr().out
    assert json.loads(out)["description"] == "x"
    assert out.startswith('{\n    "description"') and out.endswith("}\n")


class Client:
    made = []

    def __init__(self, **options):
        self.made.append(options)

    def ping(self):
        return "pong"


def test_connect_uses_the_client_of_the_module(session, monkeypatch, capsys):
    monkeypatch.setattr(session, "DotmeshClient", Client)
    session.start()
    run = session._defaultDS.currentRun
    session.interactive()
    session.connect("u", "k", "proj")
    session.connect("u", "k2", "other", "https://h")
    default, told = Client.made
    assert default["cluster_url"] == "https://cloud.dotscience.com/v2/dotmesh/rpc"
    assert told == {"cluster_url": "https://h/v2/dotmesh/rpc", "username": "u", "api_key": "k2"}
    inner = session._defaultDS
    assert (inner._mode, inner._project_name, inner._cached_project) == ("remote", "other", None)
    assert isinstance(inner._dotmesh_client, Client)
    assert inner.currentRun is run
    assert capsys.readouterr().out == "Checking connection... connected!\n" * 2


def test_connect_to_nothing_leaves_the_session_as_it_was(session, publish, capsys):
    with pytest.raises(Exception, match="project name"):
        session.connect("u", "k", "")
    for address in ("http://127.0.0.1:9", "ftp://h", "nonsense"):
        with pytest.raises(session.HubError, match="address"):
            session.connect("u", "k", "proj", address)
    with pytest.raises(session.HubError, match="not connected"):
        session._defaultDS._get_project_or_create("proj")
    # and the session goes on
    session.start("still here")
    assert publish()["description"] == "still here"


def test_remote_mode_loses_nothing(session, publish):
    session.remote()
    session.start()
    session.metric("a", 1)
    with pytest.raises(session.HubError, match="Nothing recorded is lost"):
        publish()
    assert publish.stream.getvalue() == ""
    assert session._defaultDS.currentRun._metric == {"a": "1"}
