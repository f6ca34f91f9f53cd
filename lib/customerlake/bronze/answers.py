"""One answer of an HTTP interface: asked for no faster than it allows, and again where it fails for the moment."""

import logging
import os
import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
import tenacity
import urllib3.exceptions
from requests.auth import AuthBase
from urllib3.util import Retry

from customerlake import __version__
from customerlake.bronze.formats.json_records import decoder
from customerlake.errors import LandingError
from customerlake.runtime.feeds import ApiReader

log = logging.getLogger(__name__)

SHOWN_CHARACTERS = 200
"""Of the text with which an interface refuses."""


class Answer(NamedTuple):
    """What an interface said. `content` is the JSON of `body`, its numbers as text; None where there is no content."""

    body: bytes
    content: Any
    links_to_next: bool  # a header, and not the body, says where more is


class Refused(LandingError):
    """The interface will not answer this request, however often it is asked."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class _FailsNow(Exception):
    """The interface may answer when it is asked again, after so many seconds where it says so."""

    def __init__(self, text: str, seconds: float | None = None) -> None:
        super().__init__(text)
        self.seconds = seconds


class Interface:
    """An interface and how it is asked: with its token, at its rate, and with patience.

    What it raises names neither the token nor the parameters.
    """

    def __init__(self, feed: str, api: ApiReader, encoding: str = "utf-8") -> None:
        self.name = f"{feed}: the interface {_shown(api.url)}"
        self._feed, self._api, self._encoding = feed, api, encoding
        self._token = _token(feed, api)
        self._session = requests.Session()
        self._session.headers.update({"Accept": "application/json", "User-Agent": f"customerlake/{__version__}"})
        if self._token:
            self._session.auth = _Token(api.token_header, api.token_prefix + self._token)
        self._next_at = 0.0  # on the monotonic clock: when it may be asked again

    def ask(self, parameters: Mapping[str, str]) -> Answer:
        """Ask until there is an answer. Raises: Refused at once; LandingError when all attempts failed."""
        api = self._api
        patience = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_FailsNow),
            stop=tenacity.stop_after_attempt(api.attempts),
            wait=self._wait,
            before_sleep=self._say,
            reraise=True,
        )
        try:
            return patience(self._ask_once, parameters)
        except _FailsNow as problem:
            raise LandingError(
                f"{self.name} {problem}; it was asked {api.attempts} times. "
                f"Run again when it is well: the pull goes on where it stopped. Else see feeds.{self._feed}.api"
            ) from problem

    def _ask_once(self, parameters: Mapping[str, str]) -> Answer:
        self._keep_rate()
        api = self._api
        try:
            response = self._session.get(
                api.url, params=dict(parameters), timeout=api.timeout_seconds, allow_redirects=False
            )
        except requests.RequestException as error:
            raise self._in_words(error) from error
        self._refuse(response)
        log.info("asked feed=%s status=%d bytes=%d", self._feed, response.status_code, len(response.content))
        if response.status_code == requests.codes.no_content:
            return Answer(b"", None, False)
        try:
            content = decoded(response.content, self._encoding)
        except ValueError as error:
            kind, size = response.headers.get("Content-Type", "no type"), len(response.content)
            raise _FailsNow(f"answers with {kind} of {size} bytes that is no JSON in {self._encoding}") from error
        return Answer(response.content, content, "next" in response.links)

    def _refuse(self, response: requests.Response) -> None:
        """Raises: _FailsNow, Refused or LandingError where the status says that this is not what was asked for."""
        status, api = response.status_code, self._api
        said = f"answers {status} {response.reason or ''}".rstrip() + self._excerpt(response)
        if status == requests.codes.too_many_requests or status >= 500:
            seconds = _retry_after(response)
            if seconds and seconds > api.longest_wait_seconds:
                raise LandingError(
                    f"{self.name} {said}, and asks to wait {seconds:.0f} seconds or more, where feeds.{self._feed}.api."
                    f"longest_wait_seconds allows {api.longest_wait_seconds:g}. Run again after that time"
                )
            raise _FailsNow(said, seconds)
        if status in (requests.codes.unauthorized, requests.codes.forbidden):
            advice = (
                f"Check the token in the environment variable {api.token_from}"
                if api.token_from
                else f"Name the environment variable that holds its token in feeds.{self._feed}.api.token_from"
            )
            raise Refused(f"{self.name} {said}. {advice}", status)
        if status >= 400:
            raise Refused(f"{self.name} {said}. Correct feeds.{self._feed}.api in the lake file", status)
        if status >= 300:  # not followed: the token is for the address that the lake file names
            there = _shown(response.headers.get("Location", "elsewhere"))
            raise Refused(f"{self.name} {said}; it moved to {there}. Correct feeds.{self._feed}.api.url", status)

    def _in_words(self, error: requests.RequestException) -> LandingError | _FailsNow:
        causes = list(_causes(error))
        if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
            return LandingError(
                f"{self.name} has a certificate that cannot be verified. Correct the address in feeds.{self._feed}."
                "api.url, or name your own authority's certificate in the environment variable REQUESTS_CA_BUNDLE"
            )
        if any(isinstance(cause, urllib3.exceptions.NewConnectionError) for cause in causes):
            return _FailsNow(f"cannot be reached{_system_reason(causes)}")
        if any(isinstance(cause, requests.Timeout | urllib3.exceptions.TimeoutError) for cause in causes):
            return _FailsNow(f"gives no answer within {self._api.timeout_seconds:g} seconds")
        broken = (
            requests.ConnectionError,
            requests.exceptions.ChunkedEncodingError,
            requests.exceptions.ContentDecodingError,
        )
        if isinstance(error, broken):
            return _FailsNow(f"breaks off before its answer is whole{_system_reason(causes)}")
        return LandingError(f"{self.name} cannot be asked ({type(error).__name__}). Correct feeds.{self._feed}.api.url")

    def _excerpt(self, response: requests.Response) -> str:
        text = response.content.decode("utf-8", errors="replace")
        if self._token:
            text = text.replace(self._token, "***")
        words = " ".join("".join(mark if mark.isprintable() else " " for mark in text).split())
        shown = words if len(words) <= SHOWN_CHARACTERS else f"{words[:SHOWN_CHARACTERS]} ..."
        return f" ({shown})" if shown else ""

    def _keep_rate(self) -> None:
        if self._api.requests_per_second:
            time.sleep(max(0.0, self._next_at - time.monotonic()))
            self._next_at = time.monotonic() + 1 / self._api.requests_per_second

    def _wait(self, state: tenacity.RetryCallState) -> float:
        problem = state.outcome.exception() if state.outcome else None
        if isinstance(problem, _FailsNow) and problem.seconds:
            return problem.seconds
        api = self._api
        return tenacity.wait_exponential(multiplier=api.first_wait_seconds, max=api.longest_wait_seconds)(state)

    def _say(self, state: tenacity.RetryCallState) -> None:
        problem = state.outcome.exception() if state.outcome else None
        log.warning("asks again feed=%s attempt=%d: it %s", self._feed, state.attempt_number + 1, problem)


class _Token(AuthBase):
    """Sends the token, and keeps requests from sending what a .netrc file holds instead."""

    def __init__(self, header: str, value: str) -> None:
        self._header, self._value = header, value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers[self._header] = self._value
        return request


def decoded(body: bytes, encoding: str) -> Any:
    """The JSON of an answer, its numbers as text. Raises: ValueError when it is none."""
    return decoder.decode(body.decode(encoding).lstrip("\ufeff"))


def _token(feed: str, api: ApiReader) -> str:
    if api.token_from is None:
        return ""
    token = os.environ.get(api.token_from, "").strip()
    if not token:
        raise LandingError(
            f"{feed}: the token for {_shown(api.url)} is looked for in the environment variable {api.token_from}, "
            "which is not set. Set it for the run"
        )
    if not (token.isascii() and token.isprintable()):  # whoever sends it would say it in an error
        raise LandingError(
            f"{feed}: the environment variable {api.token_from} holds characters that no HTTP header can. "
            "Set it to the token alone"
        )
    return token


def _shown(url: str) -> str:
    """An address without what may be secret in it: a user, a password, parameters."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.netloc else parts.path


def _retry_after(response: requests.Response) -> float | None:
    """The seconds that the interface asks to wait, which it says as such or as a date; None where it does not.

    Of more than six hours urllib3 makes six.
    """
    try:
        return Retry().parse_retry_after(response.headers["Retry-After"])
    except (KeyError, ValueError, OverflowError, urllib3.exceptions.InvalidHeader):
        return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _system_reason(causes: list[BaseException]) -> str:
    said = next((cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror), None)
    return f" ({said})" if said else ""
