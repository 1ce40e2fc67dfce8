"""The JSON schema of a script, for editors: script.schema.json beside this file is what it returns.

python -m couchvoice.scenario.script_schema > couchvoice/scenario/script.schema.json
"""

from __future__ import annotations

import json
import sys
from typing import Any

import msgspec

from couchvoice.scenario.script import Script


def script_schema() -> dict[str, Any]:
    schema = msgspec.json.schema(Script)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    # The types cannot say it, their checks can.
    schema["$defs"]["Step"] |= {"minProperties": 1, "maxProperties": 1}
    return schema


if __name__ == "__main__":
    sys.stdout.write(json.dumps(script_schema(), indent=2) + "\n")
