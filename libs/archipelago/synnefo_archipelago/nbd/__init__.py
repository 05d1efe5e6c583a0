"""The NBD endpoint: the volumes of a store as exports of one nbdkit server per node, over a Unix socket.

`python -m synnefo_archipelago.nbd` starts it. `plugin` is what nbdkit loads, `export` one volume as its connections share
it, `journal` what survives the death of the server. nbdkit keeps the protocol: negotiation, TLS, filters, extents.
"""
