"""Short error messages: what went wrong, and what to do about it."""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

from pip._internal.exceptions import (
    ConnectionFailedError,
    ConnectionTimeoutError,
    DiagnosticPipError,
    HashError,
    HashErrors,
    HashMismatch,
    HashMissing,
    HashUnpinned,
    InstallationError,
    NetworkConnectionError,
    SSLVerificationError,
)
from pip._internal.index.package_finder import LinkType
from pip._internal.utils.compatibility_tags import get_supported
from pip._vendor.packaging.specifiers import InvalidSpecifier, SpecifierSet
from pip._vendor.packaging.tags import Tag
from pip._vendor.packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from pip._vendor.packaging.version import Version
from pip._vendor.requests.exceptions import RequestException

from monoceros_pyodide.install_index import without_credentials

_WHAT_TO_DO = (
    "A compiled package needs a build for WebAssembly (PEP 783). Use another version or package "
    "that is pure Python, or run the application with an installed Python (--runtime cpython)"
)

_SET_UP = (
    "The index and how to reach it are configured as for pip: pip.conf, PIP_INDEX_URL, or options "
    "(--help)"
)


class NotInstallable(InstallationError):
    """An error with a message that is shown unchanged."""


class UnreachablePages:
    """Pages of an index that could not be fetched.

    pip ignores them. If nothing is found, they are the reason."""

    def __init__(self) -> None:
        self.reasons: Dict[str, str] = {}

    def add(self, link: Any, reason: Any, meth: Any = None) -> None:
        """Replaces pip's `_handle_get_simple_fail`."""
        text = _plain(reason) if isinstance(reason, BaseException) else _unmarked(reason)
        # A missing page means that there is no such package.
        if not text.startswith("404 "):
            self.reasons[without_credentials(link.url)] = text.split(" for url:")[0].removeprefix(
                "connection error: "
            )


class _Offer(NamedTuple):
    """All files of a package in an index, suitable or not."""

    wheels: List[Tuple[Version, Set[Tag], Optional[str]]]
    sdists: List[Version]


def refuse_source(link: Any, name: Optional[str]) -> NotInstallable:
    """The error for a requirement that would have to be built."""
    what = name or link.filename or str(link)
    if link.is_vcs:
        why = "is in version control and would have to be built"
    elif link.is_existing_dir():
        why = f"is a project folder ({link.file_path}) and would have to be built"
    else:
        why = f"is not a wheel but {link.filename} and would have to be built"
    return NotInstallable(
        f"{what} {why}; the embedded Python cannot build packages. Build a wheel elsewhere "
        "(python -m build --wheel) and install that, or name its folder with --find-links"
    )


def explain_nothing_fits(
    finder: Any,
    name: str,
    specifier: Optional[SpecifierSet],
    needed_by: Optional[str],
    unreachable: UnreachablePages,
) -> NotInstallable:
    """Finds out why no file of a package is suitable."""
    specifier = specifier if specifier is not None else SpecifierSet()
    asked = f"{name}{specifier}" + (f" (which {needed_by} needs)" if needed_by is not None else "")
    offer = _look(finder, name)
    every = sorted({version for version, *_ in offer.wheels} | set(offer.sdists))
    if unreachable.reasons:
        reasons = "".join(f"\n  {url}: {reason}" for url, reason in unreachable.reasons.items())
        return NotInstallable(
            f"{asked}: nothing suitable was found, and not every source could be reached:"
            f"{reasons}\n{_SET_UP}"
        )
    if not every:
        places = [without_credentials(place) for place in (*finder.index_urls, *finder.find_links)]
        return NotInstallable(
            f"{asked}: there is no package of that name in "
            f"{_list(places) or 'any source, because of --no-index'}"
        )
    wanted = [version for version in every if specifier.contains(version, prereleases=True)]
    if not wanted:
        return NotInstallable(
            f"{asked}: there is no such version. Available: {_list(map(str, every[-8:]))}"
        )
    newest = [version for version in wanted if not version.is_prerelease] or wanted
    version = newest[-1]
    here = get_supported()
    of_version = [wheel for wheel in offer.wheels if wheel[0] == version]
    fitting = [wheel for wheel in offer.wheels if wheel[0] in wanted and wheel[1] & set(here)]
    if fitting:
        needs = {needed for _, _, needed in fitting if needed and not _contains(needed)}
        if needs:
            return NotInstallable(
                f"{asked}: it needs Python {_list(sorted(needs))}; the embedded one is {_python()}"
            )
        if all(one.is_prerelease for one in wanted):
            return NotInstallable(
                f"{asked}: there are only pre-releases, {_list(map(str, wanted[-5:]))}; "
                "--pre allows them"
            )
        return NotInstallable(
            f"{asked}: every suitable file was withdrawn by its authors (yanked), "
            "or is excluded by a setting"
        )
    if not of_version:
        return NotInstallable(
            f"{asked}: {name} {version} is available only as source, and the embedded Python "
            "cannot build packages. Build a wheel elsewhere (pip wheel) and name its folder with "
            "--find-links"
        )
    platforms = sorted({_platform(tag) for _, tags, _ in of_version for tag in tags})
    return NotInstallable(
        f"{asked}: {name} {version} has wheels for {_list(platforms)}, but none in pure "
        f"Python or for WebAssembly. {_WHAT_TO_DO}"
    )


