/* The byte order that the compiler is told: bpfel or bpfeb. */
#ifndef BPFLAB_ASM_BYTEORDER_H
#define BPFLAB_ASM_BYTEORDER_H

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#include <linux/byteorder/big_endian.h>
#else
#include <linux/byteorder/little_endian.h>
#endif

#endif
