"""Several machines on one host, made of Linux namespaces, and a Ray of these machines."""
