/* The byte order that the compiler is told, bpfel or bpfeb, whatever that of the machine is which compiles: the bit
 * fields of <linux/ip.h> and others depend on it. Searched before the system's file of that name.
 */
#ifndef BPFLAB_ASM_BYTEORDER_H
#define BPFLAB_ASM_BYTEORDER_H

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#include <linux/byteorder/big_endian.h>
#else
#include <linux/byteorder/little_endian.h>
#endif

#endif
