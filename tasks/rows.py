"""The rows of the Parquet report: what is known of every angle of a version."""

from models.specs import AngleSpec
from storage.records import AngleRecord
from tasks.coverage import Coverage, spec_of


def list_rows(coverage: Coverage) -> list[dict[str, object]]:
    """Return the rows of the Parquet report, one per angle; the columns are those of `storage.reports`."""
    return [_row(coverage, record, spec_of(record)) for record in coverage.angles]


def _row(coverage: Coverage, record: AngleRecord, spec: AngleSpec) -> dict[str, object]:
    scores = coverage.scores[record.name]
    poses = {"asked": spec.asked, "given": spec.instruction.given}
    return {
        "scene": coverage.scene,
        "run_id": coverage.run_id,
        "created_at": coverage.created_at,
        "angle": record.name,
        "fingerprint": record.fingerprint,
        "rendered_by_run": record.run_id,
        "profile": spec.profile.name,
        "training": spec.profile.training,
        "seed": spec.seed,
        "prompt": spec.instruction.prompt,
        **{f"{kind}_{name}": value for kind, pose in poses.items() for name, value in pose.model_dump().items()},
        "is_extrapolated": spec.instruction.is_extrapolated,
        "picture_sha256": record.picture.sha256,
        "master_sha256": coverage.master.sha256,
        "width_px": spec.framing.source_width_px,
        "height_px": spec.framing.source_height_px,
        **{f"{stage}_s": seconds for stage, seconds in record.stage_times_s.items()},
        **{f"paper_{name}": value for name, value in scores.model_dump().items()},
        "paper_composite": scores.composite,
        "clip_encoder": coverage.profile.clip.name,
        "clip_training": coverage.profile.training,
        **spec.profile.arithmetic.model_dump(),
    }
