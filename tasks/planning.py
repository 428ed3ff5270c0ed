"""From what was asked for to what will be rendered: every angle settled down to the last value that changes a pixel."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from models.camera import phrase
from models.framing import plan_framing
from models.profiles import Arithmetic, find_profile
from models.specs import AngleSpec
from models.weights import as_found, digest_weights
from storage.records import MasterRecord
from tasks.requests import SceneRequest


@task(name="plan-coverage", task_run_name="plan coverage", cache_policy=NO_CACHE)
def plan_coverage(
    request: SceneRequest, master: MasterRecord, weights: Path, arithmetic: Arithmetic
) -> tuple[AngleSpec, ...]:
    """Settle every angle of a request, in the order asked for.

    Raises:
        UnspeakablePoseError: The profile's dialect has no words for one of the poses.
        ProfileError: Files of the profile are missing or not safe to open.
    """
    profile = as_found(find_profile(request.profile), weights).model_copy(update={"arithmetic": arithmetic})
    weights_sha256 = digest_weights(profile, weights)
    width, height = int(str(master.facts["width_px"])), int(str(master.facts["height_px"]))
    framing = plan_framing(width, height, profile.reference_area_px)
    return tuple(
        AngleSpec(
            name=name,
            asked=pose,
            instruction=phrase(pose, profile.dialect),
            seed=request.seed,
            profile=profile,
            weights_sha256=weights_sha256,
            reference_sha256=master.picture.sha256,
            framing=framing,
        )
        for name, pose in request.poses.items()
    )
