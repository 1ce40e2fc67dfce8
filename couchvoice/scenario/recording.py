"""Makes a cassette of a talk that was held.

Law: nothing that is secret, or says whose talk it was, is on it; what was said is. A record knows no such things
already (TalkTap.keep_back), but for what a file brings; ids of the provider's become numbers here.
"""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Any

from couchvoice.cassette import Cassette, Moment, Packet, Take
from couchvoice.scenario.scrub import Scrubber
from couchvoice.scenario.sound_file import ogg_from_samples
from couchvoice.scenario.talk_record import RawEvent, State, TalkRecord

_OPENED = "warming"  # the state from the open channel on


def cassette_of(record: TalkRecord) -> Cassette:
    """Of a talk that never began it holds no take: nobody is called when it is held again."""
    opened = [state.at for state in record.of(State) if state.state == _OPENED]
    scrubber = Scrubber({}, renumber=True)
    takes = [_take(record, scrubber, begin, end) for begin, end in pairwise([*opened, math.inf])]
    return Cassette(record.name, record.began, takes, ogg_from_samples(record.said))


def _take(record: TalkRecord, scrubber: Scrubber, begin: float, end: float) -> Take:
    moments = [
        Moment(_rounded(event.at - begin), event.who, scrubber.scrub(_parsed(event.text)))
        for event in record.of(RawEvent)
        if begin <= event.at < end
    ]
    packets = [
        Packet(_rounded(packet.at - begin), packet.timestamp, packet.payload)
        for packet in record.packets
        if begin <= packet.at < end
    ]
    return Take(moments, packets)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _rounded(seconds: float) -> float:
    return round(seconds, 4)
