import ssl
import unittest
from typing import Any

from monoceros.tls_context import NotTakenOver, changes_of


class WhatAHookStandsFor(unittest.TestCase):
    def changes(self, action: Any, **namespace: Any) -> Any:
        def hook(conf: Any, default_ssl_context_factory: Any) -> Any:
            context = default_ssl_context_factory()
            action(context, conf)
            return context

        return changes_of(hook, namespace)

    def test_nothing(self) -> None:
        self.assertEqual(self.changes(lambda context, conf: None), {})

    def test_versions(self) -> None:
        def newest(context: Any, conf: Any) -> None:
            context.minimum_version = ssl.TLSVersion.TLSv1_3

        def older(context: Any, conf: Any) -> None:
            context.options |= ssl.OP_NO_TLSv1 | ssl.OP_NO_TLSv1_3

        def older_too(context: Any, conf: Any) -> None:
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.maximum_version = ssl.TLSVersion.TLSv1_2

        self.assertEqual(self.changes(newest), {"tls_minimum": "1.3"})
        self.assertEqual(self.changes(older), {"ssl_version": "TLSv1_2"})
        self.assertEqual(self.changes(older_too), {"ssl_version": "TLSv1_2"})

    def test_the_rest(self) -> None:
        def everything(context: Any, conf: Any) -> None:
            context.set_ciphers("ECDHE+AESGCM")
            context.set_alpn_protocols(["http/1.1"])
            context.load_verify_locations(conf.authorities)
            context.load_verify_locations(cafile="ca.pem")
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_cert_chain("other.pem", "other.key")
            context.load_cert_chain("both.pem")

        self.assertEqual(
            self.changes(everything, certfile="site.pem", authorities="x"),
            {
                "ciphers": "ECDHE+AESGCM",
                "ca_certs": "ca.pem",
                "cert_reqs": 2,
                "certfile": ["site.pem", "other.pem", "both.pem"],
                "keyfile": ["other.key"],
            },
        )

    def test_what_has_no_setting_is_refused(self) -> None:
        def callback(context: Any, conf: Any) -> None:
            context.sni_callback = lambda *args: None

        def unknown(context: Any, conf: Any) -> None:
            context.load_dh_params("dh.pem")

        def password(context: Any, conf: Any) -> None:
            context.load_cert_chain("a.pem", "a.key", "secret")

        for action, text in (
            (callback, "context.sni_callback"),
            (unknown, "context.load_dh_params"),
            (password, "key_passphrase_file"),
        ):
            with self.assertRaisesRegex(NotTakenOver, text):
                self.changes(action)
        with self.assertRaisesRegex(NotTakenOver, "does not return"):
            changes_of(lambda conf, factory: ssl.create_default_context(), {})


if __name__ == "__main__":
    unittest.main()
