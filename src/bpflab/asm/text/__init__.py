"""The text form of instructions: what LLVM, the verifier and bpftool print, read and written."""
