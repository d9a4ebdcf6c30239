"""What maps and programs share: a descriptor, a number in the kernel, pins."""
