/* The sizes of the kernel's integers, for a system whose headers are those of another architecture. */
#ifndef BPFLAB_ASM_TYPES_H
#define BPFLAB_ASM_TYPES_H

#include <asm-generic/int-ll64.h>

#endif
