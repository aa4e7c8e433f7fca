"""The policy that the documentation gives to whoever deploys, for a user of the emulator."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.support.engine import ROOT
from tests.support.ministack import ACCOUNT, REGION

EMULATED = {
    "Effect": "Allow",
    "Action": [
        "events:*", "lambda:CreateFunction", "scheduler:DeleteSchedule", "scheduler:GetSchedule", "scheduler:ListTagsForResource",
    ],
    "Resource": "*",
}  # fmt: skip
"""What the emulator holds against resources that are named otherwise than on AWS, or not at all."""


def documented() -> dict[str, Any]:
    """The policy of ``docs/aws.md``, for the emulator's account and region and the bucket ``lake-of-tests``."""
    found = re.search(r"^```json deployer.json\n(.*?)^```", (ROOT / "docs" / "aws.md").read_text(), re.MULTILINE | re.DOTALL)
    assert found
    text = found[1].replace("086903124729", ACCOUNT).replace("us-east-2", REGION).replace("our-lake", "lake-of-tests")
    policy: dict[str, Any] = json.loads(text)
    return policy
