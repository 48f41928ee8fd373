"""JSON replies, and the one table from the API's status codes to HTTP's."""

from typing import Any

from starlette.responses import JSONResponse

from controlplane.dashboard.control import ControlError

# google.rpc.Code's own mapping, but for UNAVAILABLE: there the dashboard is fine and what is behind it is not.
HTTP_STATUS = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 409,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}


def data(content: Any, status: int = 200) -> JSONResponse:
    """Reply with *content*, which no cache keeps."""
    return JSONResponse(content, status, headers={"cache-control": "no-store"})


def refusal(status: int, code: str, message: str) -> JSONResponse:
    """Reply with an error of the dashboard's own."""
    return data({"error": {"code": code, "message": message, "reason": "", "violations": []}}, status)


def control_refusal(error: ControlError) -> JSONResponse:
    """Reply with what the control plane said."""
    content = {
        "code": error.code,
        "message": error.message,
        "reason": error.reason,
        "violations": [{"field": item.field, "reason": item.reason} for item in error.violations],
    }
    return data({"error": content}, HTTP_STATUS.get(error.code, 502))
