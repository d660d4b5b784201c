"""Prints what CloudFormation makes of template.yaml, as JSON: .venv-sam/bin/python scripts/transform.py NAME=VALUE…"""

import json
import logging
import os
import sys
from pathlib import Path

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform


class NoManagedPolicies:
    """SAM looks policies up by name in IAM; the template names none."""

    def load(self) -> dict[str, str]:
        return {}


logging.disable(logging.WARNING)
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
template = yaml_parse((Path(__file__).resolve().parent.parent / "template.yaml").read_text())
for resource in template["Resources"].values():
    for code in {"CodeUri", "ContentUri"} & resource.get("Properties", {}).keys():
        resource["Properties"][code] = "s3://bucket/key"  # as after packaging
parameters = dict(argument.split("=", 1) for argument in sys.argv[1:])
sys.stdout.write(json.dumps(transform(template, parameters, NoManagedPolicies())))
