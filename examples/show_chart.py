"""A tool of your own whose result the user sees: the model calls for a chart, and this terminal draws it. Offline.

python examples/show_chart.py "How did I sleep this week?" "What do I spend my evenings on?"
"""

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from rich.console import Console
from rich.table import Table
from rich.text import Text

from couchvoice import (
    AssistantTranscript,
    Endpoints,
    NullSink,
    SilentSource,
    ToolResult,
    TurnRecorded,
    UserTranscript,
    VoiceSession,
)
from couchvoice.backend import tool
from couchvoice.embedded import embedded_ends
from couchvoice.settings import load_settings

WIDTH, HEIGHT = 30, 5  # cells of a whole chart
# The model makes these up, and they reach a terminal: no control characters.
Words = Annotated[str, Field(pattern=r"^[\w ,.%-]{1,40}$")]


@dataclass
class Point:
    label: Words
    value: Annotated[float, Field(ge=0)]


@tool
def show_chart(
    chart_type: Literal["line", "bar", "pie", "area"],
    title: Words,
    data: Annotated[list[Point], Field(min_length=1, max_length=12)],
) -> dict[str, Any]:
    """Show the user a chart. Call it when figures say more than words."""
    return {"chart_type": chart_type, "title": title, "data": data, "response_text": f"Here it is: {title}."}


def chart(kind: str, title: str, data: list[Mapping[str, Any]]) -> Table:
    """As a table: bars and shares lie, line and area stand."""
    values = [point["value"] for point in data]
    whole = (sum(values) if kind == "pie" else max(values)) or 1.0
    table = Table(title=title, show_header=False, box=None)
    if kind in ("bar", "pie"):
        for point in data:
            share = point["value"] / whole
            told = f"{share:.0%}" if kind == "pie" else f"{point['value']:g}"
            table.add_row(Text(point["label"]), Text("█" * round(share * WIDTH), "cyan"), told)
    else:
        tops = [round(value / whole * HEIGHT) for value in values]
        for height in range(HEIGHT, 0, -1):
            filled = [height <= top if kind == "area" else height == top for top in tops]
            table.add_row(*(Text("████" if cell else "", "cyan") for cell in filled))
        table.add_row(*(Text(point["label"]) for point in data))
    return table


async def main(questions: list[str]) -> None:
    console = Console(highlight=False, markup=False)
    replies = Path(__file__).with_suffix(".yaml")
    async with (
        embedded_ends(load_settings(), replies=replies, tools=[show_chart]) as ends,
        VoiceSession(Endpoints(**ends._asdict()), source=SilentSource(), sink=NullSink()) as session,
    ):
        await session.set_modalities("text")  # written answers: nobody listens here
        session.send_message(questions.pop(0))
        async for notice in session:
            match notice:
                case UserTranscript(_, text, True):
                    console.print(f"you: {text}")
                case AssistantTranscript(_, text, True):
                    console.print(f"assistant: {text}")
                case ToolResult("show_chart", _, {"chart_type": kind, "title": title, "data": data}):
                    console.print(chart(kind, title, data))
                case TurnRecorded():
                    if not questions:
                        break
                    session.send_message(questions.pop(0))


asyncio.run(main(sys.argv[1:] or ["How did I sleep this week?"]))
