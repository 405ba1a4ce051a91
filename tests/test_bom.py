"""What a site says of its making: licences, materials, inputs; the same gives the same bytes."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests import command_line, tiny_models
from tests.conftest import CHECKOUT
from toolchain import digest
from toolchain.records import build_report
from toolchain.records.card import Provenance
from toolchain.site import bom, build_info, cyclonedx, headers, licences, web_bundle
from toolchain.site.bill_of_materials import BillOfMaterials

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.tfjs.stage import TfjsModel

pytestmark = pytest.mark.xdist_group("bom")

# What a machine may have otherwise than another, none of which may reach a site.
HERE = {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C.UTF-8"}
THERE = {"PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo", "LC_ALL": "C", "HOME": "/nonexistent"}


def fault_of(bill: str) -> object:
    """Return what is wrong with a bill of materials by CycloneDX's own schema, or None."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill)


def built(folder: Path, tiny: Path, environment: dict[str, str]) -> Path:
    """Build from nothing: another folder, another cache, another environment."""
    folder.mkdir()
    (folder / "labels.txt").write_text("\n".join(tiny_models.names()), "utf-8")
    words = ("build", "-m", tiny, "--labels", "labels.txt", "--value-range", "0,1", "-q", "mixed")
    cache = {"TOOLCHAIN_CACHE": str(folder / "cache")}
    done = subprocess.run(
        [*command_line.TOOLCHAIN, *map(str, words), "--out", folder.name],
        cwd=folder,
        env={**os.environ, **environment, **cache},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / folder.name


@pytest.fixture(scope="module")
def site(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("bom") / "here", tiny, HERE)


@pytest.fixture(scope="module")
def bill(site: Path) -> Any:
    return json.loads((site / bom.MATERIALS).read_text("utf-8"))


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def without_times(site: Path) -> build_report.Report:
    report = build_report.read(site)
    stages = tuple(stage.model_copy(update={"seconds": 0}) for stage in report.stages)
    return report.model_copy(update={"stages": stages})


def test_the_same_input_gives_the_same_bytes_anywhere_and_later(
    site: Path, tiny: Path, tmp_path: Path
) -> None:
    other = built(tmp_path / "there", tiny, THERE)
    here, there = files(site), files(other)
    assert here.keys() == there.keys()
    differing = {path for path in here if here[path] != there[path]}
    # They tell how long the stages took, and differ in nothing else; no visitor gets them.
    assert differing <= {"report.json", "report.html"}
    assert without_times(site) == without_times(other)


def shipped(site: Path) -> web_bundle.Shipped:
    """Return whose code is in the runtime that a site has."""
    here = files(site)
    (runtime,) = (each for each in web_bundle.load_runtimes() if set(each.worker) <= here.keys())
    return web_bundle.shipped_in(runtime)


def test_every_package_of_every_runtime_has_its_terms() -> None:
    lock = json.loads((CHECKOUT / "web" / "package-lock.json").read_text("utf-8"))["packages"]
    for runtime in web_bundle.load_runtimes():
        found = {package.name: package for package in web_bundle.shipped_in(runtime).packages}
        assert {"@tensorflow/tfjs-core", "@tensorflow/tfjs-backend-wasm", "XNNPACK"} <= set(found)
        for name, package in found.items():
            assert len(package.text) > 500, name
            if package.within:
                assert package.within in found
            else:
                locked = lock[f"node_modules/{name}"]
                facts = (package.version, package.licence, package.integrity)
                assert facts == tuple(locked[key] for key in ("version", "license", "integrity"))
    # Hand-written in the head of TF.js' own files, too; the full runtime has them all.
    assert {"long", "seedrandom"} <= set(found)


def test_licences_name_all_that_ships_and_hold_each_of_the_terms_once(site: Path) -> None:
    text = (site / bom.LICENCES).read_text("utf-8")
    for package in shipped(site).packages:
        assert f"  {package.name}" in text
        assert text.count(package.text) == 1
    for sample in web_bundle.load_samples(web_bundle.templates_dir() / "samples"):
        assert f"Photo: {sample.credit}\nLicence: {sample.licence}, {sample.licence_url}" in text
    provenance = build_report.read(site).card.provenance
    assert f"SHA-256 {provenance.sha256}\nLicence: {provenance.licence}" in text
    assert text.count("Apache License\n                           Version 2.0") == 2  # LLVM's own
    assert (CHECKOUT / "LICENSE").read_text("utf-8").strip("\n") in text


def test_the_page_links_the_licences_and_a_visit_does_not_load_them(site: Path) -> None:
    assert '<a href="licenses.txt">Licences</a></footer>' in (site / "index.html").read_text(
        "utf-8"
    )
    for name in (bom.LICENCES, bom.MATERIALS):
        assert name not in (site / "sw.js").read_text("utf-8")
        assert name not in {file.path for file in build_report.read(site).files}
        assert f"/{name}\n" in (site / "_headers").read_text("utf-8")
        assert headers.headers(name)["Cache-Control"] == headers.REVALIDATED
    assert headers.content_type(bom.LICENCES) == "text/plain; charset=utf-8"


def test_the_bill_of_materials_is_what_the_standard_says(site: Path, bill: Any) -> None:
    text = (site / bom.MATERIALS).read_text("utf-8")
    assert fault_of(text) is None
    wrong = text.replace('"type": "library"', '"type": "book"')
    assert fault_of(wrong) is not None
    assert "timestamp" not in bill["metadata"]


def test_the_bill_lists_the_model_the_packages_and_what_built_it(site: Path, bill: Any) -> None:
    components = {component["name"]: component for component in bill["components"]}
    assert components["tiny"]["type"] == "machine-learning-model"
    sha256 = build_report.read(site).card.provenance.sha256
    assert components["tiny"]["hashes"] == [{"alg": "SHA-256", "content": sha256}]
    for package in shipped(site).packages:
        if package.integrity is None:
            inside = components["tfjs-backend-wasm"]["components"]
            assert package.name in {component["name"] for component in inside}
            continue
        component = components[package.name.rpartition("/")[2]]
        content = base64.b64decode(package.integrity.removeprefix("sha512-")).hex()
        assert component["hashes"] == [{"alg": "SHA-512", "content": content}]
        assert component["version"] == package.version
    builders = {each["name"]: each["version"] for each in bill["formulation"][0]["components"]}
    assert {"Python", "tensorflow", "tensorflowjs", "numpy", "pillow"} <= set(builders)
    assert not {"boto3", "playwright", "pytest"} & set(builders)


def test_nothing_that_is_published_names_a_path_of_the_machine(site: Path) -> None:
    for name, content in files(site).items():
        for secret in (str(site.parent), str(CHECKOUT)):
            assert secret.encode() not in content, name


@pytest.fixture
def all_there_is(tiny_model: TfjsModel) -> BillOfMaterials:
    card = tiny_model.converted.card
    model = Provenance(
        name="Net",
        source="https://example.org/net",
        licence="a licence of its own",
        sha256="0" * 64,
    )
    return BillOfMaterials(
        shipped=web_bundle.shipped_in(web_bundle.load_runtimes()[-1]),
        cards=(card, card.model_copy(update={"provenance": model})),
        samples=(),
        own_files=True,
    )


def test_the_bill_has_a_time_only_where_it_is_given_one(
    all_there_is: BillOfMaterials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    plain = json.loads(cyclonedx.text(all_there_is))
    assert plain == json.loads(cyclonedx.text(all_there_is))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    timed = json.loads(cyclonedx.text(all_there_is))
    assert timed["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"
    assert timed["serialNumber"] != plain["serialNumber"]
    assert fault_of(json.dumps(timed)) is None


def test_two_models_and_a_template_of_ones_own_are_named(
    all_there_is: BillOfMaterials,
) -> None:
    text = licences.text(all_there_is)
    assert "Model: Net\nfrom https://example.org/net\n" in text
    assert "Model: tiny\n" in text
    assert "Files in own/ come with the page's template" in text
    models = [
        each
        for each in json.loads(cyclonedx.text(all_there_is))["components"]
        if "modelCard" in each
    ]
    assert [model["name"] for model in models] == ["tiny", "Net"]
    assert models[1]["externalReferences"][0]["url"] == "https://example.org/net"


def test_the_build_info_says_what_went_in_and_not_where_it_lay(site: Path) -> None:
    info = build_info.read((site / build_info.NAME).read_bytes(), "here")
    (model,) = info.models
    plan = build_report.read(site).plan
    assert plan is not None
    assert model.plan == digest.of_json(plan.model_dump(mode="json"))
    assert (model.calibration, model.evaluation) == (None, None)
    assert info.inputs.shard_bytes == 4 << 20
    assert info.inputs.samples == digest.of_tree(web_bundle.templates_dir() / "samples")
    assert info.inputs.template is None
    assert {bom.LICENCES, bom.MATERIALS} <= set(info.files)
