"""The page that shows the API's document: Swagger UI as Powertools ships it, so that nothing is fetched."""

from importlib import resources

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Coachline API</title>
<style>{css}</style>
</head>
<body>
<div id="swagger-ui"></div>
<script>{js}</script>
<script>
SwaggerUIBundle({{
  url: "{url}", dom_id: "#swagger-ui", deepLinking: true, filter: true, persistAuthorization: true, docExpansion: "list"
}});
</script>
</body>
</html>
"""


def docs_page(url: str) -> str:
    """The HTML (about 1.7 MB) that shows the OpenAPI document at `url`."""
    folder = resources.files("aws_lambda_powertools.event_handler.openapi") / "swagger_ui"
    return _PAGE.format(
        url=url,
        css=(folder / "swagger-ui.min.css").read_text(encoding="utf-8"),
        js=(folder / "swagger-ui-bundle.min.js").read_text(encoding="utf-8"),
    )
