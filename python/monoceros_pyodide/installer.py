"""`monoceros install` in the embedded interpreter: pip with Node's sockets and short errors.

pip runs in this process, from its wheel. Its release is fixed, so `_adapt_pip` can replace internal
parts of it, each with its reason. pip installs into a copy of the folder; src/packages/ swaps the
two."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import traceback
import types
import zipfile
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Tuple

from monoceros_pyodide import install_index, install_lock, install_sockets

_Job = Dict[str, Any]

SCRIPT_INTERPRETER = "/usr/bin/env -S monoceros python"


def run(job_text: str, host: Any, to_host_bytes: Callable[[Any], Any]) -> str:
    """Runs one installation.

    `job_text` is the JSON of an InstallJob, and the result that of an InstallOutcome; see
    src/packages/install-job.ts."""
    job: _Job = json.loads(job_text)
    install_sockets.use_host(host, to_host_bytes)
    socket.create_connection = install_sockets.create_connection  # type: ignore[assignment]
    messages: List[str] = []

    def notify(kind: str, **what: Any) -> None:
        host.tell(kind, json.dumps(what))

    try:
        os.chdir(job["cwd"])
        before = install_lock.read_lock(job["lock"]) if job["lock"] is not None else {}
        locked = install_lock.requirements_of(before) if job["locked"] else None
        notify("step", text="Getting pip")
        _load_pip(job, notify)
        return json.dumps(_install(job, before, locked, notify, messages))
    except install_lock.BadLockFile as error:
        return json.dumps({"error": f"the lock file {job['lockFile']} cannot be used: {error}"})
    except install_index.PipNotFound as error:
        return json.dumps({"error": str(error)})
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if job["verbosity"] > 1:
            notify(
                "said",
                text="".join(traceback.format_exception(type(error), error, error.__traceback__)),
            )
        return json.dumps(_outcome_of(error, messages))


def _outcome_of(error: BaseException, messages: List[str]) -> Dict[str, Any]:
    message = None
    if "pip._internal" in sys.modules:
        from monoceros_pyodide.install_errors import short_message

        # If pip's parser rejects an option, it prints a line on standard error and raises
        # SystemExit.
        message = (
            "pip does not accept these options"
            if isinstance(error, SystemExit)
            else short_message(error, messages)
        )
    if message is not None:
        return {"error": message}
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return {"error": f"unexpected error, please report it: {error!r}\n{text}"}


def _load_pip(job: _Job, notify: Callable[..., None]) -> None:
    release = install_index.Release(job["pip"]["filename"], job["pip"]["sha256"])
    cache: Optional[str] = job["cache"]
    compiled = os.path.join(cache, f"{job['pip']['compiled']}") if cache is not None else None
    if compiled is None or not os.path.exists(compiled):
        settings = install_index.read_settings(os.environ, job["indexOptions"])
        content, _fetched = install_index.find_pip(release, cache, settings)
        folder = cache if cache is not None else job["temporary"]
        wheel = os.path.join(job["temporary"], release.filename)
        with open(wheel, "wb") as file:
            file.write(content)
        compiled = os.path.join(folder, job["pip"]["compiled"])
        notify("step", text="Preparing pip (once)")
        try:
            _compile_wheel(wheel, compiled)
        except OSError:
            compiled = wheel
    sys.path.insert(0, compiled)


def _compile_wheel(wheel: str, target: str) -> None:
    """Copies the wheel and adds byte code for each module, because compiling pip takes 6 s."""
    from importlib._bootstrap_external import _code_to_hash_pyc  # type: ignore[attr-defined]

    with install_index.unfinished(target) as temporary:
        with (
            zipfile.ZipFile(wheel) as old,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
        ):
            for entry in old.infolist():
                content = old.read(entry)
                # Windows launchers and type stubs are not needed.
                if entry.filename.endswith((".exe", ".pyi")):
                    continue
                new.writestr(entry, content)
                if entry.filename.endswith(".py"):
                    code = compile(content, entry.filename, "exec", dont_inherit=True)
                    new.writestr(
                        f"{entry.filename}c", bytes(_code_to_hash_pyc(code, bytes(8), False))
                    )


class _Listener(logging.Handler):
    """Keeps pip's messages for errors, and shows those that the verbosity selects."""

    def __init__(self, verbosity: int, messages: List[str], notify: Callable[..., None]) -> None:
        super().__init__(logging.DEBUG)
        self._messages = messages
        self._notify = notify
        self._shown_from = {0: logging.WARNING, 1: logging.INFO}.get(
            verbosity, logging.DEBUG if verbosity > 1 else logging.ERROR
        )

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:
            return
        if record.levelno >= logging.INFO:
            self._messages.append(message)
        # Errors are part of the outcome.
        if self._shown_from <= record.levelno < logging.ERROR:
            kind = "warning" if record.levelno >= logging.WARNING else "said"
            self._notify(kind, text=message)


