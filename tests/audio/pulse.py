"""A sound system without a sound card: a private PulseAudio daemon, and PortAudio's way to it.

PortAudio reads its environment when it is loaded, so whatever uses these devices runs in a process of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ctypes.util import find_library
from dataclasses import dataclass
from pathlib import Path

from tests.requirements import require

ROOT = Path(__file__).parents[2]
START_TIMEOUT = 15.0  # s
PROBE_TIMEOUT = 18.0  # s

_ALSA = """</usr/share/alsa/alsa.conf>
pcm.couch_speaker { type pulse device "spk"         hint { show on description "test speaker" } }
pcm.couch_mic     { type pulse device "mic"         hint { show on description "test microphone" } }
pcm.couch_loop    { type pulse device "spk.monitor" hint { show on description "what the speaker plays" } }
pcm.couch_micfeed { type pulse device "micfeed"     hint { show on description "speak into the microphone" } }
pcm.!default { type pulse }
ctl.!default { type pulse }
"""


# The microphone and the loudspeaker in a daemon each: PulseAudio moves the streams of what is unplugged to whatever
# else it has, as long as there is something.
_HOT_ALSA = """</usr/share/alsa/alsa.conf>
pcm.couch_speaker { type pulse device "spk" }
pcm.couch_mic     { type pulse server "unix:MICROPHONE" device "mic" }
pcm.!default { type pulse }
ctl.!default { type pulse }
"""
_HOT_DEVICES = (
    ("micfeed", "module-remap-source source_name=mic master=micfeed.monitor"),
    ("below", "module-remap-sink sink_name=spk master=below"),
)
_SPEAKER = ("module-null-sink sink_name=spk rate=48000 channels=2",)
_MICROPHONE = (
    "module-null-sink sink_name=micfeed rate=48000 channels=1",
    "module-remap-source source_name=mic master=micfeed.monitor",
)


@dataclass(frozen=True, slots=True)
class SoundSystem:
    """``environment`` makes a process hear and speak here."""

    environment: dict[str, str]
    daemon: subprocess.Popen[bytes]

    def probe(self, name: str, *arguments: str) -> subprocess.Popen[str]:
        """Start one of the programs of probes.py here."""
        return start_probe(name, *arguments, environment=self.environment)

    def kill(self) -> None:
        """As a crash of the daemon."""
        self.daemon.kill()
        self.daemon.wait(START_TIMEOUT)


def start_probe(name: str, *arguments: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "tests.audio.probes", name, *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def require_parts() -> None:
    require(find_library("portaudio"), "PortAudio (libportaudio2)")
    for program in ("pulseaudio", "pactl", "parec", "paplay"):
        require(shutil.which(program), f"{program} (pulseaudio, pulseaudio-utils)")
    plugin = any(Path("/usr").glob("lib*/**/alsa-lib/libasound_module_pcm_pulse.so"))
    require(plugin, "ALSA's way to PulseAudio (libasound2-plugins)")


@contextmanager
def sound_system() -> Iterator[SoundSystem]:
    """Devices: couch_mic hears what is played to couch_micfeed; couch_loop hears what couch_speaker plays."""
    require_parts()
    with ExitStack() as stack:
        # Not pytest's tmp_path: a socket's path has 108 bytes at most.
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="couch-")))
        environment = _environment(home)
        daemon = stack.enter_context(_running(_daemon_command(home, *_SPEAKER, *_MICROPHONE), environment))
        _await_daemon(environment)
        for sink in ("spk", "micfeed"):
            stack.enter_context(_kept_awake(sink, environment))
        yield SoundSystem(environment, daemon)


class HotPlug:
    """A device in a daemon of its own, to unplug and to plug in as often as wanted. The environment is the daemon's."""

    def __init__(self, environment: dict[str, str], sink: str, device: str) -> None:
        self.environment = environment
        self._sink = sink
        self._device = device
        self._awake = ExitStack()

    def plug_in(self) -> None:
        self._pactl("load-module", "module-null-sink", f"sink_name={self._sink}", "rate=48000", "channels=1")
        self._awake.enter_context(_kept_awake(self._sink, self.environment))
        # Not before: whoever opened a sink that sleeps would stand still for two seconds.
        self._pactl("load-module", *self._device.split())

    def unplug(self) -> None:
        self._pactl("unload-module", "module-null-sink")  # takes what hangs on it along
        self._awake.close()

    def close(self) -> None:
        self._awake.close()

    def _pactl(self, *command: str) -> None:
        subprocess.run(
            ["pactl", *command], env=self.environment, check=True, timeout=START_TIMEOUT, capture_output=True
        )


