"""The report as text: what stands in the file."""

import json
import re

import pytest

from couchvoice.errors import ConfigError
from couchvoice.scenario.percentiles import percentile, percentiles
from couchvoice.scenario.report import MOST_DETAILED, report_page, write_report
from couchvoice.scenario.talk_record import RawEvent, TalkRecord, Words

BEGAN = "2026-11-29T20:00:00+00:00"

pytestmark = pytest.mark.row("P7")


def views(page: str) -> dict[str, object]:
    found = re.findall(r'<script type="application/json" id="([^"]+)">(.*?)</script>', page, re.DOTALL)
    return {name: json.loads(text) for name, text in found}


def test_nothing_that_was_said_can_end_the_element_it_stands_in():
    hostile = "</script><script>alert(1)</script><!-- & \u2028"
    page = report_page([TalkRecord(hostile, BEGAN, entries=[Words(1.0, "assistant", hostile)])])
    assert "alert(1)</script>" not in page
    assert "\u2028" not in page.partition("</title>")[2]
    assert page.count("</script>") == len(views(page)) + 1
    assert views(page)["talk-0"]["words"][0]["text"] == hostile


def test_the_page_may_run_its_one_script_and_ask_nobody():
    page = report_page([TalkRecord("greeting", BEGAN)])
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert not re.findall(r"(?:src|href)=\W?https?:", page)


def test_events_that_are_no_json_are_shown_as_they_came():
    events = [RawEvent(1.0, "provider", text) for text in ("not json", "[1]", '{"no": "type"}', '{"type": 5}')]
    shown = views(report_page([TalkRecord("odd", BEGAN, entries=list(events))]))["talk-0"]["events"]
    assert [row[2:] for row in shown] == [
        ["(no event)", "not json"],
        ["(no event)", "[1]"],
        ["(no event)", '{"no": "type"}'],
        ["5", '{"type": 5}'],
    ]


def test_of_very_many_talks_the_failures_get_their_timeline_and_all_a_line():
    talks = [TalkRecord(f"talk {number}", BEGAN) for number in range(MOST_DETAILED + 5)]
    talks[-1].outcome = "failed"
    found = views(report_page(talks))
    assert len(found) == MOST_DETAILED + 1
    runs = found["summary-data"]["runs"]
    assert len(runs) == len(talks)
    assert found[f"talk-{runs[-1]['detail']}"]["outcome"] == "failed"
    assert [run["name"] for run in runs if run["detail"] is None] == [f"talk {number}" for number in range(39, 44)]


def test_a_percentile_is_one_of_the_values():
    values = [float(value) for value in range(100, 0, -1)]
    assert (percentile(values, 0.5), percentile(values, 0.95), percentile([7.0], 0.95)) == (50.0, 95.0, 7.0)
    assert percentiles([3.0, 1.0]) == {"count": 2, "p50": 1.0, "p95": 3.0, "max": 3.0}


def test_a_report_that_cannot_be_written_says_where(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot write .*: is a directory"):
        write_report(tmp_path, [TalkRecord("greeting", BEGAN)])
