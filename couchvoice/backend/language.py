"""Languages: what a code means to a transcription model, and what it is called in English.

Not the shape of a code: the contract has it. A code that is not in the table is named by itself.
"""

from __future__ import annotations

from couchvoice.contract import AUTO_LANGUAGE

_NAMES = {
    "ar": "Arabic",
    "bg": "Bulgarian",
    "bn": "Bengali",
    "ca": "Catalan",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "et": "Estonian",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "he": "Hebrew",
    "hi": "Hindi",
    "hr": "Croatian",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "ms": "Malay",
    "nl": "Dutch",
    "no": "Norwegian",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sk": "Slovak",
    "sl": "Slovenian",
    "sr": "Serbian",
    "sv": "Swedish",
    "sw": "Swahili",
    "ta": "Tamil",
    "th": "Thai",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "vi": "Vietnamese",
    "zh": "Chinese",
}


def chosen_language(asked: str | None, default: str) -> str | None:
    """The code of the language to speak. None: whichever is heard."""
    code = asked or default
    return None if code == AUTO_LANGUAGE else code


def primary_code(code: str) -> str:
    """ISO 639 alone: transcription models know no regions."""
    return code.partition("-")[0].lower()


def english_name(code: str) -> str:
    """As in "Portuguese (pt-BR)"."""
    name = _NAMES.get(primary_code(code))
    if name is None:
        return f"the language with the code {code}"
    return f"{name} ({code})" if "-" in code else name