def _install(
    job: _Job,
    before: Dict[str, Dict[str, Any]],
    locked: Optional[str],
    notify: Callable[..., None],
    messages: List[str],
) -> Dict[str, Any]:
    """Installs the packages.

    `before` is the contents of the lock file. `locked` is a requirements file that is installed
    instead of the job's requirements, or None."""
    stage: str = job["stage"]
    _adapt_pip(stage, notify)

    from pip._internal.cli.main import main as _  # noqa: F401  (pip's package is initialised by it)
    from pip._internal.cli.req_command import with_cleanup
    from pip._internal.cache import WheelCache
    from pip._internal.commands.install import InstallCommand
    from pip._internal.metadata import get_environment
    from pip._internal.operations.build.build_tracker import get_build_tracker
    from pip._internal.operations.check import check_install_conflicts
    from pip._internal.req import install_given_reqs
    from pip._internal.utils.filesystem import check_path_owner
    from pip._internal.utils.temp_dir import TempDirectory, global_tempdir_manager, tempdir_registry
    from monoceros_pyodide.install_portable import strip_all

    root = logging.getLogger()
    root.handlers[:] = [_Listener(job["verbosity"], messages, notify)]
    root.setLevel(logging.DEBUG if job["verbosity"] > 1 else logging.INFO)
    logging.raiseExceptions = False
    logging.getLogger("pip._vendor").setLevel(logging.ERROR)
    # pip has log levels of its own.
    logging.captureWarnings(True)

    arguments: List[str] = list(job["arguments"])
    if locked is not None:
        path = os.path.join(job["temporary"], "locked.txt")
        with open(path, "w", encoding="utf-8") as file:
            file.write(locked)
        arguments += ["--requirement", path, "--no-deps", "--require-hashes", "--pre"]

    class Command(InstallCommand):
        """pip's install command, for a folder only, and with a lock file."""

        def run(self, options: Any, args: List[str]) -> int:
            outcome.update(with_cleanup(_run)(self, options, args))
            return 0

    def _run(self: Any, options: Any, args: List[str]) -> Any:
        session = self.get_default_session(options)
        finder = self._build_package_finder(options=options, session=session)
        tracker = self.enter_context(get_build_tracker())
        directory = TempDirectory(kind="install", globally_managed=True)
        requirements = self.get_requirements(args, options, finder, session)
        wheels = WheelCache(options.cache_dir)
        preparer = self.make_requirement_preparer(
            temp_build_dir=directory,
            options=options,
            build_tracker=tracker,
            session=session,
            finder=finder,
            use_user_site=False,
            verbosity=self.verbosity,
            allow_editables=False,
        )
        resolver = self.make_resolver(
            preparer=preparer,
            finder=finder,
            options=options,
            wheel_cache=wheels,
            use_user_site=False,
            ignore_installed=False,
            ignore_requires_python=False,
            force_reinstall=options.force_reinstall,
            upgrade_strategy=options.upgrade_strategy if options.upgrade else "to-satisfy-only",
        )
        notify("step", text="Finding out what is needed")
        solution = resolver.resolve(requirements, check_supported_wheels=False)
        preparer.prepare_linked_requirements_more(solution.requirements.values())
        ordered = resolver.get_installation_order(solution)
        warnings = (
            [] if options.ignore_dependencies else _broken(check_install_conflicts(ordered)[1])
        )
        notify("step", text="Installing")
        install_given_reqs(
            _counted(ordered, notify),
            root=None,
            home=None,
            prefix=None,
            warn_script_location=False,
            use_user_site=False,
            pycompile=options.compile,
            progress_bar="off",
            script_executable=SCRIPT_INTERPRETER,
        )
        stripped = strip_all(stage, get_environment([stage]), [one.name for one in ordered])
        present = [
            (dist.canonical_name, str(dist.version))
            for dist in get_environment([stage]).iter_all_distributions()
        ]
        lock, unknown = install_lock.write_lock(
            solution.requirements_to_install, present, before, job["cwd"]
        )
        return {
            "installed": [[one.metadata["name"], one.metadata["version"]] for one in ordered],
            "present": len(present),
            "stripped": stripped,
            "warnings": warnings,
            "unlocked": unknown,
            "lock": lock,
        }

    outcome: Dict[str, Any] = {}
    command = Command("install", "Install packages.", isolated=False)
    # As in pip's Command._main, without its logging.
    with command.main_context():
        command.tempdir_registry = command.enter_context(tempdir_registry())
        command.enter_context(global_tempdir_manager())
        options, rest = command.parse_args([*arguments, "--", *job["requirements"]])
        command.verbosity = options.verbose - options.quiet
        if options.cache_dir and not check_path_owner(options.cache_dir):
            options.cache_dir = None
        command.run(options, rest)
    return outcome


