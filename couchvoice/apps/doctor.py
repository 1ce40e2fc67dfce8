"""``couchvoice doctor``: what of this machine's sound works, what does not, and what to do about it.

Each check opens what a talk would open, one after the other, and lets go of it. Law: one line for each check, whatever
happens; nothing is remembered, and nothing is played unless ``--echo`` asks for it.
"""

from __future__ import annotations

import json as json_lines
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Literal

from couchvoice.apps.echo_check import measure_echo
from couchvoice.apps.exit_status import BROKE, NO_AUDIO, OK
from couchvoice.apps.screen import clean
from couchvoice.audio.canceller import Libwebrtc, is_installed
from couchvoice.audio.chirp import advise
from couchvoice.audio.devices import Device, list_devices
from couchvoice.audio.fader import level
from couchvoice.audio.frames import FRAME_MS, SAMPLE_RATE, silence
from couchvoice.audio.microphone import Microphone
from couchvoice.audio.opus import OpusUnavailable, opus_library
from couchvoice.audio.permission import microphone_hint
from couchvoice.audio.playout import PlayoutBuffer
from couchvoice.audio.portaudio import portaudio
from couchvoice.audio.report import DeviceReport
from couchvoice.audio.speaker import Speaker
from couchvoice.errors import AudioDeviceError, ConfigError, MicrophoneDenied

LISTEN_MS = 1000  # ms of the microphone, for its level
SKIP_MS = 200  # ms at its beginning: many cards give zeros or a click first

