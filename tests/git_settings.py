"""Settings that a user's git may have, each as a function that prepares a home folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HOOKS = (
    *("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "pre-merge-commit"),
    *("pre-push", "post-checkout", "post-merge", "post-rewrite", "pre-auto-gc"),
    *("reference-transaction", "post-index-change", "fsmonitor-watchman"),
)


class Home:
    """The home folder of a user with certain git settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "ran"
        folder.mkdir()

    def config(self, text: str) -> None:
        """Add to the global configuration."""
        with (self.folder / ".gitconfig").open("a") as file:
            file.write(text + "\n")

    def file(self, name: str, text: str) -> Path:
        """Write a file in the home folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def script(self, name: str, text: str) -> Path:
        """Write an executable script."""
        path = self.file(name, f"#!/bin/sh\necho {name} >> {self.log}\n{text}\n")
        path.chmod(0o755)
        return path


def attributes(home: Home) -> None:
    home.file(".config/git/attributes", "* text\n")


def attributes_of_all_kinds(home: Home) -> None:
    listed = home.file("listed", "* text=auto eol=crlf ident\n*.txt working-tree-encoding=UTF-16\n")
    home.config(f"[core]\n attributesFile = {listed}")


def line_ends(home: Home) -> None:
    home.config("[core]\n autocrlf = true\n safecrlf = true\n eol = crlf")


def signing(home: Home) -> None:
    program = home.script("gpg", "exit 1")
    home.config(f"[commit]\n gpgSign = true\n[tag]\n gpgSign = true\n[gpg]\n program = {program}")


def signed_push(home: Home) -> None:
    home.config("[push]\n gpgSign = true")


def failing_hooks(home: Home) -> None:
    for name in HOOKS:
        home.script(f"hooks/{name}", "exit 1")
    home.config(f"[core]\n hooksPath = {home.folder}/hooks")


def altering_hooks(home: Home) -> None:
    home.script("hooks/pre-commit", "echo more >> index.html; git add -A")
    home.script("hooks/commit-msg", 'echo altered > "$1"')
    home.config(f"[core]\n hooksPath = {home.folder}/hooks")


def hooks_of_a_template(home: Home) -> None:
    home.script("template/hooks/pre-commit", "exit 1")
    home.script("template/hooks/pre-push", "exit 1")
    home.file("template/info/attributes", "* text eol=crlf\n")
    home.config(f"[init]\n templateDir = {home.folder}/template")


def filters(home: Home) -> None:
    home.config('[filter "shout"]\n clean = tr a-z A-Z\n smudge = tr A-Z a-z\n required')
    listed = home.file("listed", "*.bin filter=shout\n*.json filter=shout\n")
    home.config(f"[core]\n attributesFile = {listed}")


def excludes(home: Home) -> None:
    listed = home.file("ignored", "*.bin\n*.json\n.toolchain\nassets/\n")
    home.config(f"[core]\n excludesFile = {listed}\n ignoreCase = true")


def monitor(home: Home) -> None:
    program = home.script("monitor", "exit 1")
    home.config(f"[core]\n fsmonitor = {program}\n untrackedCache = true")


def odd_defaults(home: Home) -> None:
    home.config(
        "[init]\n defaultBranch = gh-pages\n defaultObjectFormat = sha256\n"
        "[safe]\n bareRepository = explicit\n[push]\n default = nothing\n followTags = true\n"
        " recurseSubmodules = check\n[submodule]\n recurse = true\n[fetch]\n prune = true\n"
        "[color]\n ui = always\n[core]\n quotePath = false\n precomposeUnicode = true\n"
        "[user]\n useConfigOnly = true"
    )


def everything(home: Home) -> None:
    for setting in (line_ends, signing, signed_push, excludes, filters, monitor, odd_defaults):
        setting(home)
    attributes(home)
    failing_hooks(home)


SETTINGS = (
    *(attributes, attributes_of_all_kinds, line_ends, signing, signed_push, failing_hooks),
    *(altering_hooks, hooks_of_a_template, filters, excludes, monitor, odd_defaults, everything),
)
# With these, git's usual commands also store the same bytes.
HARMLESS = (monitor, odd_defaults)