def _broken(details: Tuple[Any, Any]) -> List[str]:
    """One line for each requirement of an installed package that is not met any more."""
    missing, conflicting = details
    lines = [
        f"{name} needs {needed[1]}, which is not installed"
        for name in missing
        for needed in missing[name]
    ]
    for name in conflicting:
        for other, version, needed in conflicting[name]:
            lines.append(f"{name} needs {needed}, but {other} {version} is installed now")
    return lines


def _counted(requirements: List[Any], notify: Callable[..., None]) -> List[Any]:
    """The same requirements, each of which reports when it is about to be installed."""
    for number, requirement in enumerate(requirements):
        install = requirement.install

        def announced(
            *args: Any,
            _install: Any = install,
            _number: int = number,
            _one: Any = requirement,
            **options: Any,
        ) -> None:
            notify("installing", name=_one.name, number=_number + 1, total=len(requirements))
            _install(*args, **options)

        requirement.install = announced
    return requirements


def _adapt_pip(stage: str, notify: Callable[..., None]) -> None:
    """Makes pip run without sockets, TLS, threads and subprocesses, for one folder."""
    # urllib3 would use its connections for browsers.
    browser = types.ModuleType("pip._vendor.urllib3.contrib.emscripten")
    browser.inject_into_urllib3 = lambda: None  # type: ignore[attr-defined]
    sys.modules[browser.__name__] = browser

    import pip._internal.commands.install as install_command
    import pip._internal.cli.index_command as index_command
    import pip._internal.index.collector as collector
    import pip._internal.index.package_finder as package_finder
    import pip._internal.network.download as download
    import pip._internal.req.req_install as req_install
    import pip._internal.resolution.resolvelib.factory as factory
    import pip._vendor.urllib3.connection as connection
    from pip._internal.metadata.importlib import Environment
    from pip._internal.models.scheme import Scheme
    from pip._internal.network.cache import is_from_cache
    from pip._internal.network.utils import response_chunks
    from pip._vendor import certifi
    from pip._vendor.packaging.utils import canonicalize_name
    from monoceros_pyodide.install_errors import (
        UnreachablePages,
        explain_nothing_fits,
        refuse_source,
    )
    from monoceros_pyodide.install_portable import is_portable, with_foreign_tags

    # Node's main thread opens the connections.
    connection.connection.create_connection = install_sockets.create_connection
    connection.wait_for_read = lambda sock, timeout=None: sock.readable()

    def wrap(
        sock: Any,
        *,
        cert_reqs: Any,
        ca_certs: Any,
        ca_cert_dir: Any,
        cert_file: Any,
        key_file: Any,
        key_password: Any,
        server_hostname: Any,
        **_: Any,
    ) -> Any:
        verify = cert_reqs not in (None, "CERT_NONE", 0)
        authorities = ca_certs or ca_cert_dir
        if authorities is not None and os.path.basename(authorities) == os.path.basename(
            certifi.where()
        ):
            authorities = None
        sock.start_tls(
            server_hostname,
            install_sockets.TLSSettings(
                verify, authorities, cert_file, key_file or cert_file, key_password
            ),
        )
        return connection._WrappedAndVerifiedSocket(socket=sock, is_verified=verify)

    connection._ssl_wrap_socket_and_match_hostname = wrap
    index_command._create_truststore_ssl_context = lambda: None

    # Only the copy of the folder counts as installed, and everything is installed into it.
    # type: ignore[assignment,method-assign]
    Environment.default = classmethod(lambda cls: cls([stage]))
    scheme = Scheme(
        platlib=stage,
        purelib=stage,
        headers=os.path.join(stage, "include"),
        scripts=os.path.join(stage, "bin"),
        data=stage,
    )
    req_install.get_scheme = lambda *_, **__: scheme
    install_command.get_scheme = lambda *_, **__: scheme
    # This becomes the first line of a wheel's scripts.
    sys.executable = SCRIPT_INTERPRETER

    # The command shows the progress, because pip's own progress bar needs a thread.
    def chunks(
        response: Any,
        link: Any,
        progress_bar: Any,
        total_length: Optional[int],
        range_start: Optional[int] = 0,
    ) -> Iterable[bytes]:
        if is_from_cache(response):
            notify("cached", name=link.filename)
            return response_chunks(response)
        return _followed(
            response_chunks(response), link.filename, range_start or 0, total_length, notify
        )

    download._log_download = chunks

    # Nothing can be built, so raise an error before pip tries.
    make = factory.Factory._make_base_candidate_from_link

    def checked(self: Any, link: Any, template: Any, name: Any, version: Any) -> Any:
        if template.editable or link.is_vcs or not link.is_wheel:
            raise refuse_source(link, name)
        return make(self, link, template, name, version)

    factory.Factory._make_base_candidate_from_link = checked
    unreachable = UnreachablePages()
    collector._handle_get_simple_fail = unreachable.add

    def report(self: Any, req: Any, parent: Any) -> Exception:
        _, ireq = req.get_candidate_lookup()
        specifier = ireq.req.specifier if ireq is not None and ireq.req is not None else None
        needed_by = None if parent is None else f"{parent.name} {parent.version}"
        return explain_nothing_fits(
            self._finder, req.project_name, specifier, needed_by, unreachable
        )

    factory.Factory._report_single_requirement_conflict = report

    # If a package has no suitable file at all, stop. pip would go back to versions that did not
    # need it yet: Flask of 2016.
    find = factory.Factory._iter_found_candidates

    def find_or_explain(self: Any, ireqs: Any, *args: Any, **options: Any) -> Any:
        if ireqs and ireqs[0].req is not None:
            name = canonicalize_name(ireqs[0].req.name)
            if name not in self._installed_dists and not self._finder.find_all_candidates(name):
                parent = ireqs[0].comes_from
                needed_by = getattr(parent, "name", None) if parent is not None else None
                raise explain_nothing_fits(
                    self._finder, name, ireqs[0].req.specifier, needed_by, unreachable
                )
        return find(self, ireqs, *args, **options)

    factory.Factory._iter_found_candidates = find_or_explain

    # A package that works without its compiled part may come from a wheel for another platform.
    def widened(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, project_name: str, *args: Any, **options: Any) -> Any:
            if not is_portable(project_name):
                return method(self, project_name, *args, **options)
            target = self._target_python
            self._target_python = with_foreign_tags(target)
            try:
                return method(self, project_name, *args, **options)
            finally:
                self._target_python = target

        return call

    finder_class = package_finder.PackageFinder
    finder_class.make_link_evaluator = widened(finder_class.make_link_evaluator)
    finder_class.make_candidate_evaluator = widened(finder_class.make_candidate_evaluator)


def _followed(
    chunks: Iterable[bytes],
    name: str,
    received: int,
    total: Optional[int],
    notify: Callable[..., None],
) -> Iterator[bytes]:
    for chunk in chunks:
        received += len(chunk)
        notify("download", name=name, received=received, total=total, done=False)
        yield chunk
    notify("download", name=name, received=received, total=total, done=True)
