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


@contextmanager
def sound_system() -> Iterator[SoundSystem]:
    """Devices: couch_mic hears what is played to couch_micfeed; couch_loop hears what couch_speaker plays."""
    require(find_library("portaudio"), "PortAudio (libportaudio2)")
    for program in ("pulseaudio", "pactl", "parec", "paplay"):
        require(shutil.which(program), f"{program} (pulseaudio, pulseaudio-utils)")
    plugin = any(Path("/usr").glob("lib*/**/alsa-lib/libasound_module_pcm_pulse.so"))
    require(plugin, "ALSA's way to PulseAudio (libasound2-plugins)")
    with ExitStack() as stack:
        # Not pytest's tmp_path: a socket's path has 108 bytes at most.
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="couch-")))
        environment = _environment(home)
        daemon = stack.enter_context(_running(_daemon_command(home), environment))
        _await_daemon(environment)
        for sink in ("spk", "micfeed"):
            stack.enter_context(_kept_awake(sink, environment))
        yield SoundSystem(environment, daemon)


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


def _daemon_command(home: Path) -> list[str]:
    modules = (
        f"module-native-protocol-unix auth-anonymous=1 socket={home / 'native'}",
        "module-null-sink sink_name=spk rate=48000 channels=2",
        "module-null-sink sink_name=micfeed rate=48000 channels=1",
        "module-remap-source source_name=mic master=micfeed.monitor",
    )
    options = (
        "-n --daemonize=no --exit-idle-time=-1 --realtime=no --high-priority=no --use-pid-file=no --log-target=stderr"
    )
    return ["pulseaudio", *options.split(), *(word for module in modules for word in ("-L", module))]


def _await_daemon(environment: dict[str, str]) -> None:
    """pactl waits for a socket's answer, not for the socket: ask until it is there."""
    ask = "until pactl list short sources | grep -q mic; do sleep 0.05; done"
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
