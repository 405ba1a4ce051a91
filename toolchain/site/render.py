"""Renders the site: the runtime, the model, the contract, the photos and the page.

Every file but `index.html`, `sw.js` and those of the component has its content's hash in its
name. So browsers can cache these files for ever, and a page never loads files of another build.
`sw.js` is the service worker, which caches them for a second visit without network.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from toolchain import __version__, digest
from toolchain.errors import BadInputError
from toolchain.records.site_files import VARIANTS
from toolchain.site import component, headers, integrity, strings, template, web_bundle
from toolchain.site import contract as contracts
from toolchain.site.assets import Assets
from toolchain.site.configuration import PageOptions
from toolchain.site.files import copy, write_named
from toolchain.site.page_files import PageFiles
from toolchain.site.variants import described
from toolchain.tfjs.artifacts import HASH_DIGITS
from toolchain.tfjs_graph.packing import EARLY_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from toolchain.records.verdict import Verdict
    from toolchain.site.variants import Variant
    from toolchain.tfjs.stage import TfjsModel

_DEFAULT_PAGE = PageOptions()


def render(
    model: TfjsModel,
    site: Path,
    *,
    page: PageOptions = _DEFAULT_PAGE,
    variants: Sequence[Variant] = (),
    preview: TfjsModel | None = None,
    verdict: Verdict | None = None,
    framed_by: Sequence[str] = (),
) -> tuple[PageFiles, ...]:
    """Write the whole site into an existing empty folder.

    Args:
        model: The converted model.
        site: Where to write.
        page: The user's options for the page.
        variants: All variants of the model, the first of them `model` itself; empty if there
            is only one way of storing its weights.
        preview: The model that answers a first visit until the full one has come, if any.
        verdict: How the model did on photos, if it was judged.
        framed_by: Origins of the pages with which the page exchanges messages if they frame it.

    Returns:
        The files of each model: the model itself, its variants, the preview.

    Raises:
        BadInputError: The model cannot be taught, the page's template has a fault, a graph has an
            operation that TF.js does not have, the samples cannot be used, or there are no texts in
            the language.
        TemplateError: The user's template has a fault; the message names the place.
        MissingToolError: The page's runtime is not built.
    """
    models = [model, *(each.model for each in variants[1:]), *([preview] if preview else ())]
    runtime = web_bundle.runtime_for(
        chain(*(each.converted.artifacts.ops for each in models)), teaching=page.teach
    )
    for file in runtime.files:
        copy(web_bundle.runtime_dir() / file, site / file)
    name = model.converted.card.provenance.name
    texts = texts_of(page)
    own = _model(model, site, "model", "contract.bin")
    others = [
        _model(each.model, site, f"{VARIANTS}/{each.name}", f"{VARIANTS}/{each.name}/contract.bin")
        for each in variants[1:]
    ]
    small = _model(preview, site, "preview", "preview/contract.bin") if preview else None
    if page.teach and own["features"] is None:
        raise BadInputError(
            f"{name} cannot learn further tags, because it has no single last dense layer; "
            "leave --teach out, or build another model, such as a MobileNet"
        )
    styles = [*runtime.styles, *_accent(page, site)]
    context: dict[str, Any] = {
        "title": page.title or strings.filled(texts.page["title"], name=name),
        "description": page.description or strings.filled(texts.page["description"], name=name),
        "language": texts.language,
        "text": texts.page,
        "script_text": texts.script,
        "teach_text": texts.teach if page.teach else None,
        **own,
        "variants": [
            described(variant, files)
            for variant, files in zip(variants, [own, *others], strict=False)
        ],
        "preview": small,
        "runtime": runtime,
        "integrity": integrity.of_files(site, [*runtime.files, *styles]),
        "policy": headers.content_security_policy(photos_by_address=page.photos_by_address),
        "photos_by_address": page.photos_by_address,
        "framed_by": list(framed_by),
        "styles": styles,
        "samples": _samples(page.samples_folder, site),
        "toolchain_version": __version__,
    }
    assets = None if page.template is None else Assets(page.template, site)

    def index(preview: dict[str, Any] | None) -> str:
        checked = _checked(site, runtime, [own, *others, *([preview] if preview else ())])
        filled = context | {"preview": preview, "checked": checked}
        if page.template is None or assets is None:
            return template.rendered(template.PAGE, filled)
        return template.rendered_page(page.template, filled, assets, runtime.entry)

    html = index(small)
    (site / "index.html").write_text(html, "utf-8")
    context["version"] = digest.of_bytes(html.encode())[:HASH_DIGITS]
    context["later_html"] = index(None) if small else None
    context["assets"] = assets.urls if assets else []
    # The other files that the service worker caches.
    photos = [str(sample["url"]) for sample in context["samples"]]
    of_models = [url for files in (own, *others) for url in _loaded(files)]
    context["integrity"] |= integrity.of_files(site, [*of_models, *photos, *context["assets"]])
    component.write(site, runtime, own, verdict)
    (site / "404.html").write_text(template.rendered("404.html.j2", context), "utf-8")
    (site / "sw.js").write_text(template.rendered("sw.js.j2", context), "utf-8")
    return tuple(
        PageFiles(
            worker=runtime.worker[0],
            wasm=runtime.wasm.simd,
            contract=files["contract"],
            weights=tuple(files["weight_urls"]),
        )
        for files in (own, *others, *([small] if small else ()))
    )


def texts_of(page: PageOptions) -> strings.Strings:
    """Read the texts of the page's language, from the user's template folder if it has them.

    Raises:
        BadInputError: There are none, or they have a fault.
    """
    return strings.load(page.language, [page.template / "strings"] if page.template else ())


def check(page: PageOptions) -> None:
    """Check the user's options for the page early, before anything is fetched.

    Raises:
        BadInputError: The samples, the template or the language do not exist, or a sample is not
            a photo.
        TemplateError: The template cannot be read.
    """
    texts_of(page)
    if page.samples:
        web_bundle.load_samples(page.samples)
    if page.template:
        template.check(page.template)


def _model(model: TfjsModel, site: Path, folder: str, contract: str) -> dict[str, Any]:
    """Write a model's files into the site, and return its variables for the template."""
    artifacts = model.converted.artifacts
    for file in (artifacts.model_json, *artifacts.shards):
        copy(model.folder / file, site / folder / file)
    made = contracts.make(model, f"{folder}/{artifacts.model_json}")
    return {
        "card": model.converted.card,
        "features": made.output.features,
        "quantization": model.converted.quantization,
        "contract": write_named(site, contract, made.to_bytes()),
        "weight_urls": [f"{folder}/{shard}" for shard in artifacts.shards],
        "early_weights": [f"{folder}/{shard}" for shard in _early(model)],
        "weight_bytes": artifacts.weight_bytes,
    }


