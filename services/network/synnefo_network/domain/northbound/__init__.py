"""The northbound database as a pure function of ours: which rows OVN must hold for which resources.

No I/O and no OVN library: the engines in `app.driver` and `clients.ovn` make what is computed here so.
"""
