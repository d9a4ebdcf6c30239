/* What every BPF program wants: sections, map definitions, attributes, printing, loops.
 *
 * Names and meanings are those that libbpf's header of the same name has made common. The helpers themselves
 * are in bpf_helper_defs.h. Include linux/bpf.h (or vmlinux.h) first.
 */
#ifndef __BPF_HELPERS_H
#define __BPF_HELPERS_H

#include "bpf_helper_defs.h"

/* Definitions of maps: struct { __uint(type, BPF_MAP_TYPE_HASH); __type(key, __u32); ... } name SEC(".maps"). */
#define __uint(name, val) int (*name)[val]
#define __type(name, val) typeof(val) *name
#define __array(name, val) typeof(val) *name[]
#define __bpf_join2(a, b) a##b
#define __bpf_join(a, b) __bpf_join2(a, b)
#define __ulong(name, val) enum { __bpf_join(__bpf_value_, __COUNTER__) = val } name

/* Where a program or variable goes: the section's name says what a program is. */
#define SEC(name) __attribute__((section(name), used))

#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#ifndef __noinline
#define __noinline __attribute__((noinline))
#endif
#ifndef __weak
#define __weak __attribute__((weak))
#endif
/* A function or map that other objects do not see; the verifier checks such a function at each call. */
#define __hidden __attribute__((visibility("hidden")))

#ifndef offsetof
#define offsetof(type, member) __builtin_offsetof(type, member)
#endif
#ifndef container_of
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
#endif
#ifndef KERNEL_VERSION
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + ((c) > 255 ? 255 : (c)))
#endif

/* Keep the compiler from moving memory accesses across, or from knowing a variable's value. */
#ifndef barrier
#define barrier() asm volatile("" ::: "memory")
#endif
#ifndef barrier_var
#define barrier_var(var) asm volatile("" : "+r"(var))
#endif

enum libbpf_pin_type {
	LIBBPF_PIN_NONE,
	LIBBPF_PIN_BY_NAME,
};

enum libbpf_tristate {
	TRI_NO = 0,
	TRI_YES = 1,
	TRI_MODULE = 2,
};

/* Values that the kernel provides: options of its configuration, and its symbols. */
#define __kconfig __attribute__((section(".kconfig")))
#define __ksym __attribute__((section(".ksyms")))
#define bpf_ksym_exists(sym) (!!(sym))

#if __has_attribute(btf_type_tag)
#define __bpf_type_tag(tag) __attribute__((btf_type_tag(tag)))
#else
#define __bpf_type_tag(tag)
#endif
#if __has_attribute(btf_decl_tag)
#define __bpf_decl_tag(tag) __attribute__((btf_decl_tag(tag)))
#else
#define __bpf_decl_tag(tag)
#endif

/* Pointers to kernel objects in map values. */
#define __kptr __bpf_type_tag("kptr")
#define __kptr_untrusted __bpf_type_tag("kptr_untrusted")
#define __percpu_kptr __bpf_type_tag("percpu_kptr")
#define __uptr __bpf_type_tag("uptr")

/* What the verifier may take for granted of a global function's argument. */
#define __arg_ctx __bpf_decl_tag("arg:ctx")
#define __arg_nonnull __bpf_decl_tag("arg:nonnull")
#define __arg_nullable __bpf_decl_tag("arg:nullable")
#define __arg_trusted __bpf_decl_tag("arg:trusted")
#define __arg_untrusted __bpf_decl_tag("arg:untrusted")
#define __arg_arena __bpf_decl_tag("arg:arena")

/* Jump to a program of a PROG_ARRAY by a constant index, which the kernel makes a direct jump. */
static __always_inline void bpf_tail_call_static(void *ctx, const void *map, const __u32 index)
{
	if (!__builtin_constant_p(index))
		__builtin_trap();
	asm volatile("r1 = %[ctx]\n\t"
		     "r2 = %[map]\n\t"
		     "r3 = %[index]\n\t"
		     "call 12"
		     :
		     : [ctx] "r"(ctx), [map] "r"(map), [index] "i"(index)
		     : "r0", "r1", "r2", "r3", "r4", "r5");
}

