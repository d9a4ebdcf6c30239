/* User statically defined tracepoints (USDT): a program's arguments, number of arguments, and cookie.
 *
 * Where an argument is at a tracepoint of a binary is said by a note in the binary; who attaches the program writes it
 * into a map, and the functions here follow it. Maps, layouts and names are those that libbpf looks for and fills.
 * struct pt_regs has to be known before: include vmlinux.h, or linux/ptrace.h.
 */
#ifndef __USDT_BPF_H__
#define __USDT_BPF_H__

#include "bpf_helpers.h"
#include "bpf_tracing.h"

/* Define these before the header is included for more tracepoints, or more places of them where there are no cookies. */
#ifndef BPF_USDT_MAX_SPEC_CNT
#define BPF_USDT_MAX_SPEC_CNT 256
#endif
#ifndef BPF_USDT_MAX_IP_CNT
#define BPF_USDT_MAX_IP_CNT (4 * BPF_USDT_MAX_SPEC_CNT)
#endif
#define BPF_USDT_MAX_ARG_CNT 12

enum __bpf_usdt_arg_type {
	BPF_USDT_ARG_CONST,	/* a number: val_off */
	BPF_USDT_ARG_REG,	/* what a register holds */
	BPF_USDT_ARG_REG_DEREF, /* memory of the process, val_off bytes from where a register points to */
};

struct __bpf_usdt_arg_spec {
	unsigned long long val_off;
	enum __bpf_usdt_arg_type arg_type;
	short reg_off;	   /* where the register is in struct pt_regs */
	_Bool arg_signed;
	char arg_bitshift; /* by how many bits the argument is shorter than 64 */
};

struct __bpf_usdt_spec {
	struct __bpf_usdt_arg_spec args[BPF_USDT_MAX_ARG_CNT];
	unsigned long long usdt_cookie;
	short arg_cnt;
};

/* Tracepoints by number. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BPF_USDT_MAX_SPEC_CNT);
	__type(key, int);
	__type(value, struct __bpf_usdt_spec);
} __bpf_usdt_specs SEC(".maps") __weak;

/* Numbers of tracepoints by address, for kernels that do not tell a probe which one it is. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BPF_USDT_MAX_IP_CNT);
	__type(key, long);
	__type(value, unsigned int);
} __bpf_usdt_ip_to_spec_id SEC(".maps") __weak;

extern const _Bool LINUX_HAS_BPF_COOKIE __kconfig;

enum { __BPF_USDT_ENOENT = 2, __BPF_USDT_ESRCH = 3 };

/* What is known of the tracepoint that was hit; null if it is not in the maps. */
static __always_inline struct __bpf_usdt_spec *__bpf_usdt_spec_of(struct pt_regs *ctx)
{
	int number = -1;

	if (!LINUX_HAS_BPF_COOKIE) {
		long ip = PT_REGS_IP(ctx);
		unsigned int *found = bpf_map_lookup_elem(&__bpf_usdt_ip_to_spec_id, &ip);

		if (!found)
			return 0;
		number = *found;
	} else {
		number = bpf_get_attach_cookie(ctx);
	}
	return bpf_map_lookup_elem(&__bpf_usdt_specs, &number);
}

/* How many arguments the tracepoint has; -ESRCH if it is not known. */
__weak __hidden int bpf_usdt_arg_cnt(struct pt_regs *ctx)
{
	struct __bpf_usdt_spec *spec = __bpf_usdt_spec_of(ctx);

	return spec ? spec->arg_cnt : -__BPF_USDT_ESRCH;
}

/* How many bytes an argument has; -ENOENT if the tracepoint has no such one, -ESRCH if it is not known. */
__weak __hidden int bpf_usdt_arg_size(struct pt_regs *ctx, unsigned long long arg_num)
{
	struct __bpf_usdt_spec *spec = __bpf_usdt_spec_of(ctx);

	if (!spec)
		return -__BPF_USDT_ESRCH;
	if (arg_num >= BPF_USDT_MAX_ARG_CNT)
		return -__BPF_USDT_ENOENT;
	barrier_var(arg_num);
	if ((long long)arg_num >= spec->arg_cnt)
		return -__BPF_USDT_ENOENT;
	return (64 - spec->args[arg_num].arg_bitshift) / 8;
}

