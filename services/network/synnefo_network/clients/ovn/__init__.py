"""OVN's databases, spoken to by `ovs.db.idl` in a thread of its own: `connection` is the thread, `driver` what `app.driver` asks for."""
