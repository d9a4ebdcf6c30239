/* Between the byte order of the machine and of the network; constants are converted when compiled. */
#ifndef __BPF_ENDIAN_H
#define __BPF_ENDIAN_H

#define __bpf_swab16(x) ((__u16)__builtin_bswap16((__u16)(x)))
#define __bpf_swab32(x) ((__u32)__builtin_bswap32((__u32)(x)))
#define __bpf_swab64(x) ((__u64)__builtin_bswap64((__u64)(x)))

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define __bpf_big16(x) __bpf_swab16(x)
#define __bpf_big32(x) __bpf_swab32(x)
#define __bpf_big64(x) __bpf_swab64(x)
#define __bpf_little64(x) ((__u64)(x))
#else
#define __bpf_big16(x) ((__u16)(x))
#define __bpf_big32(x) ((__u32)(x))
#define __bpf_big64(x) ((__u64)(x))
#define __bpf_little64(x) __bpf_swab64(x)
#endif

#define bpf_htons(x) __bpf_big16(x)
#define bpf_ntohs(x) __bpf_big16(x)
#define bpf_htonl(x) __bpf_big32(x)
#define bpf_ntohl(x) __bpf_big32(x)
#define bpf_cpu_to_be64(x) __bpf_big64(x)
#define bpf_be64_to_cpu(x) __bpf_big64(x)
#define bpf_cpu_to_le64(x) __bpf_little64(x)
#define bpf_le64_to_cpu(x) __bpf_little64(x)

/* Names for use in static initialisers; the builtins above are constant there too. */
#define __bpf_constant_htons(x) __bpf_big16(x)
#define __bpf_constant_ntohs(x) __bpf_big16(x)
#define __bpf_constant_htonl(x) __bpf_big32(x)
#define __bpf_constant_ntohl(x) __bpf_big32(x)
#define __bpf_htons(x) __bpf_big16(x)
#define __bpf_ntohs(x) __bpf_big16(x)
#define __bpf_htonl(x) __bpf_big32(x)
#define __bpf_ntohl(x) __bpf_big32(x)
#define __bpf_cpu_to_be64(x) __bpf_big64(x)
#define __bpf_be64_to_cpu(x) __bpf_big64(x)

#endif
