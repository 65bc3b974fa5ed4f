"""Asks a back end over HTTP: patience and size have limits, and what is no answer is said.

An answer counts when its last byte has come: it is kept in memory, or from some size on in a file
without a name, before anybody reads it. So a connection that drops in the middle is retried like
one that was refused, and no half of it is ever taken for the whole.
"""

from __future__ import annotations

import random
import re
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx

from tracer.errors import BadInput, TooLarge, TracerError, Unavailable
from tracer.ingest.pull.address import PublicOnly, base_url
from tracer.settings import LOOPBACK
from tracer.telemetry.escape import escaped

_IN_MEMORY: Final = 16 << 20
_HEAD: Final = 4096
_FIRST_WAIT_S: Final = 0.5
_END: Final = {b"{": b"}", b"[": b"]"}
_CONTROL: Final = re.compile("[\x00-\x1f\x7f]")
_AGAIN: Final = frozenset((408, 425, 429, 500, 502, 503, 504))
Words = Mapping[str, str]


@dataclass(frozen=True)
class Access:
    """As whom we come, and whom we trust. `public_only`: the URL is somebody else's."""

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    token: str = field(default="", repr=False)
    user: str = ""
    password: str = field(default="", repr=False)
    verify: ssl.SSLContext | bool = True
    public_only: bool = False


@dataclass(frozen=True)
class Patience:
    """`answer_s`: for a whole answer, however steadily it trickles. `attempts` counts the first."""

    connect_s: float = 5.0
    silence_s: float = 30.0
    answer_s: float = 120.0
    attempts: int = 4
    longest_wait_s: float = 30.0
    answer_bytes: int = 512 << 20


class Answer:
    """A complete answer; `file` is at its start. Belongs to who asked, until they leave."""

    def __init__(self, status: int, kind: str, file: tempfile.SpooledTemporaryFile[bytes]) -> None:
        self.status = status
        self.kind = kind
        self.file = file

    def head(self, size: int = _HEAD) -> bytes:
        """Its first bytes."""
        self.file.seek(0)
        first = self.file.read(size)
        self.file.seek(0)
        return first

    def tail(self, size: int = _HEAD) -> bytes:
        """Its last bytes."""
        self.file.seek(0, 2)
        self.file.seek(max(0, self.file.tell() - size))
        last = self.file.read()
        self.file.seek(0)
        return last

    def is_page(self) -> bool:
        """Whether it is for people: a login, a proxy's apology, the web page at a wrong path."""
        return "html" in self.kind or self.head().lstrip().startswith(b"<")

    def is_torn(self) -> bool:
        """Whether a document does not begin, or begins and does not end: who wrote it gave up."""
        first, last = self.head().lstrip()[:1], self.tail().rstrip()[-1:]
        return not first or last != _END.get(first, last)


