"""Angles of a scene's latest version again, with other noise; the others are carried on."""

from prefect import flow
from prefect.runtime import flow_run

from flows.scene import name_run, render_scene
from flows.settings import read_settings
from storage.records import Manifest
from tasks.rerendering import RerenderRequest, complete_request, parse_rerender


@flow(name="rerender-angle", flow_run_name=name_run, validate_parameters=False)
def rerender_angle(request: RerenderRequest) -> Manifest:
    """Render angles of a scene anew, whatever is finished already, and publish the scene's next version.

    Raises:
        TaskError, ModelError, StorageError: With one sentence on what failed and what to do.
    """
    settings, request = read_settings(), parse_rerender(request)
    return render_scene(complete_request(request, flow_run.id, settings.store))
