"""What all models of the wire share: how strict they are, and the words that several endpoints take.

Law: requests are strict (an unknown field or a wrong type is refused), replies are lenient (a backend that is
not ours may add fields; what has a default here may be missing, or of no use).
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic_core import PydanticCustomError

# A name goes into a header, a log, a database: PostgreSQL keeps no NUL.
_NO_NUL = r"^[^\x00]*$"
Name = Annotated[str, StringConstraints(pattern=_NO_NUL, max_length=200)]
ThreadId = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=_NO_NUL)]
MemoryMode = Literal["incognito", "persistent"]
Outcome = Literal["completed", "interrupted", "connection_interrupted"]
ToolStatus = Literal["started", "completed", "failed"]
FinalizationStatus = Literal["idle", "in_progress", "completed", "failed"]
Feedback = Literal["positive", "negative", "skip"]  # skip: asked, and not answered

# ISO 639, then script and region as in BCP 47: "de", "pt-BR", "zh-Hant-TW".
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z]{4})?(-([a-z]{2}|[0-9]{3}))?", re.IGNORECASE)
AUTO_LANGUAGE = "auto"  # whichever is heard


def is_language(code: str) -> bool:
    """Has it the shape of a language's code, or is it "auto"?"""
    return code == AUTO_LANGUAGE or _LANGUAGE.fullmatch(code) is not None


def _language(code: str) -> str:
    if not is_language(code):
        raise PydanticCustomError("language", "not the code of a language, such as en or de, nor auto")
    return code


Language = Annotated[str, AfterValidator(_language)]
Sensitivity = Annotated[int, Field(ge=0, le=100)]
SilenceMs = Annotated[int, Field(ge=200, le=800)]


class Request(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Reply(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    @field_validator("*", mode="wrap")
    @classmethod
    def _default_for_unusable(cls, value: object, validate: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        try:
            return validate(value)
        except ValidationError:
            assert info.field_name is not None  # this validates fields
            field = cls.model_fields[info.field_name]
            if field.is_required():
                raise
            return field.get_default(call_default_factory=True, validated_data=info.data)


class ErrorDetail(Reply):
    code: str
    message: str


class ErrorBody(Reply):
    """``{"detail": {"code", "message"}}``"""

    detail: ErrorDetail
