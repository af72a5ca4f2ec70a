"""Fetches pip itself from the index that pip is configured for.

That happens before there is a pip that could read its settings. Only the settings for indexes and
connections are read here. pip reads all others."""

from __future__ import annotations

import base64
import configparser
import hashlib
import html.parser
import http.client
import json
import netrc
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from typing import Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from monoceros_pyodide.install_sockets import TLSSettings

DEFAULT_INDEX = "https://pypi.org/simple"


class PipNotFound(Exception):
    """pip's wheel was not found. The text says where it was looked for, and what to do."""


class Release(NamedTuple):
    """The release of pip that Monoceros runs."""

    filename: str
    sha256: str


class IndexSettings(NamedTuple):
    """pip's settings for indexes and connections."""

    index_urls: List[str]
    find_links: List[str]
    trusted_hosts: List[str]
    cert: Optional[str]
    client_cert: Optional[str]
    proxy: Optional[str]
    timeout: float


class _Parser(configparser.RawConfigParser):
    def optionxform(self, optionstr: str) -> str:
        # As in pip, --index-url, index_url and index-url are the same.
        name = optionstr.lower().replace("_", "-")
        return name[2:] if name.startswith("--") else name


def config_files(environment: Mapping[str, str]) -> List[str]:
    """pip's configuration files. Later ones have precedence."""
    chosen = environment.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return []
    home = os.path.expanduser("~")
    folders = environment.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    files = [os.path.join(folder, "pip", "pip.conf") for folder in folders.split(":") if folder]
    files.append("/etc/pip.conf")
    files.append(os.path.join(home, ".pip", "pip.conf"))
    own = environment.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    files.append(os.path.join(own, "pip", "pip.conf"))
    if chosen and os.path.exists(chosen):
        files.append(chosen)
    return files


def read_settings(
    environment: Mapping[str, str], command_line: Mapping[str, Sequence[str]]
) -> IndexSettings:
    """Combines the configuration files, PIP_* variables and the command line, as pip does.

    Later ones have precedence."""
    found: Dict[str, List[str]] = {}
    sections: Dict[str, Dict[str, List[str]]] = {"global": {}, "install": {}}
    for path in config_files(environment):
        parser = _Parser()
        try:
            with open(path, encoding="utf-8") as file:
                parser.read_file(file)
        except (OSError, UnicodeDecodeError, configparser.Error):
            # The file is missing or not readable. pip reports that when it runs.
            continue
        for section, values in sections.items():
            if parser.has_section(section):
                for name, value in parser.items(section):
                    values[name] = value.split()
    found.update(sections["global"])
    found.update(sections["install"])
    for name, value in environment.items():
        if name.startswith("PIP_"):
            found[name[4:].lower().replace("_", "-")] = value.split()
    # The command line adds to lists and replaces other values.
    for name, values in command_line.items():
        if name in ("extra-index-url", "find-links", "trusted-host"):
            found[name] = [*found.get(name, []), *values]
        else:
            found[name] = list(values)

    def one(name: str) -> Optional[str]:
        values = found.get(name)
        return " ".join(values) if values else None

    no_index = (one("no-index") or "").lower() in ("1", "true", "yes", "on", "y", "t")
    index_urls = (
        [] if no_index else [one("index-url") or DEFAULT_INDEX, *found.get("extra-index-url", [])]
    )
    try:
        timeout = float(one("timeout") or one("default-timeout") or 15)
    except ValueError:
        timeout = 15.0
    return IndexSettings(
        index_urls=[url.rstrip("/") for url in index_urls],
        find_links=found.get("find-links", []),
        trusted_hosts=found.get("trusted-host", []),
        cert=one("cert")
        or environment.get("REQUESTS_CA_BUNDLE")
        or environment.get("CURL_CA_BUNDLE"),
        client_cert=one("client-cert"),
        proxy=one("proxy"),
        timeout=timeout,
    )


def find_pip(release: Release, cache: Optional[str], settings: IndexSettings) -> Tuple[bytes, bool]:
    """pip's wheel, verified by its hash, and whether it was just fetched.

    `cache` is Monoceros' cache folder. A file there with another hash is fetched again. Raises
    PipNotFound."""
    if cache is not None:
        kept = _read(os.path.join(cache, release.filename))
        if kept is not None and _fits(kept, release):
            return kept, False
    tried: List[str] = []
    for content in _candidates(release, settings, tried):
        if _fits(content, release):
            if cache is not None:
                _keep(os.path.join(cache, release.filename), content)
            return content, True
        tried[-1] += ": has a file of that name with another hash, which was not used"
    places = (
        "".join(f"\n  {place}" for place in tried) or "\n  nowhere: --no-index, and no --find-links"
    )
    raise PipNotFound(
        f"cannot get {release.filename}, which installs the packages. "
        f"It was looked for in:{places}\n"
        f"If no index can be reached, put the file {release.filename} into a folder and name the "
        "folder with --find-links"
    )


def _fits(content: bytes, release: Release) -> bool:
    return hashlib.sha256(content).hexdigest() == release.sha256


def _read(path: str) -> Optional[bytes]:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def _keep(path: str, content: bytes) -> None:
    try:
        with unfinished(path) as temporary, open(temporary, "xb") as file:
            file.write(content)
    except OSError:
        pass  # It is fetched again next time.


