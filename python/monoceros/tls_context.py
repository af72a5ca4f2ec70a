"""Gunicorn's hook ``ssl_context``: what it does with the default context becomes settings.

TLS is done outside Python, so no ``ssl.SSLContext`` can be used. The hook gets an object that looks
like one and takes notes; what has no setting here is refused."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional


class NotTakenOver(Exception):
    """The hook does something that has no setting here. ``str(error)`` says what."""


class TlsContext:
    """Stands for an ``ssl.SSLContext``. Only what was changed is noted."""

    def __init__(self) -> None:
        import ssl

        noted: Dict[str, Any] = {
            "minimum_version": ssl.TLSVersion.TLSv1_2,
            "maximum_version": ssl.TLSVersion.MAXIMUM_SUPPORTED,
            "verify_mode": None,
            "options": 0,
            "check_hostname": False,
        }
        object.__setattr__(self, "_noted", noted)
        object.__setattr__(self, "_files", {"certfile": [], "keyfile": []})
        object.__setattr__(self, "_settings", {})

    def __getattr__(self, name: str) -> Any:
        if name in self._noted:
            return self._noted[name]
        raise NotTakenOver(f"it uses context.{name}, which has no setting here")

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._noted:
            raise NotTakenOver(f"it sets context.{name}, which has no setting here")
        self._noted[name] = value

    def load_cert_chain(
        self, certfile: Any, keyfile: Any = None, password: Optional[object] = None
    ) -> None:
        if password is not None:
            raise NotTakenOver("it gives a password: write it to a file, for key_passphrase_file")
        self._files["certfile"].append(str(certfile))
        if keyfile is not None:
            self._files["keyfile"].append(str(keyfile))

    def load_verify_locations(
        self, cafile: Any = None, capath: Any = None, cadata: Any = None
    ) -> None:
        if capath is not None or cadata is not None:
            raise NotTakenOver("only a file of authorities can be loaded (cafile)")
        self._settings["ca_certs"] = str(cafile)

    def set_ciphers(self, ciphers: str) -> None:
        self._settings["ciphers"] = str(ciphers)

    def set_alpn_protocols(self, protocols: List[str]) -> None:
        """Which protocols there are is known without it."""

    def changes(self) -> Dict[str, Any]:
        """The settings that follow from what was done, by their names."""
        import ssl

        noted = self._noted
        changes = dict(self._settings)
        if noted["verify_mode"] is not None:
            changes["cert_reqs"] = int(noted["verify_mode"])
        # Older versions are not spoken, whatever is allowed.
        no_12 = noted["options"] & ssl.OP_NO_TLSv1_2
        if noted["minimum_version"] == ssl.TLSVersion.TLSv1_3 or no_12:
            changes["tls_minimum"] = "1.3"
        no_13 = noted["options"] & ssl.OP_NO_TLSv1_3
        if noted["maximum_version"] == ssl.TLSVersion.TLSv1_2 or no_13:
            changes["ssl_version"] = "TLSv1_2"
        return changes

    def files(self) -> Dict[str, List[str]]:
        """Certificates and keys that were loaded, beside those of the settings."""
        return {name: paths for name, paths in self._files.items() if paths}


class _Config:
    """What the hook gets as the configuration: the names of the file."""

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self.__dict__.update(namespace)

    def __getattr__(self, name: str) -> None:
        return None  # as Gunicorn's defaults for certificates


def changes_of(hook: Callable[..., Any], namespace: Mapping[str, Any]) -> Dict[str, Any]:
    """Calls the hook, and returns the settings that it stands for.

    :raises NotTakenOver: if it does something else
    """
    made: List[TlsContext] = []

    def default_ssl_context_factory() -> TlsContext:
        made.append(TlsContext())
        return made[-1]

    context = hook(_Config(namespace), default_ssl_context_factory)
    if not any(context is one for one in made):
        raise NotTakenOver("it does not return the context of default_ssl_context_factory()")
    changes: Dict[str, Any] = context.changes()
    for name, paths in context.files().items():
        before = namespace.get(name)
        given = [before] if isinstance(before, str) else list(before or [])
        changes[name] = [*given, *paths]
    return changes
