"""An npm package of a site's model: the component with the model's files, ready for `npm publish`.

Bundlers take the module from it like any other. They do not take the model's files: its worker
imports scripts by their names, which bundlers would change. So the package has a command that
copies the folder `model/` to where the app's static files lie.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

from toolchain import __version__
from toolchain.errors import BadInputError
from toolchain.records.site_files import COMPONENT, kind_of
from toolchain.site import component, licences, web_bundle
from toolchain.site.bill_of_materials import BillOfMaterials
from toolchain.site.bom import LICENCES
from toolchain.site.files import copy
from toolchain.units import size as written

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from toolchain.tfjs.stage import TfjsModel

MODEL: Final = "model"
"""The folder of the package that is copied to the app's static files."""

MARK: Final = f"{MODEL}/{component.MANIFEST}"
"""The file that marks a folder as a package of this tool."""

DEFAULT_VERSION: Final = "1.0.0"
_MODULE, _TYPES, _ELEMENT, _ELEMENT_TYPES = COMPONENT[1:]
_COPY = "copy-model.js"

# As npm's own validate-npm-package-name and semver.org say.
_PART = r"[a-z0-9~-][a-z0-9._~-]*"
_NAME = re.compile(rf"(?:@{_PART}/)?{_PART}")
_VERSION = re.compile(
    r"(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){2}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?"
)
_LONGEST_NAME = 214


@dataclass(frozen=True)
class NpmName:
    """What the package is called."""

    name: str
    """With the scope, if it has one: `@me/flowers`."""
    version: str

    @property
    def command(self) -> str:
        """The name of the command that copies the model's files."""
        return f"copy-{self.name.rpartition('/')[2]}"


def parse(word: str) -> NpmName:
    """Read `NAME` or `NAME@VERSION`.

    Raises:
        BadInputError: npm would refuse the name or the version.
    """
    at = word.find("@", 1)
    name, version = (word, DEFAULT_VERSION) if at < 0 else (word[:at], word[at + 1 :])
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise BadInputError(
            f"--package {word}: {name!r} is not a name for an npm package; write it in lower case, "
            "like flowers or @me/flowers"
        )
    if not _VERSION.fullmatch(version):
        raise BadInputError(
            f"--package {word}: {version!r} is not a version; write it like {name}@1.2.0"
        )
    return NpmName(name, version)


def folder_beside(out: Path) -> Path:
    """Return the package's folder for a site's."""
    return out.with_name(f"{out.resolve().name}-package")


def write(site: Path, folder: Path, named: NpmName, models: Sequence[TfjsModel]) -> None:
    """Write the package into an empty folder.

    Args:
        site: The finished site.
        folder: The package's folder.
        named: Its name and version.
        models: All models of the site, as for :func:`toolchain.site.bom.write`; the package has the
            first.

    Raises:
        BadInputError: There is no runtime with the models' operations.
        MissingToolError: The page's runtime is not built.
    """
    for name in COMPONENT[1:]:
        copy(site / name, folder / name)
    manifest = component.TaggerManifest.model_validate_json(
        (site / component.MANIFEST).read_bytes()
    )
    model_files = [manifest.contract, *manifest.weights]
    if manifest.teaching is not None:
        # Its worker is among the files of the runtime.
        model_files.append(manifest.teaching.module)
    for path in [component.MANIFEST, *(file.url for file in model_files)]:
        copy(site / path, folder / MODEL / path)
    # The worker imports backends by their names when it tries them.
    for file in (site / "assets").iterdir():
        path = f"assets/{file.name}"
        if kind_of(path) in ("runtime", "wasm") and not path.endswith((".br", ".gz")):
            copy(file, folder / MODEL / path)
    ops = chain(*(each.converted.artifacts.ops for each in models))
    shipped = web_bundle.shipped_in(web_bundle.runtime_for(ops))
    card = models[0].converted.card
    bill = BillOfMaterials(shipped=shipped, cards=(card,), samples=(), own_files=False)
    texts = {
        "package.json": json.dumps(_package_json(named, manifest), indent=2) + "\n",
        "README.md": _readme(named, manifest, len(card.labels)),
        "LICENSE": shipped.own,
        "NOTICE": _notice(manifest),
        f"{MODEL}/{LICENCES}": licences.text(bill),
        _COPY: _COPY_SCRIPT.replace("COMMAND", named.command),
    }
    for path, text in texts.items():
        (folder / path).write_text(text, "utf-8")