def _look(finder: Any, name: str) -> _Offer:
    offer = _Offer([], [])
    canonical = canonicalize_name(name)

    class Onlooker:
        """Accepts no link as a candidate, and records all of them."""

        project_name = name

        def evaluate_link(self, link: Any) -> Tuple[LinkType, str]:
            try:
                if link.is_wheel:
                    found, version, _, tags = parse_wheel_filename(link.filename)
                    if found == canonical:
                        offer.wheels.append((version, set(tags), link.requires_python))
                else:
                    found, version = parse_sdist_filename(link.filename)
                    if found == canonical:
                        offer.sdists.append(version)
            except (InvalidWheelFilename, InvalidSdistFilename):
                pass
            return LinkType.different_project, ""

    onlooker = Onlooker()
    sources = finder._link_collector.collect_sources(
        name, lambda page: finder.process_project_url(page, link_evaluator=onlooker)
    )
    for group in sources:
        for source in group:
            if source is not None:
                list(source.page_candidates())
                finder.evaluate_links(onlooker, source.file_links())
    return offer


def _contains(specifier: str) -> bool:
    try:
        return SpecifierSet(specifier).contains(_python())
    except InvalidSpecifier:
        return True


def _python() -> str:
    import platform

    return platform.python_version()


_PLATFORMS: Dict[str, str] = {
    "manylinux": "Linux",
    "musllinux": "Linux",
    "linux": "Linux",
    "macosx": "macOS",
    "win": "Windows",
    "ios": "iOS",
    "android": "Android",
    "pyodide": "another Pyodide",
    "pyemscripten": "another Pyodide",
    "emscripten": "another Emscripten",
}


def _platform(tag: Tag) -> str:
    if tag.platform == "any":
        return f"another Python ({tag.interpreter})"
    prefix = re.split(r"[_\d]", tag.platform)[0]
    return _PLATFORMS.get(prefix, tag.platform)


def _list(words: Iterable[str]) -> str:
    words = list(dict.fromkeys(words))
    return (
        words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
    )


def short_message(error: BaseException, messages: List[str]) -> Optional[str]:
    """The message for an error of pip, or None if the error is a bug.

    `messages` are what pip logged before it raised. They contain details that the error itself
    lacks."""
    if isinstance(error, NotInstallable):
        return str(error)
    if isinstance(error, HashErrors):
        return "\n".join(_hash_message(one) for one in error.errors)
    if isinstance(error, HashError):
        return _hash_message(error)
    text = " ".join(str(error).split())
    if "ResolutionImpossible" in text:
        return _conflict(messages)
    if isinstance(
        error,
        (
            ConnectionFailedError,
            ConnectionTimeoutError,
            SSLVerificationError,
            NetworkConnectionError,
            RequestException,
        ),
    ):
        return f"{_plain(error)}\n{_SET_UP}"
    if isinstance(error, DiagnosticPipError):
        return _plain(error)
    if isinstance(error, InstallationError) or type(error).__module__.startswith(
        "pip._internal.exceptions"
    ):
        return text
    if isinstance(error, OSError):
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror or error}{where}"
    return None


def _hash_message(error: Any) -> str:
    name = error.req.name or str(error.req) if error.req else "a package"
    if isinstance(error, HashMismatch):
        allowed = [f"{kind}:{value}" for kind, values in error.allowed.items() for value in values]
        got = [
            f"{kind}:{error.gots[kind].hexdigest()}" for kind in error.allowed if kind in error.gots
        ]
        link = f" ({error.req.link.filename})" if error.req and error.req.link else ""
        return (
            f"{name}{link}: the downloaded file has the hash {_list(got)}, but "
            f"{' or '.join(allowed)} is required. The file was changed after the hash was "
            "recorded, or during the download"
        )
    if isinstance(error, HashMissing):
        return (
            f"{name}: a hash is required, because others have one or because of --require-hashes: "
            f"add --hash=sha256:{error.gotten_hash}"
        )
    if isinstance(error, HashUnpinned):
        return (
            f"{name}: a hash is required, so the version must be exact: "
            f"{name}==VERSION --hash=sha256:…"
        )
    return " ".join(str(error).split())


def _conflict(messages: List[str]) -> str:
    causes: List[str] = []
    for message in messages:
        if "The conflict is caused by:" in message:
            part = message.split("The conflict is caused by:", 1)[1].split("\n\nTo fix this", 1)[0]
            causes = [line.strip() for line in part.splitlines() if line.strip()]
    lines = "".join(f"\n  {line.replace('The user requested', 'requested:')}" for line in causes)
    return f"the requirements conflict with each other:{lines}"


def _plain(error: Any) -> str:
    """An error's text in one line; that of a DiagnosticPipError without markup."""
    parts = [getattr(error, "message", None), getattr(error, "context", None)]
    text = ". ".join(_unmarked(part).rstrip(".") for part in parts if part)
    return text or _unmarked(error)


def _unmarked(text: Any) -> str:
    """The text without rich's markup, in one line."""
    plain = text.plain if hasattr(text, "plain") else re.sub(r"\[/?[a-z ]*\]", "", str(text))
    return " ".join(plain.split())