Status = Literal["pass", "fail", "skip"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """``detail`` is one sentence, ``hint`` what to do; ``figures`` are for machines."""

    name: str
    status: Status
    detail: str
    hint: str = ""
    figures: dict[str, float | str | None] = field(default_factory=dict)


async def examine(*, input: str | None, output: str | None, echo: bool) -> AsyncIterator[Check]:
    """The checks in order, as they are made; ``input`` and ``output`` choose devices as in a talk."""
    library = _check_portaudio()
    yield library
    listed = _check_devices(has_portaudio=library.status == "pass")
    yield listed
    if listed.status == "fail":
        for name in ("input", "output"):
            yield Check(name=name, status="skip", detail="there is no device to try")
        ears = mouth = listed
    else:
        ears = await _check_input(input)
        yield ears
        mouth = await _check_output(output)
        yield mouth
    yield _check_opus()
    yield _check_livekit()
    if not echo:
        yield Check(name="echo", status="skip", detail="not measured", hint="--echo plays a chirp of a second")
    elif "fail" in (ears.status, mouth.status):
        yield Check(
            name="echo", status="skip", detail="not measured: it needs a microphone and a loudspeaker that work"
        )
    else:
        yield await _check_echo(input, output)


async def doctor(*, input: str | None, output: str | None, echo: bool, json: bool) -> int:
    """Print the checks. Returns the exit status: 0 nothing failed, 3 there is no sound card to use, 1 anything else."""
    failed: set[str] = set()
    counts: Counter[str] = Counter()
    async for check in examine(input=input, output=output, echo=echo):
        counts[check.status] += 1
        failed |= {check.name} if check.status == "fail" else set()
        _show(check, json=json)
    status = NO_AUDIO if failed & {"portaudio", "devices"} else BROKE if failed else OK
    if json:
        totals = {"passed": counts["pass"], "failed": counts["fail"], "skipped": counts["skip"]}
        print(json_lines.dumps({"type": "summary", **totals, "exit": status}), flush=True)
    return status


def _show(check: Check, *, json: bool) -> None:
    if json:
        line = {"name": check.name, "status": check.status, "detail": check.detail, "hint": check.hint or None}
        print(json_lines.dumps({"type": "check", **line, **check.figures}), flush=True)
    else:
        print(f"{check.status:<5} {check.name:<10} {clean(check.detail)}", flush=True)
        if check.hint:
            print(f"{'':<16} → {clean(check.hint)}", flush=True)


def _check_portaudio() -> Check:
    try:
        with portaudio("output", "ask PortAudio for its version") as sd:
            return Check(name="portaudio", status="pass", detail=sd.get_portaudio_version()[1])
    except AudioDeviceError as exc:
        what, _, hint = str(exc).partition(": ")
        return Check(name="portaudio", status="fail", detail=what, hint=hint)


def _check_devices(*, has_portaudio: bool) -> Check:
    if not has_portaudio:
        return Check(name="devices", status="fail", detail="cannot be listed without PortAudio")
    try:
        devices = list_devices()
    except AudioDeviceError as exc:
        return Check(name="devices", status="fail", detail=str(exc))
    inputs = [device for device in devices if device.input_channels]
    outputs = [device for device in devices if device.output_channels]
    if not devices:
        hint = "connect one; in a container, give it the sound server's socket or /dev/snd; or use WAV files"
        return Check(name="devices", status="fail", detail="there is no sound device", hint=hint)
    defaults = f"default microphone {_default(inputs, 'input')}, default loudspeaker {_default(outputs, 'output')}"
    return Check(
        name="devices", status="pass", detail=f"{len(inputs)} with input, {len(outputs)} with output; {defaults}"
    )


def _default(devices: list[Device], kind: Literal["input", "output"]) -> str:
    return next((f'"{device.name}"' for device in devices if device.is_default(kind)), "none")


async def _check_input(selector: str | None) -> Check:
    microphone = Microphone(selector)
    try:
        await microphone.open()
        for _ in range(SKIP_MS // FRAME_MS):
            await microphone.read()
        frames = [(await microphone.read()).samples for _ in range(LISTEN_MS // FRAME_MS)]
    except MicrophoneDenied as exc:
        return Check(name="input", status="fail", detail=f"may not be used ({exc.detail})", hint=exc.hint)
    except AudioDeviceError as exc:
        return Check(name="input", status="fail", detail=str(exc))
    finally:
        await microphone.close()
    if not any(frame.any() for frame in frames):
        detail = "the microphone opens and gives nothing but zeros: it is switched off, or kept from this program"
        hint = f"look for a switch on it, and at the system's volume; else: {microphone_hint()}"
        return Check(name="input", status="fail", detail=detail, hint=hint)
    loudest = round(max(level(frame) for frame in frames), 1)
    return Check(
        name="input",
        status="pass",
        detail=f"the microphone hears something, {loudest:.0f} dBFS at the loudest",
        figures={"level_dbfs": loudest},
    )


async def _check_output(selector: str | None) -> Check:
    speaker, reports = Speaker(selector), list[DeviceReport]()
    speaker.report_to(reports.append)
    try:
        await speaker.open(PlayoutBuffer())
    except AudioDeviceError as exc:
        return Check(name="output", status="fail", detail=str(exc))
    finally:
        await speaker.close()
    if reports:
        hint = "another program may hold it; --output chooses another"
        return Check(
            name="output", status="fail", detail=reports[0].detail or "the loudspeaker does not open", hint=hint
        )
    return Check(name="output", status="pass", detail="the loudspeaker opens")


def _check_opus() -> Check:
    try:
        library = opus_library()
    except OpusUnavailable as exc:
        hint = "install the system's package (Debian, Ubuntu: libopus0); until then lost packets are heard as gaps"
        return Check(name="libopus", status="fail", detail=f"not found: {exc}", hint=hint)
    return Check(
        name="libopus", status="pass", detail=f"{library.version}, {library.path}", figures={"path": library.path}
    )


def _check_livekit() -> Check:
    if not is_installed():
        hint = "pip install 'couchvoice[aec]' to be able to interrupt without headphones"
        return Check(name="livekit", status="skip", detail="not installed: echo cannot be cancelled", hint=hint)
    try:
        Libwebrtc(echo_cancellation=True).clean(silence(SAMPLE_RATE // 100), silence(0))
    except ConfigError as exc:
        return Check(name="livekit", status="fail", detail=f"does not load: {exc.__cause__}")
    return Check(name="livekit", status="pass", detail=f"livekit {version('livekit')} cancels echo")


async def _check_echo(input: str | None, output: str | None) -> Check:
    try:
        echo = await measure_echo(Microphone(input), Speaker(output))
    except AudioDeviceError as exc:
        return Check(name="echo", status="fail", detail=str(exc))
    policy, why = advise(echo)
    return Check(
        name="echo",
        status="pass",
        detail=f"{policy}: {why}",
        hint=f'couchvoice talk --echo {policy}; to keep it, write echo = "{policy}" into the settings file',
        figures={
            "policy": policy.value,
            "delay_ms": echo.delay_ms if echo else None,
            "coupling_db": echo.coupling_db if echo else None,
        },
    )
