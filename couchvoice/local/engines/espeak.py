"""The ``espeak-ng`` program by the library of espeakng-loader: the same options, for machines without the program.

Run as a script in a child process: the library ends its whole process when its data is missing.
Law: imports nothing of ours, reads its text from stdin and writes one WAV to stdout.
"""

from __future__ import annotations

import argparse
import ctypes
import sys
import wave

import espeakng_loader

_RETRIEVAL = 1  # espeak_AUDIO_OUTPUT: hand the samples to the callback
_RATE, _PITCH, _WORD_GAP = 1, 3, 7  # espeak_PARAMETER
_UTF8 = 1  # espeakCHARS_UTF8
_CHARACTERS = 1  # espeak_POSITION_TYPE
_SAMPLE_BYTES = 2

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stdin", action="store_true")
    parser.add_argument("--stdout", action="store_true")
    parser.add_argument("-v", dest="voice", required=True)
    for option, name in (("-s", "rate"), ("-p", "pitch"), ("-g", "gap")):
        parser.add_argument(option, dest=name, type=int, required=True)
    options = parser.parse_args()
    rate, samples = _speak(sys.stdin.buffer.read(), options)
    with wave.open(sys.stdout.buffer, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(_SAMPLE_BYTES)
        wav.setframerate(rate)
        wav.writeframes(samples)


def _speak(text: bytes, options: argparse.Namespace) -> tuple[int, bytes]:
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(_RETRIEVAL, 0, espeakng_loader.get_data_path().encode(), 0)
    pieces: list[bytes] = []

    def collect(samples: ctypes._Pointer[ctypes.c_short], count: int, events: int | None) -> int:
        if samples:
            pieces.append(ctypes.string_at(samples, count * _SAMPLE_BYTES))
        return 0

    callback = _Callback(collect)  # kept until the library is done with it
    library.espeak_SetSynthCallback(callback)
    if rate <= 0 or library.espeak_SetVoiceByName(options.voice.encode()):
        sys.exit(f"espeak-ng has no voice {options.voice}")
    for parameter, value in ((_RATE, options.rate), (_PITCH, options.pitch), (_WORD_GAP, options.gap)):
        library.espeak_SetParameter(parameter, value, 0)
    library.espeak_Synth(text + b"\0", ctypes.c_size_t(len(text) + 1), 0, _CHARACTERS, 0, _UTF8, None, None)
    library.espeak_Synchronize()
    return rate, b"".join(pieces)


if __name__ == "__main__":
    main()
