"""Runs inside of MiniStack, where the patch ``parts`` is asked for: what a provider of infrastructure needs and it leaves out.

Alarms are described with all that they were given. A bus takes a policy as a whole. Job definitions are found by ARN and status,
told whole, and deregistered; queues and environments of Batch can be deleted, once they are disabled and nothing uses them.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ministack.services import batch, cloudwatch, eventbridge  # type: ignore[import-not-found]

Told = dict[str, Any]
GIVEN = ("Period", "Statistic", "TreatMissingData", "ActionsEnabled")


def alarm(name: str) -> str:
    """What an alarm's description lacks, as XML."""
    found = cloudwatch._alarms[name]
    plain = "".join(f"<{it}>{str(found[it]).lower() if it == 'ActionsEnabled' else found[it]}</{it}>" for it in GIVEN)
    pairs = [f"<member><Name>{it['Name']}</Name><Value>{it['Value']}</Value></member>" for it in found["Dimensions"]]
    actions = [f"<member>{it}</member>" for it in found["AlarmActions"]]
    return f"{plain}<Dimensions>{''.join(pairs)}</Dimensions><AlarmActions>{''.join(actions)}</AlarmActions>"


def xml(status: int, root: str, inner: str, answer: Any = cloudwatch._xml) -> Any:
    if root == "DescribeAlarmsResponse":
        inner = re.sub(r"<AlarmName>([^<]*)</AlarmName>", lambda found: found[0] + alarm(found[1]), inner)
    return answer(status, root, inner)


def permit(told: Told, answer: Any = eventbridge._put_permission) -> Any:
    if "Policy" not in told:
        return answer(told)
    eventbridge._event_bus_policies[told["EventBusName"]] = json.loads(told["Policy"])
    return eventbridge.json_response({})


def register(told: Told, answer: Any = batch._register_job_definition) -> Any:
    reply = answer(told)
    kept = batch._job_definitions[told["jobDefinitionName"]][-1]
    kept.update({it: told[it] for it in ("platformCapabilities", "propagateTags") if it in told})
    return reply


def definitions(told: Told) -> Any:
    wanted = {"jobDefinitionName": told.get("jobDefinitionName"), "status": told.get("status")}
    found = [each for revisions in batch._job_definitions.values() for each in revisions]
    found = [each for each in found if all(value in (None, each[it]) for it, value in wanted.items())]
    arns = told.get("jobDefinitions") or [each["jobDefinitionArn"] for each in found]
    return batch._json(200, {"jobDefinitions": [each for each in found if each["jobDefinitionArn"] in arns]})


def deregister(told: Told) -> Any:
    for revisions in batch._job_definitions.values():
        for each in revisions:
            if each["jobDefinitionArn"] == told["jobDefinition"]:
                each["status"] = "INACTIVE"
    return batch._json(200, {})


def change_queue(told: Told) -> Any:
    found = batch._job_queues[name(told["jobQueue"])]
    found.update({it: told[it] for it in ("state", "priority", "computeEnvironmentOrder") if it in told})
    return batch._json(200, {"jobQueueName": found["jobQueueName"], "jobQueueArn": found["jobQueueArn"]})


def delete_queue(told: Told) -> Any:
    return deleted(batch._job_queues, name(told["jobQueue"]))


def environments(told: Told) -> Any:
    wanted = [name(it) for it in told.get("computeEnvironments") or batch._compute_envs]
    return batch._json(200, {"computeEnvironments": [it for each, it in batch._compute_envs.items() if each in wanted]})


def delete_environment(told: Told) -> Any:
    orders = [order for queue in batch._job_queues.values() for order in queue["computeEnvironmentOrder"]]
    wanted = name(told["computeEnvironment"])
    if wanted in [name(order["computeEnvironment"]) for order in orders]:
        return batch.error_response_json("ClientException", "Cannot delete, found existing JobQueue relationship", 400)
    return deleted(batch._compute_envs, wanted)


def deleted(kept: dict[str, Any], wanted: str) -> Any:
    if kept[wanted]["state"] != "DISABLED":
        return batch.error_response_json("ClientException", "Cannot delete, resource is enabled", 400)
    del kept[wanted]
    return batch._json(200, {})


def name(reference: str) -> str:
    """Of a name or an ARN."""
    return reference.rsplit("/", 1)[-1]


cloudwatch._xml = xml
eventbridge._put_permission = permit
batch._DISPATCH.update(
    {
        "/v1/registerjobdefinition": register,
        "/v1/describejobdefinitions": definitions,
        "/v1/deregisterjobdefinition": deregister,
        "/v1/updatejobqueue": change_queue,
        "/v1/deletejobqueue": delete_queue,
        "/v1/describecomputeenvironments": environments,
        "/v1/deletecomputeenvironment": delete_environment,
    }
)