class Connection:
    """To one back end; not thread-safe. `name` is its URL and holds no secret."""

    def __init__(
        self,
        url: str,
        access: Access = Access(),
        patience: Patience = Patience(),
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.name = base_url(url)
        self._patience = patience
        self._sleep = sleep
        self._chance = chance
        headers = [("Accept", "application/json"), *access.headers]
        if access.token:
            headers.append(("Authorization", f"Bearer {access.token}"))
        for name, value in headers:
            if _CONTROL.search(name + value):
                raise BadInput(
                    f"header {escaped(name)} for {self.name} holds a control character: check the "
                    "file or variable that it comes from"
                )
        if access.public_only:
            transport = PublicOnly(transport or httpx.HTTPTransport(verify=access.verify))
        is_near = access.public_only or urlsplit(self.name).hostname in LOOPBACK
        try:
            self._client = httpx.Client(
                headers=headers,
                auth=(access.user, access.password) if access.user else None,
                timeout=httpx.Timeout(patience.silence_s, connect=patience.connect_s),
                follow_redirects=False,
                transport=transport,
                verify=access.verify,
                trust_env=not is_near,  # no proxy to this machine, none around the rule above
            )
        except (UnicodeEncodeError, ValueError) as error:
            raise BadInput(f"headers for {self.name} cannot be sent ({error})") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    @contextmanager
    def get(self, path: str, words: Words | None = None) -> Iterator[Answer]:
        """An answer of status 200, 404 or 405: what those mean is the asker's to say.

        Raises Unavailable after the last attempt, BadInput where trying again cannot help, and
        TooLarge.
        """
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
            attempt = 1
            while True:
                try:
                    status, kind = self._once(path, words or {}, file)
                    break
                except Unavailable as error:
                    wait_s = self._wait_s(attempt, error)
                    if attempt >= self._patience.attempts or wait_s is None:
                        tried = f" (tried {attempt} times)" if attempt > 1 else ""
                        raise Unavailable(f"{error}{tried}", error.retry_after_s) from error
                    self._sleep(wait_s)
                    attempt += 1
            file.seek(0)
            yield Answer(status, kind, file)

    def _wait_s(self, attempt: int, error: Unavailable) -> float | None:
        """None when we are asked to stay away for longer than we are ready to wait."""
        if error.reason == "told":
            longest_s = self._patience.longest_wait_s
            return error.retry_after_s if error.retry_after_s <= longest_s else None
        most_s = min(self._patience.longest_wait_s, _FIRST_WAIT_S * 2.0 ** (attempt - 1))
        return most_s * (0.5 + self._chance() / 2)

    def _once(
        self, path: str, words: Words, file: tempfile.SpooledTemporaryFile[bytes]
    ) -> tuple[int, str]:
        file.seek(0)
        file.truncate()
        give_up_s = time.monotonic() + self._patience.answer_s
        size = 0
        try:
            with self._client.stream("GET", self.name + path, params=dict(words)) as response:
                for piece in response.iter_bytes():
                    size += len(piece)
                    if size > self._patience.answer_bytes:
                        raise TooLarge(
                            f"{self.name} answered more than {self._patience.answer_bytes >> 20} "
                            "MiB at once; ask for fewer traces at a time with --page-traces, or "
                            "allow more with --max-answer"
                        )
                    if time.monotonic() > give_up_s:
                        raise Unavailable(
                            f"{self.name} was still sending after {self._patience.answer_s:.0f} s; "
                            "ask for fewer traces at a time with --page-traces, or wait longer "
                            "with --timeout"
                        )
                    file.write(piece)
        except httpx.InvalidURL as error:
            raise BadInput(f"source {self.name!r} is not a URL ({error})") from error
        except httpx.HTTPError as error:
            raise self._failure(error) from error
        kind = response.headers.get("content-type", "")
        if response.status_code not in (200, 404, 405):
            raise self._refusal(response, Answer(response.status_code, kind, file))
        if response.status_code == 200 and Answer(200, kind, file).is_torn():
            raise Unavailable(
                f"{self.name} sent {'half an answer' if size else 'an empty answer'} as if it were "
                "whole; look at its log, and at proxies on the way"
            )
        return response.status_code, kind

    def _failure(self, error: httpx.HTTPError) -> TracerError:
        reason = escaped(str(error)) or type(error).__name__
        if "certificate verify failed" in reason.lower():
            return BadInput(
                f"the certificate of {self.name} is not trusted ({reason}); name its authority "
                "with --source-ca-file"
            )
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return Unavailable(f"nobody answers at {self.name} ({reason}); check host and port")
        if isinstance(error, httpx.TimeoutException):
            return Unavailable(
                f"{self.name} said nothing for {self._patience.silence_s:.0f} s; ask for less at "
                "a time with --page-traces, or wait longer with --timeout"
            )
        if isinstance(error, httpx.DecodingError):
            return Unavailable(f"{self.name} answered with damaged compression ({reason})")
        return Unavailable(
            f"the connection to {self.name} broke before the answer was complete ({reason}); "
            "look at its log, and at proxies on the way"
        )

    def _refusal(self, response: httpx.Response, answer: Answer) -> TracerError:
        status = response.status_code
        said = "" if answer.is_page() else _said(answer.head(400))
        where = f"{self.name} answered HTTP {status}{said}"
        if status == 401:
            return BadInput(
                f"{where}: it wants to know who asks; give $TRACER_SOURCE_TOKEN, or --source-user "
                "and $TRACER_SOURCE_PASSWORD"
            )
        if status == 403:
            return BadInput(
                f"{where}: these credentials may not read there; give others, or the tenant with "
                "--source-tenant"
            )
        if 300 <= status < 400:
            to = response.headers.get("location", "").partition("?")[0]
            return BadInput(
                f"{where}: it sends us on to {escaped(to)!r}; name the URL behind it, or "
                "credentials if that is a login"
            )
        if status in _AGAIN or status > 500:
            after_s = _retry_after_s(response.headers.get("retry-after", ""))
            if after_s is None:
                return Unavailable(f"{where}; try again later")
            message = f"{where} and wants to be asked again in {after_s:.0f} s"
            return Unavailable(message, after_s, reason="told")
        return BadInput(f"{where}; check the URL and what is asked for")


def _said(body: bytes) -> str:
    text = " ".join(body.decode("utf-8", "replace").split())
    return f" ({escaped(text[:200])})" if text else ""


def _retry_after_s(text: str) -> float | None:
    """Seconds, or the moment as HTTP writes it; None for neither."""
    if text.isdigit():
        return float(min(int(text), 10**9))
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def json_of(name: str, answer: Answer) -> Any:
    """A small answer, parsed. Raises BadInput when it is no JSON."""
    import orjson

    try:
        return orjson.loads(answer.file.read())
    except orjson.JSONDecodeError as error:
        raise BadInput(
            f"{name} answered with invalid JSON ({error}); is it the right URL?"
        ) from None