@contextmanager
def hot_plugs() -> Iterator[tuple[HotPlug, HotPlug]]:
    """couch_mic, which hears what is played to ``micfeed`` of its daemon, and couch_speaker. Both are plugged in.

    A program that uses them runs in the speaker's environment.
    """
    require_parts()
    with ExitStack() as stack:
        plugs = []
        for sink, device in _HOT_DEVICES:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="couch-")))
            environment = _environment(home)
            stack.enter_context(_running(_daemon_command(home), environment))
            _await_daemon(environment, "pactl info")
            plug = HotPlug(environment, sink, device)
            plug.plug_in()
            stack.callback(plug.close)
            plugs.append(plug)
        microphone, speaker = plugs
        server = microphone.environment["PULSE_SERVER"].removeprefix("unix:")
        Path(speaker.environment["ALSA_CONFIG_PATH"]).write_text(_HOT_ALSA.replace("MICROPHONE", server))
        yield microphone, speaker


def _environment(home: Path) -> dict[str, str]:
    (home / "asound.conf").write_text(_ALSA, encoding="utf-8")
    return os.environ | {
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home),
        "PULSE_RUNTIME_PATH": str(home),
        "PULSE_STATE_PATH": str(home),
        "PULSE_COOKIE": str(home / "cookie"),
        "PULSE_SERVER": f"unix:{home / 'native'}",
        "ALSA_CONFIG_PATH": str(home / "asound.conf"),
        "PYTHONPATH": str(ROOT),
    }


def _daemon_command(home: Path, *devices: str) -> list[str]:
    modules = (f"module-native-protocol-unix auth-anonymous=1 socket={home / 'native'}", *devices)
    options = (
        "-n --daemonize=no --exit-idle-time=-1 --realtime=no --high-priority=no --use-pid-file=no --log-target=stderr"
    )
    return ["pulseaudio", *options.split(), *(word for module in modules for word in ("-L", module))]


def _await_daemon(environment: dict[str, str], answers: str = "pactl list short sources | grep -q mic") -> None:
    """pactl waits for a socket's answer, not for the socket: ask until it is there."""
    ask = f"until {answers}; do sleep 0.05; done"
    subprocess.run(["bash", "-c", ask], env=environment, check=True, timeout=START_TIMEOUT, capture_output=True)


@contextmanager
def _kept_awake(sink: str, environment: dict[str, str]) -> Iterator[None]:
    """A null sink sleeps for seconds while nobody reads it with a low latency. Returns when sound flows."""
    command = ["parec", "--latency-msec=10", f"--device={sink}.monitor"]
    with _running(command, environment, stdout=subprocess.PIPE) as reader:
        flows = threading.Event()

        def drain() -> None:
            assert reader.stdout is not None  # it is a pipe
            while reader.stdout.read(960):
                flows.set()

        thread = threading.Thread(target=drain, name=f"drain-{sink}")
        thread.start()
        try:
            require(flows.wait(START_TIMEOUT), f"sound from PulseAudio's {sink}")
            yield
        finally:
            reader.terminate()
            thread.join()


@contextmanager
def _running(
    command: list[str], environment: dict[str, str], stdout: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, env=environment, stdout=stdout, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()