def _loaded(files: dict[str, Any]) -> list[str]:
    """Return the URLs that a page loads for a model; `files` is from :func:`_model`."""
    return [files["contract"], *files["weight_urls"]]


def _checked(
    site: Path, runtime: web_bundle.Runtime, models: Sequence[dict[str, Any]]
) -> dict[str, dict[str, str]]:
    """Return the digests that the page's code checks; `web/src/page/site-digests.ts` reads them."""
    loaded = [runtime.wasm.simd, runtime.wasm.plain, *chain.from_iterable(map(_loaded, models))]
    return {
        "worker": integrity.of_files(site, runtime.worker),
        "files": integrity.of_files(site, loaded),
        "features": integrity.of_files(site, runtime.features),
    }


def _accent(page: PageOptions, site: Path) -> list[str]:
    """Write the style sheet of the accent, if there is one, and return its URL."""
    if page.colours is None:
        return []
    return [write_named(site, "assets/accent.css", page.colours.stylesheet().encode())]


def _early(model: TfjsModel) -> Iterator[str]:
    """Yield the first weight files, as long as they are small enough to be fetched early."""
    total = 0
    for shard in model.converted.artifacts.shards:
        total += (model.folder / shard).stat().st_size
        if total > EARLY_BYTES:
            return
        yield shard


def _samples(folder: Path | None, site: Path) -> list[dict[str, object]]:
    """Write the sample photos into the site, and return their variables for the template."""
    shown: list[dict[str, object]] = []
    if folder is None:
        return shown
    for sample in web_bundle.load_samples(folder):
        path = folder / sample.file
        width, height = web_bundle.size_of(path)
        url = write_named(site, f"samples/{path.name}", path.read_bytes())
        shown.append({**sample.model_dump(), "url": url, "width": width, "height": height})
    return shown
