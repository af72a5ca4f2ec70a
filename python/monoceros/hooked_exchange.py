"""Exchanges of a worker whose configuration has ``pre_request`` or ``post_request``.

Other workers use plain exchanges, so that a hook that nobody has costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, List, Optional, Type

from . import frames
from .codes import coded
from .environ import Environ
from .exchange import Exchange
from .hook_objects import HookRequest, HookResponse
from .timed_out import calls_application
from .trace import format_error

if TYPE_CHECKING:
    from .worker_hooks import WorkerHooks


class HookedExchange(Exchange):
    """One request, between its hooks."""

    hooks: WorkerHooks
    _request: Optional[HookRequest] = None
    _response: Optional[HookResponse] = None
    _hook_environ: Environ = {}
    _whole: Optional[int] = None  # bytes of a body that were not sent piece by piece

    @calls_application
    def prepare(self, environ: Environ) -> None:
        """Runs ``pre_request``, just before the application is called."""
        hooks = self.hooks
        request = self._request = HookRequest(environ)
        if hooks.pre_request is not None:
            request.remember()
            hooks.pre_request(hooks.worker, request)
            request.apply(environ)
        hooks.count_request()
        self._hook_environ = environ
        self._response = HookResponse(request, hooks.worker.cfg)

    def start_response(
        self, status: str, headers: Any, exc_info: Any = None
    ) -> Callable[[bytes], None]:
        write = super().start_response(status, headers, exc_info)
        response = self._response
        if response is not None:
            response.status = status
            code = status[:3]
            response.status_code = int(code) if code.isdigit() else None
            response.headers = list(headers)
            response.response_length = self._declared
        return write

    def begin(self, flags: int, data: bytes, start: int, end: int) -> bool:
        done = super().begin(flags, data, start, end)
        if done:
            self._finish_hooks()
        return done

    def resume(self) -> bool:
        done = super().resume()
        if done:
            self._finish_hooks()
        return done

    def _send_whole(self, chunks: List[bytes]) -> bool:
        sent = super()._send_whole(chunks)
        if sent:
            self._whole = sum(map(len, chunks))
        return sent

    def _send_file(self, wrapper: Any) -> bool:
        sent = super()._send_file(wrapper)
        if sent and self._ended:
            self._whole = self._known
        return sent

    def _finish_hooks(self) -> None:
        """Runs ``post_request``. The client does not wait for it."""
        hooks = self.hooks
        request = self._request
        if request is None or hooks.post_request is None:
            return
        outbox = self.carrier.outbox
        outbox.flush()
        response = self._response
        if response is not None:
            response.headers_sent = self._started or self._whole is not None
            response.sent = self._produced if self._whole is None else self._whole
        try:
            self._context.run(
                hooks.post_request, hooks.worker, request, self._hook_environ, response
            )
        except BaseException as error:
            text = f"{request.method} {request.uri}: post_request raised\n{format_error(error)}"
            outbox.put(frames.pack_log(frames.ERROR, self.stream, coded("MONO5501", text)))
            outbox.flush()


def with_hooks(hooks: WorkerHooks) -> Type[HookedExchange]:
    """The exchanges of a worker with these hooks."""
    return type("HookedExchange", (HookedExchange,), {"hooks": hooks})


def prepared(application: Callable[..., Any]) -> Callable[..., Any]:
    """The application, called after ``pre_request``."""

    @calls_application
    def call(environ: Environ, start_response: Any) -> Any:
        start_response.__self__.prepare(environ)
        return application(environ, start_response)

    return call
