"""Laying a version before people in the Prefect UI."""

from prefect import task
from prefect.artifacts import create_markdown_artifact

from storage.opening import open_store
from tasks.ingest import decode_png
from tasks.policies import WHILE_TRANSIENT
from tasks.reports import TABLE_COLUMNS, Coverage, list_table
from tasks.wording import SCORES_NOTE, embed_jpeg

THUMBNAIL_SIDE_PX = 210  # four of them fill the column of an artifact
NUM_COLUMNS = 4


@task(name="show-coverage", task_run_name="show coverage", **WHILE_TRANSIENT)
def show_coverage(coverage: Coverage, store_url: str) -> None:
    """Write the contact sheet and the scores as one markdown artifact per scene, so that its history can be seen."""
    store = open_store(store_url)
    pictures = {"master": coverage.master} | {record.name: record.picture for record in coverage.angles}
    thumbnails = {
        name: f"![{name}]({embed_jpeg(decode_png(store.get_blob(reference)), THUMBNAIL_SIDE_PX, 75)})"
        for name, reference in pictures.items()
    }
    create_markdown_artifact(
        key=f"coverage-{coverage.scene.replace('_', '-')}",
        description=f"Contact sheet of {coverage.scene}",
        markdown="\n\n".join(
            [
                f"# {coverage.title}",
                f"**{coverage.warning}**" if coverage.warning else "",
                _grid(thumbnails),
                _table([TABLE_COLUMNS, *list_table(coverage)]),
                SCORES_NOTE,
            ]
        ),
    )


def _grid(thumbnails: dict[str, str]) -> str:
    """Return a table with a row of names above every row of pictures."""
    cells = list(thumbnails.items())
    rows: list[tuple[str, ...]] = []
    for start in range(0, len(cells), NUM_COLUMNS):
        chunk = cells[start : start + NUM_COLUMNS]
        chunk += [("", "")] * (NUM_COLUMNS - len(chunk))
        rows += [tuple(name for name, _ in chunk), tuple(picture for _, picture in chunk)]
    return _table(rows)


def _table(rows: list[tuple[str, ...]]) -> str:
    header, *body = ("| " + " | ".join(row) + " |" for row in rows)
    return "\n".join([header, "|" + " --- |" * len(rows[0]), *body])
