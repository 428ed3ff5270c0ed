"""A version outside of any store: which files an archive of it has, and what they are called.

```
<scene>-v000001/manifest.json          as it lay in the store, byte for byte
<scene>-v000001/master.png             and master_original.<type>, the file as it came in
<scene>-v000001/angles/<angle>.png
<scene>-v000001/other_takes/<angle>-<fingerprint>-<run>.png
<scene>-v000001/reports/...            report.parquet, coverage.parquet, contact_sheet.png, review.html, summary.md
<scene>-v000001/README.txt
<scene>-v000001/SHA256SUMS             of all the others, for `sha256sum -c`
```

The manifest alone says which files there are, so nothing in an archive is found by a name that somebody else chose.
"""

import re
from collections.abc import Mapping

from storage.errors import BadArchiveError, InvalidKeyError
from storage.names import check_name
from storage.objects import BlobRef
from storage.records import AngleRecord, Manifest
from storage.versions import version_name

MANIFEST, README, CHECKSUMS = "manifest.json", "README.txt", "SHA256SUMS"

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,120}")
_EXTENSIONS = {"jpeg": "jpg", "png": "png", "webp": "webp", "tiff": "tif"}


def archive_name(manifest: Manifest) -> str:
    """Return the one folder that an archive of a version holds.

    Raises:
        BadArchiveError: The scene is no name.
    """
    try:
        return f"{check_name(manifest.scene)}-{version_name(manifest.number)}"
    except InvalidKeyError as exc:
        raise BadArchiveError(str(exc)) from exc


def list_archive(manifest: Manifest) -> dict[str, BlobRef]:
    """Return what lies in an archive of a version beside manifest, readme and checksums, by its name there.

    Raises:
        BadArchiveError: An angle has a name that is no name of a file, or two have the same.
    """
    reports = manifest.reports
    kind = manifest.master.original.media_type.rpartition("/")[2]
    named = [
        ("master.png", manifest.master.picture),
        (f"master_original.{_EXTENSIONS.get(kind, 'bin')}", manifest.master.original),
        ("reports/report.parquet", reports.parquet),
        ("reports/contact_sheet.png", reports.contact_sheet),
        ("reports/review.html", reports.review_page),
        ("reports/summary.md", reports.summary),
        *((("reports/coverage.parquet", reports.coverage_parquet),) if reports.coverage_parquet else ()),
        *((f"angles/{_check(each.name)}.png", each.picture) for each in manifest.angles),
        *((f"other_takes/{_check(_name_take(each))}.png", each.picture) for each in manifest.other_takes),
    ]
    files = dict(named)
    if len(files) < len(named):
        msg = f"Two pictures of {archive_name(manifest)} have the same name: correct the manifest, or export another."
        raise BadArchiveError(msg)
    return files


def write_readme(manifest: Manifest, files: Mapping[str, BlobRef]) -> str:
    """Return what a person reads first who finds an archive and has no Mastershot."""
    warning = "\nThe weights behind at least one picture were UNTRAINED: random numbers, which prove no quality.\n"
    angles = "\n".join(f"  angles/{record.name}.png" for record in manifest.angles)
    return f"""{manifest.scene} {version_name(manifest.number)}: a master shot and its coverage, made by Mastershot.
{warning if manifest.training != "trained" else ""}
project {manifest.project}, sequence {manifest.sequence}, published {manifest.created_at} by run {manifest.run_id}

  master.png             the still that all angles were made from, as it was used
{angles}
  other_takes/           attempts that were not chosen, if there were any
  reports/review.html    open this in a browser to look at everything
  reports/*.parquet      every score and recipe, for polars, DuckDB or pandas
  manifest.json          the whole record: request, recipe of each picture, versions of software
  SHA256SUMS             digests of all files: `sha256sum -c SHA256SUMS` says whether they are whole

{len(files)} files of {sum(ref.size_bytes for ref in files.values())} bytes. To take it into a store of Mastershot:
python -m flows.versions import <this folder or its zip>
"""


def write_checksums(digests: Mapping[str, str]) -> str:
    """Return digests of files, by name, in the form that `sha256sum -c` takes."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))


def _name_take(record: AngleRecord) -> str:
    return f"{record.name}-{record.fingerprint[:16]}-{record.run_id}"


def _check(name: str) -> str:
    if not _SAFE.fullmatch(name):
        msg = f"An angle is called {name[:80]!r}, which is no name of a file: this version cannot stand in an archive."
        raise BadArchiveError(msg)
    return name
