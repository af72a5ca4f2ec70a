"""TLS without a proxy in front."""

import os
import ssl

bind = "127.0.0.1:0"
workers = 2
certfile = os.environ.get("CERTFILE", "/etc/ssl/mysite.pem")
keyfile = os.environ.get("KEYFILE", "/etc/ssl/mysite.key")
cert_reqs = ssl.CERT_NONE
do_handshake_on_connect = False
suppress_ragged_eofs = True


def ssl_context(conf, default_ssl_context_factory):
    context = default_ssl_context_factory()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