/* Write an argument to *res, the first being 0: with its sign, where it has one. 0, or -ENOENT if the tracepoint has no
 * such one, -ESRCH if it is not known, or what the helper answered that reads memory; *res is 0 then.
 */
__weak __hidden int bpf_usdt_arg(struct pt_regs *ctx, unsigned long long arg_num, long *res)
{
	struct __bpf_usdt_spec *spec = __bpf_usdt_spec_of(ctx);
	struct __bpf_usdt_arg_spec *arg;
	unsigned long long value = 0;
	unsigned long word = 0;
	long failed;

	*res = 0;
	if (!spec)
		return -__BPF_USDT_ESRCH;
	if (arg_num >= BPF_USDT_MAX_ARG_CNT)
		return -__BPF_USDT_ENOENT;
	barrier_var(arg_num);
	if ((long long)arg_num >= spec->arg_cnt)
		return -__BPF_USDT_ENOENT;
	arg = &spec->args[arg_num];
	if (arg->arg_type == BPF_USDT_ARG_CONST) {
		value = arg->val_off;
	} else {
		failed = bpf_probe_read_kernel(&word, sizeof(word), (void *)ctx + arg->reg_off);
		if (failed)
			return failed;
		value = word;
	}
	if (arg->arg_type == BPF_USDT_ARG_REG_DEREF) {
		failed = bpf_probe_read_user(&value, sizeof(value), (void *)(value + arg->val_off));
		if (failed)
			return failed;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		value >>= arg->arg_bitshift; /* the argument's bytes came first */
#endif
	}
	value <<= arg->arg_bitshift;
	*res = arg->arg_signed ? (long long)value >> arg->arg_bitshift : value >> arg->arg_bitshift;
	return 0;
}

/* The number that was given when the program was attached; 0 if there was none. */
__weak __hidden long bpf_usdt_cookie(struct pt_regs *ctx)
{
	struct __bpf_usdt_spec *spec = __bpf_usdt_spec_of(ctx);

	return spec ? spec->usdt_cookie : 0;
}

/* A program as a function of the tracepoint's arguments: int BPF_USDT(name, int fd, char *path) { ... }
 * Those that cannot be had are 0.
 */
#define __bpf_usdt_get(n)                                                                              \
	({                                                                                             \
		long __bpf_value;                                                                      \
		bpf_usdt_arg(ctx, n, &__bpf_value);                                                    \
		(void *)__bpf_value;                                                                   \
	})
#define __bpf_usdt0
#define __bpf_usdt1 , __bpf_usdt_get(0)
#define __bpf_usdt2 __bpf_usdt1, __bpf_usdt_get(1)
#define __bpf_usdt3 __bpf_usdt2, __bpf_usdt_get(2)
#define __bpf_usdt4 __bpf_usdt3, __bpf_usdt_get(3)
#define __bpf_usdt5 __bpf_usdt4, __bpf_usdt_get(4)
#define __bpf_usdt6 __bpf_usdt5, __bpf_usdt_get(5)
#define __bpf_usdt7 __bpf_usdt6, __bpf_usdt_get(6)
#define __bpf_usdt8 __bpf_usdt7, __bpf_usdt_get(7)
#define __bpf_usdt9 __bpf_usdt8, __bpf_usdt_get(8)
#define __bpf_usdt10 __bpf_usdt9, __bpf_usdt_get(9)
#define __bpf_usdt11 __bpf_usdt10, __bpf_usdt_get(10)
#define __bpf_usdt12 __bpf_usdt11, __bpf_usdt_get(11)
#define BPF_USDT(name, ...) \
	__bpf_typed(name, struct pt_regs, __bpf_join(__bpf_usdt, __bpf_count(__VA_ARGS__)), ##__VA_ARGS__)

#endif
