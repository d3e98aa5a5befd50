"""A small router: the part of FastAPI's interface that plugins use, without dependencies and for any protocol."""

from .errors import FieldError, HTTPException, RequestValidationError
from .messages import Headers, QueryParams, Request
from .params import Depends
from .responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from .router import APIRouter

__all__ = [
    "APIRouter",
    "Depends",
    "FieldError",
    "HTMLResponse",
    "HTTPException",
    "Headers",
    "JSONResponse",
    "PlainTextResponse",
    "QueryParams",
    "Request",
    "RequestValidationError",
    "Response",
    "StreamingResponse",
]
