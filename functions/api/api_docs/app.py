"""GET /api/openapi.json, GET /api/docs: what is deployed, for programs and for people."""

from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import Response

from coachline.api import create_app, doc, entrypoint
from coachline.docs_page import docs_page

app = create_app()
CACHED = {"Cache-Control": "public, max-age=300"}


@app.get("/api/openapi.json", **doc("This document", tag="Operations"))
def get_document() -> Response[Any]:
    return Response(200, "application/json", Path(__file__).with_name("openapi.json").read_text(), CACHED)


@app.get("/api/docs", include_in_schema=False)
def get_page() -> Response[str]:
    return Response(200, "text/html; charset=utf-8", docs_page("/api/openapi.json"), CACHED)


lambda_handler = entrypoint(app, public=True)
