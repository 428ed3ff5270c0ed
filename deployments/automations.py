"""What the server does by itself when a run falls silent, is given up or fails its checks, as code.

What a deployment is started by, a crash among it, stands at that deployment in prefect.yaml.
"""

from uuid import UUID

from prefect.automations import ChangeFlowRunState, DoNothing, EventTrigger, Posture, SendNotification
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectNotFound

from deployments.processes import ServeError
from tasks.announcing import CHECKS_FAILED
from tasks.recovery import GIVEN_UP, GONE, MAX_RUNS, OURS, SILENCE

OF_OURS: dict[str, str | list[str]] = {
    "prefect.resource.role": "tag",
    "prefect.resource.id": f"prefect.tag.{OURS}",
}
"""Other runs on the same server are not ours to touch."""
PREFIX = "mastershot: "
"""What is called so on a server is made here."""
RUN_ID = "prefect.resource.id"
ENDED = ("Completed", "Failed", "Cancelled", "Cancelling", "Crashed", "Paused", "Suspended", "AwaitingRetry")
_LOOK = "{{ event.resource.name }} has {{ event.payload.num_failed }} of {{ event.payload.num_angles }} views that "
_TOLD = "failed their checks in version {{ event.payload.version }}."


async def register_automations(client: PrefectClient, block: str) -> None:
    """Make or renew our automations, and remove those that are ours no longer; a disabled one stays disabled.

    Args:
        client: Of the server.
        block: `<type>/<name>` of the block that notifications go to, such as `slack-webhook/editors`; empty for none.

    Raises:
        ServeError: There is no such block.
    """
    block_id = await _find_block(client, block) if block else None
    known = {each.name: each for each in await client.read_automations() if each.name.startswith(PREFIX)}
    for automation in list_automations(block_id):
        there = known.pop(automation.name, None)
        if there is None:
            await client.create_automation(automation)
        elif _say(there) != _say(automation):  # a new trigger would forget which runs it waits for
            await client.update_automation(there.id, automation.model_copy(update={"enabled": there.enabled}))
    for old in known.values():
        await client.delete_automation(old.id)


def _say(automation: AutomationCore) -> dict[str, object]:
    """Return what an automation does, whatever the server calls its parts."""
    said = automation.model_dump(include={"description", "trigger", "actions"})
    return {**said, "trigger": {name: value for name, value in said["trigger"].items() if name != "id"}}


def list_automations(block_id: UUID | None) -> tuple[AutomationCore, ...]:
    """Return all automations; without a block, those that notify leave it at the event."""
    return (_find_silent(), _tell_failed_checks(block_id), _tell_given_up(block_id))


def _find_silent() -> AutomationCore:
    """Take a run whose heartbeat stopped for crashed: its machine is gone, or its process hangs."""
    return AutomationCore(
        name=f"{PREFIX}what gives no sign of life has crashed",
        description=f"No heartbeat for {SILENCE.total_seconds():g} s.",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.heartbeat", *(f"prefect.flow-run.{state}" for state in ENDED)},
            match={RUN_ID: "prefect.flow-run.*"},
            match_related=OF_OURS,
            for_each={RUN_ID},
            threshold=1,
            within=SILENCE,
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, name="Crashed", message=GONE, force=False)],
    )


def _tell_failed_checks(block_id: UUID | None) -> AutomationCore:
    return AutomationCore(
        name=f"{PREFIX}tell that views failed their checks",
        trigger=EventTrigger(expect={CHECKS_FAILED}, posture=Posture.Reactive, threshold=1),
        actions=[_tell(block_id, "A coverage needs a look", _LOOK + _TOLD)],
    )


def _tell_given_up(block_id: UUID | None) -> AutomationCore:
    return AutomationCore(
        name=f"{PREFIX}tell that a run is given up",
        description=f"It crashed in all of {MAX_RUNS} runs.",
        trigger=EventTrigger(
            posture=Posture.Reactive,
            expect={f"prefect.flow-run.{GIVEN_UP}"},
            match={RUN_ID: "prefect.flow-run.*"},
            match_related=OF_OURS,
            threshold=1,
        ),
        actions=[_tell(block_id, "A coverage is given up", "{{ flow_run.name }} crashed in every one of its runs.")],
    )


def _tell(block_id: UUID | None, subject: str, body: str) -> SendNotification | DoNothing:
    return SendNotification(block_document_id=block_id, subject=subject, body=body) if block_id else DoNothing()


async def _find_block(client: PrefectClient, block: str) -> UUID:
    kind, _, name = block.partition("/")
    try:
        return (await client.read_block_document_by_name(name, kind)).id
    except ObjectNotFound as exc:
        msg = f"There is no block {block!r} to notify: make it in the UI as <type>/<name>, or correct NOTIFY_BLOCK."
        raise ServeError(msg) from exc
