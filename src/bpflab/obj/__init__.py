"""Programs from a compiler: ELF objects, BTF, and the specs they yield."""
