"""Programs attached to real hooks: interfaces, cgroups, namespaces, tracepoints, the kernel's own functions."""
