/* CO-RE: access to kernel types whose layout is looked up when the program is loaded.
 *
 * Names are those of libbpf's header; the builtins are documented in clang's language extensions, the numbers
 * of the kinds in linux/bpf.h (enum bpf_core_relo_kind) and Documentation/bpf/llvm_reloc.rst.
 */
#ifndef __BPF_CORE_READ_H
#define __BPF_CORE_READ_H

#include "bpf_helpers.h"

enum bpf_field_info_kind {
	BPF_FIELD_BYTE_OFFSET = 0,
	BPF_FIELD_BYTE_SIZE = 1,
	BPF_FIELD_EXISTS = 2,
	BPF_FIELD_SIGNED = 3,
	BPF_FIELD_LSHIFT_U64 = 4,
	BPF_FIELD_RSHIFT_U64 = 5,
};

enum bpf_type_id_kind {
	BPF_TYPE_ID_LOCAL = 0,
	BPF_TYPE_ID_TARGET = 1,
};

enum bpf_type_info_kind {
	BPF_TYPE_EXISTS = 0,
	BPF_TYPE_SIZE = 1,
	BPF_TYPE_MATCHES = 2,
};

enum bpf_enum_value_kind {
	BPF_ENUMVAL_EXISTS = 0,
	BPF_ENUMVAL_VALUE = 1,
};

/* A join of its own: the preprocessor does not expand a macro within itself, and these macros stand in arguments of
 * bpf_printk and the like.
 */
#define __bpf_core_join2(a, b) a##b
#define __bpf_core_join(a, b) __bpf_core_join2(a, b)

/* A field, given as an expression or as a type and a name. */
#define __bpf_field1(field) (field)
#define __bpf_field2(type, field) (((typeof(type) *)0)->field)
#define __bpf_field(...) __bpf_core_join(__bpf_field, __bpf_count(__VA_ARGS__))(__VA_ARGS__)
#define __bpf_type(type) (*(typeof(type) *)0)
#define __bpf_core_field(src, field, info) __builtin_preserve_field_info((src)->field, BPF_FIELD_##info)

#define bpf_core_field_exists(...) __builtin_preserve_field_info(__bpf_field(__VA_ARGS__), BPF_FIELD_EXISTS)
#define bpf_core_field_size(...) __builtin_preserve_field_info(__bpf_field(__VA_ARGS__), BPF_FIELD_BYTE_SIZE)
#define bpf_core_field_offset(...) __builtin_preserve_field_info(__bpf_field(__VA_ARGS__), BPF_FIELD_BYTE_OFFSET)

#define bpf_core_type_id_local(type) __builtin_btf_type_id(__bpf_type(type), BPF_TYPE_ID_LOCAL)
#define bpf_core_type_id_kernel(type) __builtin_btf_type_id(__bpf_type(type), BPF_TYPE_ID_TARGET)
#define bpf_core_type_exists(type) __builtin_preserve_type_info(__bpf_type(type), BPF_TYPE_EXISTS)
#define bpf_core_type_size(type) __builtin_preserve_type_info(__bpf_type(type), BPF_TYPE_SIZE)
#define bpf_core_type_matches(type) __builtin_preserve_type_info(__bpf_type(type), BPF_TYPE_MATCHES)

#define bpf_core_enum_value_exists(type, value) \
	__builtin_preserve_enum_value(*(typeof(type) *)value, BPF_ENUMVAL_EXISTS)
#define bpf_core_enum_value(type, value) __builtin_preserve_enum_value(*(typeof(type) *)value, BPF_ENUMVAL_VALUE)

/* One read, of `size` bytes at an address made of fields whose places are looked up. */
#define __bpf_core_address(src) ((const void *)__builtin_preserve_access_index(src))
#define bpf_core_read(dst, size, src) bpf_probe_read_kernel(dst, size, __bpf_core_address(src))
#define bpf_core_read_user(dst, size, src) bpf_probe_read_user(dst, size, __bpf_core_address(src))
#define bpf_core_read_str(dst, size, src) bpf_probe_read_kernel_str(dst, size, __bpf_core_address(src))
#define bpf_core_read_user_str(dst, size, src) bpf_probe_read_user_str(dst, size, __bpf_core_address(src))

/* Bitfields: read the integer around, then shift the field out of it. */
#define __bpf_shifted(src, field, value)                                                               \
	({                                                                                             \
		unsigned long long __bpf_raw = (value) << __bpf_core_field(src, field, LSHIFT_U64);    \
		__bpf_core_field(src, field, SIGNED) ?                                                 \
			(unsigned long long)((long long)__bpf_raw >>                                   \
					     __bpf_core_field(src, field, RSHIFT_U64)) :               \
			__bpf_raw >> __bpf_core_field(src, field, RSHIFT_U64);                         \
	})

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define __bpf_low_bytes(value, size) ((void *)(value))
#else
#define __bpf_low_bytes(value, size) ((void *)(value) + (8 - (size)))
#endif

