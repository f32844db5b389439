"""Storages of studies: the journal file, a database that may go away, and copies that share one."""
