"""The hermetic lab: namespaces, hosts, addresses, blocked ports."""
