"""The rows of the Parquet reports: what is known of every attempt at an angle of a version, and of the version."""

from models.specs import AngleSpec
from storage.records import AngleRecord
from tasks.coverage import Coverage, spec_of
from tasks.takes import Take


def list_rows(coverage: Coverage) -> list[dict[str, object]]:
    """Return one row per attempt at an angle; the columns are those of `storage.reports`."""
    return [_row(coverage, record.name, take) for record in coverage.angles for take in coverage.takes[record.name]]


def sum_up(coverage: Coverage) -> dict[str, object]:
    """Return the row of the version as a whole."""
    cards = {record.name: coverage.card(record.name) for record in coverage.angles}
    scores = {name: card.order_score for name, card in cards.items()}
    return {
        **_place(coverage),
        "profile": coverage.profile.name,
        "training": coverage.training,
        "num_angles": len(cards),
        "num_attempts": sum(len(takes) for takes in coverage.takes.values()),
        **{f"num_{verdict}": len(names) for verdict, names in coverage.verdicts.items()},
        "worst_angle": min(scores, key=lambda name: scores[name]),
        "mean_order_score": sum(scores.values()) / len(scores),
        "render_s": sum(_render_s(take.record) for takes in coverage.takes.values() for take in takes),
        "score_s": sum(scored.seconds for scored in coverage.rounds),
        "multi_view_status": coverage.multi_view.status,
        "multi_view_reason": coverage.multi_view.reason,
        "multi_view_registered_share": coverage.multi_view.registered_share,
        "multi_view_reprojection_px": coverage.multi_view.reprojection_px,
        **coverage.baselines.chance.columns("_chance"),
        **coverage.baselines.null_edit.columns("_null"),
        "appearance_encoder": _encoder(coverage, "appearance").get("appearance_encoder"),
        "face_encoder": _encoder(coverage, "faces").get("face_encoder"),
        "clip_encoder": None if "clip" in coverage.missing else coverage.profile.clip.name,
    }


def _row(coverage: Coverage, name: str, take: Take) -> dict[str, object]:
    record, spec = take.record, spec_of(take.record)
    poses = {"asked": spec.asked, "given": spec.instruction.given}
    has_clip = "clip" not in coverage.missing
    return {
        **_place(coverage),
        "angle": name,
        "attempt": take.number,
        "is_chosen": take.is_chosen,
        "fingerprint": record.fingerprint,
        "rendered_by_run": record.run_id,
        **_recipe(spec),
        **{f"{kind}_{field}": value for kind, pose in poses.items() for field, value in pose.model_dump().items()},
        "picture_sha256": record.picture.sha256,
        **{f"{stage}_s": seconds for stage, seconds in record.stage_times_s.items()},
        **take.card.columns(),
        **take.card.paper.columns(),
        "clip_encoder": coverage.profile.clip.name if has_clip else None,
        "clip_training": coverage.profile.training if has_clip else None,
        **_encoder(coverage, "appearance"),
        **_encoder(coverage, "faces"),
    }


def _place(coverage: Coverage) -> dict[str, object]:
    """Return what all rows of a version share."""
    return {
        "project": coverage.request.project,
        "sequence": coverage.request.sequence,
        "scene": coverage.scene,
        "version": coverage.number,
        "run_id": coverage.run_id,
        "created_at": coverage.created_at,
        "master_sha256": coverage.master.sha256,
    }


def _recipe(spec: AngleSpec) -> dict[str, object]:
    return {
        "profile": spec.profile.name,
        "training": spec.profile.training,
        "seed": spec.seed,
        "prompt": spec.instruction.prompt,
        "is_extrapolated": spec.instruction.is_extrapolated,
        "width_px": spec.framing.source_width_px,
        "height_px": spec.framing.source_height_px,
        **spec.profile.arithmetic.model_dump(),
    }


def _encoder(coverage: Coverage, kind: str) -> dict[str, object]:
    """Return name and digest of an encoder that was there to measure with."""
    encoder = getattr(coverage.profile, kind)
    column = {"appearance": "appearance_encoder", "faces": "face_encoder"}[kind]
    if encoder is None or kind in coverage.missing:
        return {}
    return {column: encoder.name, f"{column}_sha256": encoder.digest}


def _render_s(record: AngleRecord) -> float:
    return sum(seconds for stage, seconds in record.stage_times_s.items() if stage != "queue")
