"""Everything that can go wrong, as data. The sentence is built in ``__str__``; apps choose where to show it.

    CouchvoiceError
    ├── ConfigError                 an option, a setting, an input file
    ├── InvalidState                a call that the present state does not allow
    │   └── NotConnected            text or audio before the data channel is open
    ├── AudioDeviceError            no PortAudio, or
    │   ├── DeviceNotFound          no device, none of that name, or several
    │   ├── DeviceUnavailable       it is there and cannot be opened
    │   └── MicrophoneDenied        the system does not let us listen
    ├── TransportError              the way to the provider
    │   ├── NegotiationFailed
    │   │   └── SdpExchangeError    the calls URL answered with something other than 2xx and SDP
    │   ├── ConnectTimeout
    │   ├── ConnectionLost
    │   └── MessageTooLarge         a client event that the data channel does not take
    ├── BackendError                one of the four endpoints
    │   ├── Unauthorized            401, 403
    │   ├── RateLimited             429
    │   └── Unavailable             no connection, no answer in time, 5xx
    ├── UpdateRefused               a change of the running session that did not come about
    └── RealtimeError               the provider sent an ``error`` event that ends the session

Law: whoever catches one of these can act on its fields; nobody parses its sentence.
``retryable`` belongs to the exception, the retry policy to the caller.
"""

from __future__ import annotations

from collections.abc import Sequence


class CouchvoiceError(Exception):
    """The root. ``code`` is stable and fit for machines."""

    code = "couchvoice_error"
    retryable = False


class ConfigError(CouchvoiceError):
    """An option, a setting or an input file cannot be used as given."""

    code = "config_error"


class InvalidState(CouchvoiceError):
    """The call does not fit the present state."""

    code = "invalid_state"


class NotConnected(InvalidState):
    """Text or audio was handed in before the data channel was open, or after it closed."""

    code = "not_connected"

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status

    def __str__(self) -> str:
        return f"not connected (status: {self.status}): wait for connect() to return"


class AudioDeviceError(CouchvoiceError):
    """A sound device cannot be used."""

    code = "audio_device_error"


class DeviceNotFound(AudioDeviceError):
    """``selector`` is what was asked for, None for any; ``candidates`` are those that fit, or else all there are."""

    code = "device_not_found"

    def __init__(
        self,
        kind: str,
        selector: str | None,
        candidates: Sequence[str] = (),
        *,
        ambiguous: bool = False,
        hint: str | None = None,
    ) -> None:
        super().__init__(kind, selector, candidates)
        self.kind = kind
        self.selector = selector
        self.candidates = candidates
        self.ambiguous = ambiguous
        self.hint = hint  # where a person looks when a device should be there
        self.retryable = selector is None  # one may be connected; a name stays wrong

    def __str__(self) -> str:
        listed = ", ".join(self.candidates)
        if self.ambiguous:
            return f'several {self.kind} devices match "{self.selector}": name one of {listed}'
        if not self.candidates:
            hidden = f". Is one hidden from this program? {self.hint}" if self.hint else ""
            return f"no {self.kind} device: connect one, or use a WAV file (--{self.kind} FILE.wav){hidden}"
        return f'no {self.kind} device matches "{self.selector}": run "couchvoice devices" (there are: {listed})'


class DeviceUnavailable(AudioDeviceError):
    """A device that is there could not be used: it is taken, unplugged just now, or broken."""

    code = "device_unavailable"
    retryable = True

    def __init__(self, doing: str, detail: str) -> None:
        super().__init__(doing, detail)
        self.doing = doing
        self.detail = detail

    def __str__(self) -> str:
        return f"cannot {self.doing}: {self.detail}"


class MicrophoneDenied(AudioDeviceError):
    """The system keeps the microphone from this program. ``hint``: where a person allows it."""

    code = "mic_permission_denied"

    def __init__(self, detail: str, hint: str) -> None:
        super().__init__(detail, hint)
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        return f"the microphone may not be used ({self.detail}): {self.hint}"


class TransportError(CouchvoiceError):
    """The way to the provider failed."""

    code = "transport_error"
    retryable = True


class NegotiationFailed(TransportError):
    """Offer and answer did not lead to a connection."""

    code = "negotiation_failed"


class SdpExchangeError(NegotiationFailed):
    """The calls URL refused the offer. ``status`` is the HTTP status, or None when there was no usable answer."""

    code = "sdp_exchange_failed"

    def __init__(self, url: str, status: int | None, detail: str) -> None:
        super().__init__(url, status, detail)
        self.url = url
        self.status = status
        self.detail = detail
        self.retryable = status is None or status >= 500 or status == 429

    def __str__(self) -> str:
        answered = f"answered {self.status}" if self.status is not None else "could not be used"
        hint = ": the client secret is wrong or has expired" if self.status == 401 else ""
        return f"the SDP exchange failed: {self.url} {answered}{hint} ({self.detail})"


class ConnectTimeout(TransportError):
    """Not connected within the deadline."""

    code = "negotiation_timeout"

    def __init__(self, waited_for: str, seconds: float) -> None:
        super().__init__(waited_for, seconds)
        self.waited_for = waited_for
        self.seconds = seconds

    def __str__(self) -> str:
        return f"no {self.waited_for} within {self.seconds:g} s: is UDP blocked between here and the provider?"


class ConnectionLost(TransportError):
    """The connection ended without being asked to."""

    code = "connection_lost"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"the connection to the provider was lost: {self.reason}"


class MessageTooLarge(TransportError):
    """A client event of more bytes than the far end takes (its ``a=max-message-size``, RFC 8841).

    With a ``limit``: a text of more characters than we take.
    """

    code = "message_too_large"
    retryable = False

    def __init__(self, size: int, *, limit: int | None = None) -> None:
        super().__init__(size, limit)
        self.size = size
        self.limit = limit

    def __str__(self) -> str:
        if self.limit is not None:
            return f"a text of {self.size:,} characters, where {self.limit:,} are the limit: say it in parts"
        return f"a message of {self.size} bytes is more than the provider takes: say it in parts"


class BackendError(CouchvoiceError):
    """A backend endpoint failed. ``status`` is the HTTP status, or None when there was no usable answer."""

    code = "backend_error"

    def __init__(self, endpoint: str, status: int | None, code: str, detail: str) -> None:
        super().__init__(endpoint, status, code, detail)
        self.endpoint = endpoint
        self.status = status
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        answered = f"answered {self.status}" if self.status is not None else "gave no usable answer"
        return f"the backend {answered} at {self.endpoint}: {self.detail} ({self.code})"


class Unauthorized(BackendError):
    """401 or 403: the token is missing, wrong, or not for this."""


class RateLimited(BackendError):
    """429. ``retry_after`` in seconds, when the backend named it."""

    retryable = True
    retry_after: float | None = None


class Unavailable(BackendError):
    """No connection, no answer in time, or 5xx."""

    retryable = True


class UpdateRefused(CouchvoiceError):
    """The talk goes on as it was. ``code``: the provider's, ``update_timeout``, or ``not_connected`` at its end."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        return f"the session could not be changed: {self.detail} ({self.code})"


class RealtimeError(CouchvoiceError):
    """The provider reported an error that ends the session. ``code`` is the provider's."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        return f"the provider ended the session: {self.detail} ({self.code})"
