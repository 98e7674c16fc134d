"""Errors as every route answers them: `{"error": "a plain sentence"}`, never a traceback, never what was sent."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

_LONGEST = 400


def refusal(status: int, text: object, **more: object) -> JSONResponse:
    """Returns an error as JSON. more: further values."""
    sentence = str(text).encode("utf-8", "backslashreplace").decode()[:_LONGEST]  # a lone surrogate cannot be encoded
    return JSONResponse({"error": sentence, **more}, status)


def answer_plainly(app: FastAPI) -> None:
    """Makes an application answer all errors by `refusal`. FastAPI's own answer holds the input, and fails where that has NaN."""

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        return refusal(422, f"{place or 'the request'}: {first['msg']}")

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> JSONResponse:
        reply = refusal(error.status_code, error.detail)
        reply.headers.update(error.headers or {})
        return reply