def _package_json(named: NpmName, manifest: component.TaggerManifest) -> dict[str, object]:
    # Of code and weights together; other licences than the project's own are in words.
    one = manifest.model.licence == licences.OWN
    return {
        "name": named.name,
        "version": named.version,
        "description": f"Tags images in the browser with {manifest.model.name}",
        "keywords": ["image-classification", "browser", "tensorflow"],
        "license": licences.OWN if one else "SEE LICENSE IN NOTICE",
        "type": "module",
        "exports": {
            ".": {"types": f"./{_TYPES}", "default": f"./{_MODULE}"},
            "./image-tagger": {"types": f"./{_ELEMENT_TYPES}", "default": f"./{_ELEMENT}"},
            f"./{MODEL}/*": f"./{MODEL}/*",
            "./package.json": "./package.json",
        },
        "types": f"./{_TYPES}",
        "bin": {named.command: _COPY},
        "sideEffects": [f"./{_ELEMENT}"],
        "files": [*COMPONENT[1:], _COPY, MODEL, "LICENSE", "NOTICE"],
    }


def _notice(manifest: component.TaggerManifest) -> str:
    model = manifest.model
    return (
        f"Code: toolchain {__version__}, {licences.OWN}; its text is in LICENSE.\n"
        f"Model: {model.name}\nfrom {model.source}\nSHA-256 {model.sha256}\n"
        f"Licence: {model.licence}\n\n"
        f"{MODEL}/{LICENCES} has the licences of all packages whose code is in this one.\n"
    )


def _readme(named: NpmName, manifest: component.TaggerManifest, labels: int) -> str:
    model = manifest.model
    return f"""# {named.name}

Tags images in the visitor's browser with {model.name}: {labels} labels, \
{written(manifest.weight_bytes)} of weights. No photo leaves the visitor's machine.

```sh
npm install {named.name}
npx {named.command} public/model
```

The second command copies the model's files to a folder that your app publishes as it is. Put it
into `prebuild` and `predev` of your `package.json`, so that code and model have the same version.

```js
import {{ load }} from '{named.name}';

const tagger = await load('/model/');
const {{ tags }} = await tagger.tag(file, {{ top: 3 }});
```

Or without code of your own:

```js
import '{named.name}/image-tagger';
```

```html
<image-tagger src="/model/"></image-tagger>
```

All of the interface is in `{_TYPES}`. A page that is not bundled can import `{_MODULE}` of this
package from any host, and load the folder `{MODEL}/` beside it.

| | |
|---|---|
| Model | {model.name} |
| Source | {model.source} |
| Licence of the model | {model.licence} |
| SHA-256 | `{model.sha256}` |

Made by toolchain {__version__}.
"""


_COPY_SCRIPT = """#!/usr/bin/env node
// Copies the model's files to a folder, in place of those of an earlier version.
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [folder] = process.argv.slice(2);
if (!folder) {
  console.error('COMMAND: name the folder to copy the model to, like public/model');
  process.exit(2);
}
if (existsSync(folder)) {
  if (readdirSync(folder).length > 0 && !existsSync(join(folder, 'tagger.json'))) {
    console.error(`COMMAND: ${folder} holds other files than a model; name a folder of its own`);
    process.exit(2);
  }
  rmSync(folder, { recursive: true });
}
cpSync(fileURLToPath(new URL('model/', import.meta.url)), folder, { recursive: true });
"""