#: The age at which an unfinished file is considered abandoned, in seconds.
_ABANDONED = 3600.0


@contextmanager
def unfinished(path: str) -> Iterator[str]:
    """A temporary name for a file that must be complete: it is renamed if there is no error.

    Also removes the unfinished files of processes that were killed. Raises OSError."""
    folder, name = os.path.split(path)
    temporary = f"{path}.{os.urandom(6).hex()}.new"
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        raise
    for other in os.listdir(folder):
        if not (other.startswith(f"{name}.") and other.endswith(".new")):
            continue
        left = os.path.join(folder, other)
        try:
            # A file from the future is abandoned too: the clock may have been set.
            if abs(time.time() - os.lstat(left).st_mtime) >= _ABANDONED:
                os.unlink(left)
        except OSError:
            pass  # Another process was faster.


def _candidates(release: Release, settings: IndexSettings, tried: List[str]) -> Iterator[bytes]:
    """Files of the right name. Each source is added to `tried`, with its error if there was one."""
    for place in settings.find_links:
        path = (
            urllib.request.url2pathname(place[5:].replace("///", "/", 1))
            if place.startswith("file:")
            else place
        )
        if "://" in place and not place.startswith("file:"):
            yield from _from_page(place, release, settings, tried)
            continue
        tried.append(place)
        content = _read(os.path.join(path, release.filename))
        if content is not None:
            yield content
    for index in settings.index_urls:
        if index.startswith("file:"):
            path = urllib.request.url2pathname(index[5:].replace("///", "/", 1))
            tried.append(index)
            content = _read(os.path.join(path, "pip", release.filename))
            if content is not None:
                yield content
            continue
        yield from _from_page(f"{index}/pip/", release, settings, tried)


def _from_page(
    page: str, release: Release, settings: IndexSettings, tried: List[str]
) -> Iterator[bytes]:
    tried.append(without_credentials(page))
    try:
        for url in _links(page, settings):
            if urllib.parse.unquote(urllib.parse.urlsplit(url).path).endswith(
                f"/{release.filename}"
            ):
                yield _get(url, settings, page)[0]
    except (OSError, ValueError, http.client.HTTPException) as error:
        tried[-1] += f": {_reason(error)}"
    except (AttributeError, LookupError, RecursionError, TypeError):
        tried[-1] += ": is not a page of an index"


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"{error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        error = error.reason if isinstance(error.reason, Exception) else error
    text = error.args[1] if len(error.args) > 1 else str(error)
    return str(text).strip() or type(error).__name__


class _Anchors(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.base: Optional[str] = None
        self.links: List[str] = []

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        target = dict(attrs).get("href")
        if target and tag == "a":
            self.links.append(target)
        elif target and tag == "base" and self.base is None:
            self.base = target


def _links(page: str, settings: IndexSettings) -> List[str]:
    """The absolute addresses that a project's page (PEP 503 or PEP 691) links to."""
    body, kind, address = _get(page, settings, page)
    if kind == "application/vnd.pypi.simple.v1+json":
        return [urllib.parse.urljoin(address, file["url"]) for file in json.loads(body)["files"]]
    anchors = _Anchors()
    anchors.feed(body.decode("utf-8", "replace"))
    base = urllib.parse.urljoin(address, anchors.base or "")
    return [urllib.parse.urljoin(base, link) for link in anchors.links]


def _get(url: str, settings: IndexSettings, index: str) -> Tuple[bytes, str, str]:
    """Body, content type and final address."""
    parts = urllib.parse.urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    request = urllib.request.Request(
        urllib.parse.urlunsplit(parts._replace(netloc=host, fragment="")),
        headers={
            "Accept": "application/vnd.pypi.simple.v1+json, text/html;q=0.1, */*;q=0.01",
            "User-Agent": "monoceros",
        },
    )
    login = _credentials(url) or (_credentials(index) if _origin(index) == _origin(url) else None)
    if login is not None:
        token = base64.b64encode(f"{login[0]}:{login[1]}".encode()).decode()
        # The header must not be sent to another server after a redirect.
        request.add_unredirected_header("Authorization", f"Basic {token}")
    trusted = parts.hostname in settings.trusted_hosts or host in settings.trusted_hosts
    context = TLSSettings(not trusted, settings.cert, settings.client_cert, settings.client_cert)
    proxies = {"http": settings.proxy, "https": settings.proxy} if settings.proxy else None
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler(proxies),
        urllib.request.HTTPSHandler(context=context),  # type: ignore[arg-type]
    )
    with opener.open(request, timeout=settings.timeout) as response:
        return response.read(), response.headers.get_content_type(), response.url


def _origin(url: str) -> Tuple[str, str]:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.netloc.rpartition("@")[2].lower()


def _credentials(url: str) -> Optional[Tuple[str, str]]:
    parts = urllib.parse.urlsplit(url)
    if parts.username is not None:
        return urllib.parse.unquote(parts.username), urllib.parse.unquote(parts.password or "")
    path = os.environ.get("NETRC") or os.path.expanduser("~/.netrc")
    try:
        entry = netrc.netrc(path).authenticators(parts.hostname or "")
    except (OSError, netrc.NetrcParseError):
        return None
    return (entry[0], entry[2] or "") if entry else None


def without_credentials(url: str) -> str:
    """The address without the user's name and password, so that it may be shown or stored."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
