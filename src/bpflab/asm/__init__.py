"""Programs in Python: instructions, assembler, disassembler."""