#define BPF_CORE_READ_BITFIELD_PROBED(src, field)                                                      \
	({                                                                                             \
		unsigned long long __bpf_word = 0;                                                     \
		bpf_probe_read_kernel(                                                                 \
			__bpf_low_bytes(&__bpf_word, __bpf_core_field(src, field, BYTE_SIZE)),         \
			__bpf_core_field(src, field, BYTE_SIZE),                                       \
			(const void *)(src) + __bpf_core_field(src, field, BYTE_OFFSET));              \
		__bpf_shifted(src, field, __bpf_word);                                                 \
	})

#define BPF_CORE_READ_BITFIELD(src, field)                                                             \
	({                                                                                             \
		const void *__bpf_at = (const void *)(src) + __bpf_core_field(src, field, BYTE_OFFSET); \
		unsigned long long __bpf_word;                                                         \
		asm volatile("" : "+r"(__bpf_at));                                                     \
		switch (__bpf_core_field(src, field, BYTE_SIZE)) {                                     \
		case 1:                                                                                \
			__bpf_word = *(const unsigned char *)__bpf_at;                                 \
			break;                                                                         \
		case 2:                                                                                \
			__bpf_word = *(const unsigned short *)__bpf_at;                                \
			break;                                                                         \
		case 4:                                                                                \
			__bpf_word = *(const unsigned int *)__bpf_at;                                  \
			break;                                                                         \
		case 8:                                                                                \
			__bpf_word = *(const unsigned long long *)__bpf_at;                            \
			break;                                                                         \
		default:                                                                               \
			__bpf_word = 0;                                                                \
		}                                                                                      \
		__bpf_shifted(src, field, __bpf_word);                                                 \
	})

/* Chains: BPF_CORE_READ(task, mm, exe_file, f_flags) follows each pointer with a read of its own. `read` is the
 * read of each pointer on the way, `last` that of the value at the end.
 */
#define __bpf_path1(s, a) (s)->a
#define __bpf_path2(s, a, b) __bpf_path1(s, a)->b
#define __bpf_path3(s, a, b, c) __bpf_path2(s, a, b)->c
#define __bpf_path4(s, a, b, c, d) __bpf_path3(s, a, b, c)->d
#define __bpf_path5(s, a, b, c, d, e) __bpf_path4(s, a, b, c, d)->e
#define __bpf_path6(s, a, b, c, d, e, f) __bpf_path5(s, a, b, c, d, e)->f
#define __bpf_path7(s, a, b, c, d, e, f, g) __bpf_path6(s, a, b, c, d, e, f)->g
#define __bpf_path8(s, a, b, c, d, e, f, g, h) __bpf_path7(s, a, b, c, d, e, f, g)->h
#define __bpf_path9(s, a, b, c, d, e, f, g, h, i) __bpf_path8(s, a, b, c, d, e, f, g, h)->i
#define __bpf_path(s, ...) __bpf_core_join(__bpf_path, __bpf_count(__VA_ARGS__))(s, __VA_ARGS__)

#define __bpf_hop(read, path, field) read(&__bpf_ptr, sizeof(__bpf_ptr), &((typeof(path))__bpf_ptr)->field);
#define __bpf_end(last, dst, path, field) \
	last((void *)(dst), sizeof(*(dst)), &((typeof(path))__bpf_ptr)->field);

#define __bpf_hops1(r, s, a) r(&__bpf_ptr, sizeof(__bpf_ptr), &(s)->a);
#define __bpf_hops2(r, s, a, b) __bpf_hops1(r, s, a) __bpf_hop(r, __bpf_path1(s, a), b)
#define __bpf_hops3(r, s, a, b, c) __bpf_hops2(r, s, a, b) __bpf_hop(r, __bpf_path2(s, a, b), c)
#define __bpf_hops4(r, s, a, b, c, d) __bpf_hops3(r, s, a, b, c) __bpf_hop(r, __bpf_path3(s, a, b, c), d)
#define __bpf_hops5(r, s, a, b, c, d, e) \
	__bpf_hops4(r, s, a, b, c, d) __bpf_hop(r, __bpf_path4(s, a, b, c, d), e)
#define __bpf_hops6(r, s, a, b, c, d, e, f) \
	__bpf_hops5(r, s, a, b, c, d, e) __bpf_hop(r, __bpf_path5(s, a, b, c, d, e), f)
#define __bpf_hops7(r, s, a, b, c, d, e, f, g) \
	__bpf_hops6(r, s, a, b, c, d, e, f) __bpf_hop(r, __bpf_path6(s, a, b, c, d, e, f), g)
#define __bpf_hops8(r, s, a, b, c, d, e, f, g, h) \
	__bpf_hops7(r, s, a, b, c, d, e, f, g) __bpf_hop(r, __bpf_path7(s, a, b, c, d, e, f, g), h)

