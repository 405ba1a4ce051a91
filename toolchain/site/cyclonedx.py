"""The bill of materials of a site as CycloneDX 1.6 (ECMA-424) in JSON.

Equal contents give equal bytes: the serial number is a digest of the content, and a time is written
only if SOURCE_DATE_EPOCH (reproducible-builds.org) is set. cyclonedx-python-lib, which checks the
bill in the tests, cannot write it: its classes have neither `formulation` nor `modelCard`, sort
the components, and always add the present time.
"""

from __future__ import annotations

import base64
import json
import os
import platform
import uuid
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from toolchain import __version__, digest, requirements
from toolchain.site import licences

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolchain.records.card import Provenance
    from toolchain.site.bill_of_materials import BillOfMaterials
    from toolchain.site.web_bundle import Package, Sample

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://cyclonedx.org/docs/1.6/json/")


def text(bill: BillOfMaterials) -> str:
    """Return the bill as JSON."""
    found = _bill(bill)
    number = uuid.uuid5(_NAMESPACE, digest.of_json(found))
    return json.dumps({**found, "serialNumber": f"urn:uuid:{number}"}, indent=1) + "\n"


def _bill(bill: BillOfMaterials) -> dict[str, Any]:
    inside: dict[str | None, list[dict[str, Any]]] = {}
    for package in bill.shipped.packages:
        inside.setdefault(package.within, []).append(_package(package))
    for component in inside.get(None, []):
        if within := inside.get(_name(component)):
            component["components"] = within
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            **_time(),
            "component": {
                "type": "application",
                "bom-ref": "site",
                "name": "toolchain",
                "version": __version__,
                "licenses": [{"license": {"id": licences.OWN}}],
            },
        },
        "components": [
            *(_model(card.provenance) for card in bill.cards),
            *inside.get(None, []),
            *map(_photo, bill.samples),
        ],
        # What the site was built with, but does not contain.
        "formulation": [{"bom-ref": "build", "components": list(_builders())}],
    }


def _package(package: Package) -> dict[str, Any]:
    group, _, name = package.name.rpartition("/")
    found: dict[str, Any] = {"type": "library", "name": name, "licenses": _terms(package.licence)}
    if group:
        found["group"] = group
    if package.version:
        url = f"pkg:npm/{quote(package.name, safe='/')}@{package.version}"
        found |= {"bom-ref": url, "version": package.version, "purl": url}
    if package.integrity:
        _, _, encoded = package.integrity.partition("-")
        found["hashes"] = [{"alg": "SHA-512", "content": base64.b64decode(encoded).hex()}]
    return found


def _name(component: dict[str, Any]) -> str:
    return "/".join(component[key] for key in ("group", "name") if key in component)


def _terms(licence: str) -> list[dict[str, Any]]:
    return [{"expression": licence}] if " " in licence else [{"license": {"id": licence}}]


def _model(model: Provenance) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": f"model:{model.sha256}",
        "name": model.name,
        # In the words of the model's source, which need not be an SPDX name.
        "licenses": [{"license": {"name": model.licence}}],
        "hashes": [{"alg": "SHA-256", "content": model.sha256}],
        "modelCard": {"modelParameters": {"task": "image classification"}},
    }
    if model.source.startswith(("https://", "http://")):
        found["externalReferences"] = [{"type": "distribution", "url": model.source}]
    else:
        found["description"] = f"from {model.source}"
    return found


def _photo(sample: Sample) -> dict[str, Any]:
    return {
        "type": "file",
        "bom-ref": f"photo:{sample.file}",
        "name": sample.file,
        "author": sample.credit,
        "licenses": [{"license": {"name": sample.licence, "url": sample.licence_url}}],
    }


def _builders() -> Iterator[dict[str, Any]]:
    """Yield Python and the packages that toolchain requires, in the installed versions."""
    yield {"type": "platform", "name": "Python", "version": platform.python_version()}
    # From the declared requirements, not from what can be imported: that differs between builds,
    # since setuptools adds packages to the path once it is imported.
    try:
        names = {each.name for each in requirements.needed()}
    except PackageNotFoundError:  # run from a checkout
        names = set()
    for name in sorted(names):
        found = version(name)
        url = f"pkg:pypi/{name}@{found}"
        yield {"type": "library", "bom-ref": url, "name": name, "version": found, "purl": url}


def _time() -> dict[str, str]:
    """Return the time that SOURCE_DATE_EPOCH sets, or nothing."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not seconds.isdecimal():
        return {}
    moment = datetime.fromtimestamp(int(seconds), timezone.utc)
    return {"timestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}
