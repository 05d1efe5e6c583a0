"""A fake Ganeti: real RAPI over HTTPS, state in files, no virtual machines."""
