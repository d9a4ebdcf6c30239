/* BPF's long has 64 bits, also on 32-bit architectures. */
#ifndef BPFLAB_ASM_BITSPERLONG_H
#define BPFLAB_ASM_BITSPERLONG_H

#define __BITS_PER_LONG 64

#include <asm-generic/bitsperlong.h>

#endif
