"""Writes docs/openapi.json and functions/api/fallback/routes.json from the functions' code. --check only compares."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

from openapi_spec_validator import validate

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from coachline.api import App  # noqa: E402 - after the path is set
from scripts.made import write  # noqa: E402 - after the path is set

DOCUMENT = ROOT / "docs" / "openapi.json"
DEPLOYED = ROOT / "functions" / "api" / "api_docs" / "openapi.json"  # a link to the document: a build copies what it is
ROUTES = ROOT / "functions" / "api" / "fallback" / "routes.json"
INFO = {
    "title": "Coachline",
    "version": "1.0.0",
    "openapi_version": "3.1.0",
    "description": "Find a coach, book and pay for one-to-one sessions, follow goals, refer colleagues.",
}


def main() -> None:
    modules = [path for path in sorted(ROOT.glob("functions/*/*/app.py")) if path.parent != ROUTES.parent]
    apps = [app for app in map(app_of, modules) if app]
    document = merged([json.loads(app.get_openapi_json_schema(**INFO)) for app in apps])
    validate(document)
    routes = sorted((route.openapi_path, route.method) for app in apps for route in routes_of(app))
    lines = ",\n".join(json.dumps([method, path]) for path, method in routes)
    write({DOCUMENT: json.dumps(document, indent=2, ensure_ascii=False) + "\n", ROUTES: f"[\n{lines}\n]\n"})
    if not DEPLOYED.exists():
        DEPLOYED.symlink_to("../../../docs/openapi.json")


def app_of(path: Path) -> App | None:
    """The resolver of a function's module, which is imported under a name of its own: all of them are called app."""
    spec = importlib.util.spec_from_file_location(f"openapi_of_{path.parent.name}", path)
    if spec is None or spec.loader is None:
        sys.exit(f"cannot import {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where pydantic looks up the types that a module names
    spec.loader.exec_module(module)
    return getattr(module, "app", None)


def routes_of(app: App) -> list[Any]:
    return [*app._static_routes, *app._dynamic_routes]  # Powertools has no public list


def merged(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """One document of many; two different things of one name end the program."""
    result: dict[str, Any] = {}
    for document in documents:
        result = {**document, **result}
        for path, operations in document.get("paths", {}).items():
            add(result.setdefault("paths", {}).setdefault(path, {}), operations, f"path {path}")
        for kind, entries in document.get("components", {}).items():
            add(result.setdefault("components", {}).setdefault(kind, {}), entries, kind)
    result["paths"] = dict(sorted(result["paths"].items()))
    result["components"] = {kind: dict(sorted(entries.items())) for kind, entries in result["components"].items()}
    return result


def add(target: dict[str, Any], entries: dict[str, Any], place: str) -> None:
    for name, entry in entries.items():
        if target.setdefault(name, entry) != entry:
            sys.exit(f"two functions describe {place}: {name} differently")


if __name__ == "__main__":
    main()
