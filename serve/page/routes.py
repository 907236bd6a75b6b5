"""The page's paths: its files, logging in, the stream of what is new, and what a click asks for."""

from dataclasses import dataclass, field
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from serve import intake
from serve.api import HEADLESS
from serve.errors import InvalidPayload, Unauthorized, UnknownPath
from serve.page import cells, decisions, files
from serve.page.files import File
from serve.page.live import Live
from serve.page.sources import Sources
from serve.security import keys as kept
from serve.security.entrance import Entrance
from serve.security.sessions import LIFETIME, cookie_of, from_here

router = APIRouter()
_LONGEST_LOGIN = 4096  # bytes
_PRIVATE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


@dataclass(frozen=True, slots=True)
class Page:
    """All that the page's paths work with; cookies are `secure` where browsers reach the router by HTTPS."""

    sources: Sources
    live: Live
    secure: bool
    shipped: dict[str, File] = field(default_factory=files.load)


@router.get("/")
async def index(request: Request) -> Response:
    """Give the page."""
    return _file(request, files.INDEX)


@router.get("/page/{name}")
async def file(request: Request, name: str) -> Response:
    """Give one of the page's files."""
    return _file(request, name)


@router.get("/v1/session")
async def session(request: Request) -> Response:
    """Say whether a key is needed here, and whose session this is."""
    door = _entrance(request).door
    if door.keys is None or door.sessions is None:
        return JSONResponse({"needed": False, "holder": None}, headers=_PRIVATE)
    return JSONResponse({"needed": True, "holder": door.sessions.holder(_raw(request), door.keys())}, headers=_PRIVATE)


@router.post("/v1/session")
async def log_in(request: Request) -> Response:
    """Take a key once, and give a cookie for it."""
    door, headers = _entrance(request).door, dict(_raw(request))
    payload = intake.parsed(await intake.read(request, _LONGEST_LOGIN))
    key = payload.get("key")
    if not isinstance(key, str):
        raise InvalidPayload('Send {"key": "..."}.', param="key")
    if door.keys is None or door.sessions is None:
        return JSONResponse({"needed": False, "holder": None}, headers=_PRIVATE)
    if not from_here(headers.get(b"host", b""), headers):
        raise Unauthorized("Log in on the router's own page.")
    holder = kept.holder(known := door.keys(), key.strip().encode())
    if holder is None:
        raise Unauthorized("This key isn't known here; make one with: polydraft keys add NAME")
    value = door.sessions.open(next(each for each in known if each.name == holder))
    response = JSONResponse({"needed": True, "holder": holder}, headers=_PRIVATE)
    name, secure = cookie_of(headers.get(b"host", b"")), _page(request).secure
    response.set_cookie(name, value, max_age=LIFETIME, httponly=True, samesite="strict", secure=secure)
    return response


@router.delete("/v1/session")
async def log_out(request: Request) -> Response:
    """End the session."""
    door = _entrance(request).door
    if door.sessions:
        door.sessions.close(_raw(request))
    response = JSONResponse({"needed": door.keys is not None, "holder": None}, headers=_PRIVATE)
    name = cookie_of(dict(_raw(request)).get(b"host", b""))
    response.delete_cookie(name, httponly=True, samesite="strict", secure=_page(request).secure)
    return response


@router.get("/v1/live")
async def live(request: Request) -> Response:
    """Stream what the page shows, once a second."""
    stream = _page(request).live
    stream.check()
    headers = {**_PRIVATE, "x-accel-buffering": "no"}
    if request.scope.get(HEADLESS):
        return Response(media_type="text/event-stream", headers=headers)
    door, head = _entrance(request).door, _raw(request)

    def let_in() -> bool:  # a key that is taken away, or a session that ends, ends what it opened
        return door.refusal("1.1", b"/v1/live", head, 0) is None

    return StreamingResponse(stream.listen(let_in), media_type="text/event-stream", headers=headers)


@router.get("/v1/live/decisions/{number}")
async def decision(request: Request, number: str) -> Response:
    """Explain the lane of one of the last requests."""
    known = number.isascii() and number.isdigit() and len(number) < 16
    seen = _page(request).sources.view.request(int(number)) if known else None
    if seen is None:
        raise UnknownPath("This request isn't kept any more.")
    return _json(decisions.explained(seen))


@router.get("/v1/live/cells/{language}/{lane}")
async def cell(request: Request, language: str, lane: str) -> Response:
    """Describe a language on a lane."""
    described = cells.cell(_page(request).sources, language, lane)
    if described is None:
        raise UnknownPath("There is no such language and lane here.")
    return _json(described)


def _file(request: Request, name: str) -> Response:
    known = _page(request).shipped.get(name)
    if known is None:
        raise UnknownPath(f"The page has no file {name[:64]!r}.")
    headers = {**files.HEADERS, "cache-control": "no-cache", "etag": known.tag}
    if request.headers.get("if-none-match") == known.tag:
        return Response(status_code=304, headers=headers)
    return Response(known.content, headers={**headers, "content-type": known.kind})


def _json(described: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(described), media_type="application/json", headers=_PRIVATE)


def _page(request: Request) -> Page:
    page: Page = request.app.state.page
    return page


def _entrance(request: Request) -> Entrance:
    entrance: Entrance = request.app.state.entrance
    return entrance


def _raw(request: Request) -> list[tuple[bytes, bytes]]:
    headers: list[tuple[bytes, bytes]] = request.headers.raw
    return headers
