"""A passage that an answer may rest on: a few sentences, and the page that they can be read up on."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MAX_TITLE = 200  # characters
MAX_TEXT = 1200  # characters; it is read out

HttpsUrl = Annotated[str, Field(pattern=r"^https://[^\s/]+(/\S*)?$", max_length=2000)]


class Passage(BaseModel):
    """``dated``: when it was written, or last held against the page. What else a source tells of it is left out."""

    model_config = ConfigDict(frozen=True)

    title: Annotated[str, Field(min_length=1, max_length=MAX_TITLE)]
    text: Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
    url: HttpsUrl
    publisher: Annotated[str, Field(max_length=MAX_TITLE)] = ""
    dated: date | None = None
