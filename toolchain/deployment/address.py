"""Parses the user's word for a deploy target."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from toolchain import plugins
from toolchain.errors import BadInputError

if TYPE_CHECKING:
    from toolchain.deployment.bucket import Encoding
    from toolchain.deployment.target import Target

EXAMPLES = (
    "a folder, user@host:/folder (rsync), s3://bucket/folder, gh-pages, git:REPOSITORY#branch, "
    "cloudflare-pages:PROJECT, netlify:SITE"
)
_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
_BRANCH = re.compile(r"[A-Za-z0-9][\w./-]*")
_REMOTE = re.compile(r"(?:rsync://\S+|(?:[^\s/@]+@)?[^\s/:@]{2,}::?\S*)")


def parse(word: str, *, endpoint: str | None = None, encoding: Encoding = "gzip") -> Target:
    """Return the target that a word names.

    Args:
        word: `s3://bucket/folder`; `gh-pages`, that branch of this checkout's `origin`;
            `git:REPOSITORY#branch`; `cloudflare-pages:PROJECT`, with `#branch` for a preview;
            `netlify:SITE`; a plugin's word; an address for rsync; or a folder.
        endpoint: For a bucket: the service's address, if it is not AWS.
        encoding: For a bucket: how to compress files that get smaller by it.

    Raises:
        BadInputError: It names no target.
        PluginError: The plugin for this word fails.
    """
    try:
        return _parse(word, endpoint, encoding)
    except (OSError, ValueError) as error:  # a name that is too long, or an invalid address
        raise BadInputError(
            f"{word} is not a place to deploy to ({error}); give {EXAMPLES}"
        ) from error


def _parse(word: str, endpoint: str | None, encoding: Encoding) -> Target:
    if word.startswith("s3://"):
        return _bucket(word, endpoint, encoding)
    if endpoint is not None:
        raise BadInputError(f"--endpoint is for buckets, and {word} is not one; leave it out")
    if word == "gh-pages" or word.startswith("git:"):
        return _branch(word)
    if word.startswith(("cloudflare-pages:", "netlify:")):
        return _vendor_cli(word)
    if plugin := plugins.answering(plugins.TARGETS, word):
        from toolchain.deployment.plugin_target import PluginTarget

        return PluginTarget(plugin, word)
    if "://" in word and not word.startswith("rsync://"):
        raise BadInputError(f"{word} is not a place to deploy to; give {EXAMPLES}")
    if _REMOTE.fullmatch(word):
        from toolchain.deployment.remote import RemoteTarget

        return RemoteTarget(word)
    from toolchain.deployment.folder import FolderTarget

    return FolderTarget(Path(word))


def _bucket(word: str, endpoint: str | None, encoding: Encoding) -> Target:
    from toolchain.deployment.bucket import BucketTarget

    parts = urlsplit(word)
    if not parts.netloc:
        raise BadInputError(f"{word} names no bucket; write s3://bucket/folder")
    return BucketTarget(parts.netloc, parts.path.strip("/"), endpoint, encoding)


def _branch(word: str) -> Target:
    from toolchain.deployment.branch import BRANCH, BranchTarget, origin

    repository, _, branch = word.removeprefix("git:").partition("#")
    if word == "gh-pages":
        return BranchTarget(origin(), BRANCH)
    if not repository:
        raise BadInputError(f"{word} names no repository; write git:REPOSITORY#branch")
    return BranchTarget(repository, branch or BRANCH)


def _vendor_cli(word: str) -> Target:
    from toolchain.deployment.vendor_cli import CloudflarePagesTarget, NetlifyTarget

    service, _, place = word.partition(":")
    name, mark, branch = place.partition("#")
    if not _PROJECT.fullmatch(name):
        what = "site" if service == "netlify" else "project"
        raise BadInputError(f"{word} names no {what}; write {service}:{what.upper()}")
    if service == "netlify":
        if mark:
            raise BadInputError(f"Netlify has no branches to deploy to; write netlify:{name}")
        return NetlifyTarget(name)
    if mark and not _BRANCH.fullmatch(branch):
        raise BadInputError(f"{word} names no branch; write {service}:{name}#branch, or no #")
    return CloudflarePagesTarget(name, branch)
