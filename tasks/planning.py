"""From what was asked for to what will be rendered: every angle settled down to the last value that changes a pixel."""

from prefect import task

from models.camera import phrase
from models.framing import plan_framing
from models.specs import AngleSpec
from storage.records import MasterRecord
from tasks.policies import WHILE_TRANSIENT
from tasks.renderers import Place, find_model
from tasks.requests import SceneRequest


@task(name="plan-coverage", task_run_name="plan coverage", **WHILE_TRANSIENT)
def plan_coverage(request: SceneRequest, master: MasterRecord, place: Place) -> tuple[AngleSpec, ...]:
    """Settle every angle of a request, in the order asked for.

    Raises:
        UnspeakablePoseError: The profile's dialect has no words for one of the poses.
        ProfileError: Files of the profile are missing or not safe to open.
        RenderError: The resident renderer does not answer, or holds another model.
    """
    profile, weights_sha256 = find_model(request.profile, place)
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