#define __bpf_chain1(r, l, dst, s, a) l((void *)(dst), sizeof(*(dst)), &(s)->a);
#define __bpf_chain2(r, l, dst, s, a, b) __bpf_hops1(r, s, a) __bpf_end(l, dst, __bpf_path1(s, a), b)
#define __bpf_chain3(r, l, dst, s, a, b, c) __bpf_hops2(r, s, a, b) __bpf_end(l, dst, __bpf_path2(s, a, b), c)
#define __bpf_chain4(r, l, dst, s, a, b, c, d) \
	__bpf_hops3(r, s, a, b, c) __bpf_end(l, dst, __bpf_path3(s, a, b, c), d)
#define __bpf_chain5(r, l, dst, s, a, b, c, d, e) \
	__bpf_hops4(r, s, a, b, c, d) __bpf_end(l, dst, __bpf_path4(s, a, b, c, d), e)
#define __bpf_chain6(r, l, dst, s, a, b, c, d, e, f) \
	__bpf_hops5(r, s, a, b, c, d, e) __bpf_end(l, dst, __bpf_path5(s, a, b, c, d, e), f)
#define __bpf_chain7(r, l, dst, s, a, b, c, d, e, f, g) \
	__bpf_hops6(r, s, a, b, c, d, e, f) __bpf_end(l, dst, __bpf_path6(s, a, b, c, d, e, f), g)
#define __bpf_chain8(r, l, dst, s, a, b, c, d, e, f, g, h) \
	__bpf_hops7(r, s, a, b, c, d, e, f, g) __bpf_end(l, dst, __bpf_path7(s, a, b, c, d, e, f, g), h)
#define __bpf_chain9(r, l, dst, s, a, b, c, d, e, f, g, h, i) \
	__bpf_hops8(r, s, a, b, c, d, e, f, g, h) __bpf_end(l, dst, __bpf_path8(s, a, b, c, d, e, f, g, h), i)
#define __bpf_chain(read, last, dst, src, ...)                                                         \
	({                                                                                             \
		const void *__bpf_ptr __attribute__((unused));                                         \
		__bpf_core_join(__bpf_chain, __bpf_count(__VA_ARGS__))(read, last, dst, src, __VA_ARGS__)   \
	})
/* The type of a copy: of a const field it is one that can be written. */
#if __clang_major__ >= 19
#define __bpf_typeof_value(x) __typeof_unqual__(x)
#else
#define __bpf_typeof_value(x) typeof(x)
#endif
#define __bpf_value(into, src, ...)                                                                    \
	({                                                                                             \
		__bpf_typeof_value(__bpf_path((src), __VA_ARGS__)) __bpf_got;                          \
		into(&__bpf_got, (src), __VA_ARGS__);                                                  \
		__bpf_got;                                                                             \
	})

#define BPF_CORE_READ_INTO(dst, src, ...) __bpf_chain(bpf_core_read, bpf_core_read, dst, src, __VA_ARGS__)
#define BPF_CORE_READ_STR_INTO(dst, src, ...) __bpf_chain(bpf_core_read, bpf_core_read_str, dst, src, __VA_ARGS__)
#define BPF_CORE_READ_USER_INTO(dst, src, ...) \
	__bpf_chain(bpf_core_read_user, bpf_core_read_user, dst, src, __VA_ARGS__)
#define BPF_CORE_READ_USER_STR_INTO(dst, src, ...) \
	__bpf_chain(bpf_core_read_user, bpf_core_read_user_str, dst, src, __VA_ARGS__)
#define BPF_CORE_READ(src, ...) __bpf_value(BPF_CORE_READ_INTO, src, __VA_ARGS__)
#define BPF_CORE_READ_USER(src, ...) __bpf_value(BPF_CORE_READ_USER_INTO, src, __VA_ARGS__)

/* The same without CO-RE, for types of the program's own. */
#define BPF_PROBE_READ_INTO(dst, src, ...) \
	__bpf_chain(bpf_probe_read_kernel, bpf_probe_read_kernel, dst, src, __VA_ARGS__)
#define BPF_PROBE_READ_STR_INTO(dst, src, ...) \
	__bpf_chain(bpf_probe_read_kernel, bpf_probe_read_kernel_str, dst, src, __VA_ARGS__)
#define BPF_PROBE_READ_USER_INTO(dst, src, ...) \
	__bpf_chain(bpf_probe_read_user, bpf_probe_read_user, dst, src, __VA_ARGS__)
#define BPF_PROBE_READ_USER_STR_INTO(dst, src, ...) \
	__bpf_chain(bpf_probe_read_user, bpf_probe_read_user_str, dst, src, __VA_ARGS__)
#define BPF_PROBE_READ(src, ...) __bpf_value(BPF_PROBE_READ_INTO, src, __VA_ARGS__)
#define BPF_PROBE_READ_USER(src, ...) __bpf_value(BPF_PROBE_READ_USER_INTO, src, __VA_ARGS__)

/* Read through a kernel pointer as if it pointed to `type`, without bpf_probe_read_kernel (Linux 6.2). */
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __weak __ksym;
#define bpf_core_cast(ptr, type) ((typeof(type) *)bpf_rdonly_cast((ptr), bpf_core_type_id_kernel(type)))

#endif