/* How many arguments there are (up to 12), and one macro applied to each. */
#define __bpf_13th(a, b, c, d, e, f, g, h, i, j, k, l, m, n, ...) n
#define __bpf_count(...) __bpf_13th(_, ##__VA_ARGS__, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define __bpf_each0(f, ...)
#define __bpf_each1(f, a) f(a)
#define __bpf_each2(f, a, ...) f(a) __bpf_each1(f, __VA_ARGS__)
#define __bpf_each3(f, a, ...) f(a) __bpf_each2(f, __VA_ARGS__)
#define __bpf_each4(f, a, ...) f(a) __bpf_each3(f, __VA_ARGS__)
#define __bpf_each5(f, a, ...) f(a) __bpf_each4(f, __VA_ARGS__)
#define __bpf_each6(f, a, ...) f(a) __bpf_each5(f, __VA_ARGS__)
#define __bpf_each7(f, a, ...) f(a) __bpf_each6(f, __VA_ARGS__)
#define __bpf_each8(f, a, ...) f(a) __bpf_each7(f, __VA_ARGS__)
#define __bpf_each9(f, a, ...) f(a) __bpf_each8(f, __VA_ARGS__)
#define __bpf_each10(f, a, ...) f(a) __bpf_each9(f, __VA_ARGS__)
#define __bpf_each11(f, a, ...) f(a) __bpf_each10(f, __VA_ARGS__)
#define __bpf_each12(f, a, ...) f(a) __bpf_each11(f, __VA_ARGS__)
#define __bpf_each(f, ...) __bpf_join(__bpf_each, __bpf_count(__VA_ARGS__))(f, ##__VA_ARGS__)

/* Printing: the format must be a literal, the arguments numbers or addresses. */
#define __bpf_as_u64(a) (unsigned long long)(a),
#define __bpf_with_data(call, fmt, ...)                                                                \
	({                                                                                             \
		static const char ____fmt[] = fmt;                                                     \
		unsigned long long __bpf_data[] = { __bpf_each(__bpf_as_u64, ##__VA_ARGS__) };         \
		call;                                                                                  \
	})
#define BPF_SEQ_PRINTF(seq, fmt, ...)                                                                  \
	__bpf_with_data(bpf_seq_printf(seq, ____fmt, sizeof(____fmt), __bpf_data, sizeof(__bpf_data)), \
			fmt, ##__VA_ARGS__)
#define BPF_SNPRINTF(out, out_size, fmt, ...)                                                          \
	__bpf_with_data(bpf_snprintf(out, out_size, ____fmt, __bpf_data, sizeof(__bpf_data)), fmt,     \
			##__VA_ARGS__)

#define __bpf_trace_few(fmt, ...)                                                                      \
	({                                                                                             \
		static const char ____fmt[] = fmt;                                                     \
		bpf_trace_printk(____fmt, sizeof(____fmt), ##__VA_ARGS__);                             \
	})
#define __bpf_trace_many(fmt, ...)                                                                     \
	__bpf_with_data(bpf_trace_vprintk(____fmt, sizeof(____fmt), __bpf_data, sizeof(__bpf_data)),   \
			fmt, ##__VA_ARGS__)
#define __bpf_trace0 __bpf_trace_few
#define __bpf_trace1 __bpf_trace_few
#define __bpf_trace2 __bpf_trace_few
#define __bpf_trace3 __bpf_trace_few
#define __bpf_trace4 __bpf_trace_many
#define __bpf_trace5 __bpf_trace_many
#define __bpf_trace6 __bpf_trace_many
#define __bpf_trace7 __bpf_trace_many
#define __bpf_trace8 __bpf_trace_many
#define __bpf_trace9 __bpf_trace_many
#define __bpf_trace10 __bpf_trace_many
#define __bpf_trace11 __bpf_trace_many
#define __bpf_trace12 __bpf_trace_many
/* Write a line to trace_pipe; more than three arguments need Linux 5.16. */
#define bpf_printk(fmt, ...) __bpf_join(__bpf_trace, __bpf_count(__VA_ARGS__))(fmt, ##__VA_ARGS__)

/* Loops over the kernel's iterators (Linux 6.4), and over numbers. */
struct bpf_iter_num;
extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __weak __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __weak __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __weak __ksym;

/* The iterator of a loop, made before it and destroyed after it. Naming destroy keeps its type in the BTF, where
 * clang does not put a function that only an attribute names.
 */
#define __bpf_iterator(kind, ...)                                                                      \
	struct bpf_iter_##kind __bpf_it                                                                \
		__attribute__((aligned(8), cleanup(bpf_iter_##kind##_destroy))),                       \
		*__bpf_made __attribute__((unused)) =                                                  \
			(bpf_iter_##kind##_new(&__bpf_it, ##__VA_ARGS__),                              \
			 (void)bpf_iter_##kind##_destroy, (void *)0)

#define bpf_for_each(kind, cur, ...)                                                                   \
	for (__bpf_iterator(kind, ##__VA_ARGS__); ((cur) = bpf_iter_##kind##_next(&__bpf_it));)

#define bpf_for(i, start, end)                                                                         \
	for (__bpf_iterator(num, (start), (end)); ({                                                   \
		     int *__bpf_now = bpf_iter_num_next(&__bpf_it);                                    \
		     (i) = __bpf_now ? *__bpf_now : (i);                                               \
		     __bpf_now && (i) >= (start) && (i) < (end);                                       \
	     });)

#define bpf_repeat(n) for (__bpf_iterator(num, 0, (n)); bpf_iter_num_next(&__bpf_it);)

#endif
