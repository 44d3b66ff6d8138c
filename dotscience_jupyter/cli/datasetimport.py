# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``dataset import`` and ``dataset fetch``: datasets that come from S3."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .context import Settings, common, pass_settings
from .datasets import author_of
from .errors import CommandError
from .output import Printer, many, progress, safe, size

if TYPE_CHECKING:
    from dotscience_jupyter.datasets import Dataset, Datasets
    from dotscience_jupyter.datasets.s3 import Fetched, Imported, Source

_SHOWN = 10  # objects that were left out and are named; --json has more


@click.command("import")
@click.argument("source", metavar="s3://BUCKET/FOLDER")
@click.argument("name", required=False)
@click.option("--endpoint", default="", metavar="URL", help="The service, if it is not AWS.")
@click.option("--pin", is_flag=True, help="Only point to the objects; fetch what is read.")
@click.option("--anonymous", is_flag=True, help="Sign nothing: the bucket is public.")
@click.option("--author", help="Who commits; Git's user.name, else the login name, if not given.")
@common
@pass_settings
def import_command(
    settings: Settings,
    source: str,
    name: str | None,
    endpoint: str,
    pin: bool,
    anonymous: bool,
    author: str | None,
) -> None:
    """Make a dataset of what a bucket holds, or bring one to what it holds now.

    NAME is what the dataset is called; by default as the folder or the bucket. Importing again
    fetches what is new or changed, removes what is gone, and makes a version if anything differs.
    Credentials come from AWS's usual places (AWS_ACCESS_KEY_ID, AWS_PROFILE, ~/.aws, the machine's
    role) and are recorded nowhere.
    """
    from dotscience_jupyter.datasets import Datasets
    from dotscience_jupyter.datasets.s3 import Source, import_bucket

    given = Source.parse(source, endpoint, anonymous)
    who = author_of(author, settings.folder)
    dataset = _find_or_create(Datasets(), name or given.suggested_name, given, who)
    with progress(as_bytes=True) as show:
        done = import_bucket(dataset, given, author=who, pin=pin, progress=show)
    printer = settings.printer
    if printer.json:
        printer.document(
            {
                "dataset": dataset.name,
                "id": dataset.id,
                "path": safe(str(dataset.root)),
                **asdict(done),
                "source": done.source.document(),
            }
        )
        return
    _tell(printer, dataset, done)


def _find_or_create(datasets: Datasets, name: str, source: Source, author: str) -> Dataset:
    from dotscience_jupyter.datasets import check_name
    from dotscience_jupyter.datasets.s3.bucket import Bucket

    found = datasets.find(name)
    if found is None:
        check_name(name)
        # a dataset is not made for a name that was misspelt
        with Bucket(source) as bucket:
            bucket.check()
        found = datasets.create(name, author=author)
    return found


def _tell(printer: Printer, dataset: Dataset, done: Imported) -> None:
    what = f"{many(done.objects, 'object')}, {size(done.bytes)}"
    printer.line((safe(dataset.name), "bold"), f": {what} of {safe(str(done.source))}")
    if done.pinned:
        printer.line("They are fetched when they are read, or by 'ds dataset fetch'.", style="dim")
    else:
        fetched = f"Fetched {many(done.fetched, 'file')} ({size(done.fetched_bytes)})"
        printer.line(f"{fetched}, removed {done.removed:,}.")
    if done.commit is None:
        printer.line("Nothing differs from the newest version.")
    else:
        printer.line("New version ", (done.commit[:12], "yellow"))
    notes = Printer(False, stream=sys.stderr)
    _tell_unproven(notes, done.unproven)
    for each in done.skipped[:_SHOWN]:
        notes.line(("Left out: ", "yellow"), f"{safe(each.key[:200])}: {each.reason}")
    if done.total_skipped > _SHOWN:
        notes.line(f"and {done.total_skipped - _SHOWN:,} more; --json names them.", style="dim")


def _tell_unproven(notes: Printer, count: int) -> None:
    if count:
        notes.line(
            f"Of {many(count, 'file')} the service has no checksum that can be compared: only the "
            "size was.",
            style="yellow",
        )


@click.command("fetch")
@click.argument("name", metavar="NAME|PATH")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@common
@pass_settings
def fetch_command(settings: Settings, name: str, paths: tuple[str, ...]) -> None:
    """Bring files of a dataset that was imported with --pin: those at PATHs in it, or all.

    NAME is that of a dataset of this workspace, else of one on this machine. With a slash in it,
    it is the PATH of a file or folder where the dataset is attached.
    """
    from dotscience_jupyter.datasets.s3 import fetch_files, pinned_root

    # pinned_root tells files of a dataset that is here from all others
    place = Path(name) if os.sep in name else _place_of(settings, name)
    found = pinned_root(settings.folder / place)
    if found is None:
        raise CommandError(
            "not_found",
            f"'{safe(name)}' is no dataset that was imported with --pin, and in none. There is "
            "nothing to fetch: the files of other datasets are there.",
        )
    root, inside = found
    wanted = [f"{inside}/{path}" if inside else path for path in paths] or [inside]
    with progress(as_bytes=True) as show:
        done = fetch_files(root, wanted, progress=show)
    printer = settings.printer
    if printer.json:
        printer.document({"path": safe(str(root)), **asdict(done)})
        return
    _tell_fetched(printer, done)


def _tell_fetched(printer: Printer, done: Fetched) -> None:
    there = f"; {done.present:,} were there already" if done.present else ""
    printer.line(f"Fetched {many(done.files, 'file')} ({size(done.bytes)}){there}.")
    _tell_unproven(Printer(False, stream=sys.stderr), done.unproven)


def _place_of(settings: Settings, name: str) -> Path:
    """Return the folder of a dataset: where it is attached here, else its live one."""
    from dotscience_jupyter.datasets import Datasets
    from dotscience_jupyter.datasets.attachments import Attachments
    from dotscience_jupyter.records import Workspace, from_text

    workspace = Workspace.find(settings.folder)
    if workspace is not None:
        attached = Attachments(workspace.root).find(name)
        if attached is not None:
            return workspace.root / from_text(attached.path)
    return Datasets().get(name).root
