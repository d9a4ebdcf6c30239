/* Arguments of traced functions: registers by name for each architecture, and programs with typed arguments.
 *
 * The compiler is told the architecture by -D__TARGET_ARCH_x86, _arm64, _s390, _riscv, _powerpc, _loongarch or
 * _arm; else it is the machine that clang compiles for. Registers are from asm/ptrace.h and the calling
 * conventions of each. Names of the macros are those of libbpf's header.
 */
#ifndef __BPF_TRACING_H
#define __BPF_TRACING_H

#include "bpf_helpers.h"

#if !defined(__TARGET_ARCH_x86) && !defined(__TARGET_ARCH_arm64) && !defined(__TARGET_ARCH_s390) && \
	!defined(__TARGET_ARCH_riscv) && !defined(__TARGET_ARCH_powerpc) && \
	!defined(__TARGET_ARCH_loongarch) && !defined(__TARGET_ARCH_arm)
#if defined(__x86_64__)
#define __TARGET_ARCH_x86
#elif defined(__aarch64__)
#define __TARGET_ARCH_arm64
#elif defined(__s390x__)
#define __TARGET_ARCH_s390
#elif defined(__riscv)
#define __TARGET_ARCH_riscv
#elif defined(__powerpc64__)
#define __TARGET_ARCH_powerpc
#elif defined(__loongarch__)
#define __TARGET_ARCH_loongarch
#elif defined(__arm__)
#define __TARGET_ARCH_arm
#endif
#endif

/* Per architecture: the struct that pt_regs is read as, and its members. Argument 1 of a system call stands in
 * another register than in a call, or only where the kernel saves it.
 */
#if defined(__TARGET_ARCH_x86)
#if defined(__KERNEL__) || defined(__VMLINUX_H__)
#define __PT_P1 di
#define __PT_P2 si
#define __PT_P3 dx
#define __PT_P4 cx
#define __PT_RET sp
#define __PT_FP bp
#define __PT_RC ax
#define __PT_SP sp
#define __PT_IP ip
#else
#define __PT_P1 rdi
#define __PT_P2 rsi
#define __PT_P3 rdx
#define __PT_P4 rcx
#define __PT_RET rsp
#define __PT_FP rbp
#define __PT_RC rax
#define __PT_SP rsp
#define __PT_IP rip
#endif
#define __PT_P5 r8
#define __PT_P6 r9
#define __PT_S1 __PT_P1
#define __PT_S2 __PT_P2
#define __PT_S3 __PT_P3
#define __PT_S4 r10
#define __PT_S5 __PT_P5
#define __PT_S6 __PT_P6

#elif defined(__TARGET_ARCH_arm64)
struct pt_regs___arm64 {
	unsigned long orig_x0;
} __attribute__((preserve_access_index));
#define __PT_STRUCT const struct user_pt_regs
#define __PT_P1 regs[0]
#define __PT_P2 regs[1]
#define __PT_P3 regs[2]
#define __PT_P4 regs[3]
#define __PT_P5 regs[4]
#define __PT_P6 regs[5]
#define __PT_P7 regs[6]
#define __PT_P8 regs[7]
#define __PT_S1_STRUCT const struct pt_regs___arm64
#define __PT_S1 orig_x0
#define __PT_S2 regs[1]
#define __PT_S3 regs[2]
#define __PT_S4 regs[3]
#define __PT_S5 regs[4]
#define __PT_S6 regs[5]
#define __PT_RET regs[30]
#define __PT_FP regs[29]
#define __PT_RC regs[0]
#define __PT_SP sp
#define __PT_IP pc

#elif defined(__TARGET_ARCH_s390)
struct pt_regs___s390 {
	unsigned long orig_gpr2;
} __attribute__((preserve_access_index));
#define __PT_STRUCT const user_pt_regs
#define __PT_P1 gprs[2]
#define __PT_P2 gprs[3]
#define __PT_P3 gprs[4]
#define __PT_P4 gprs[5]
#define __PT_P5 gprs[6]
#define __PT_S1_STRUCT const struct pt_regs___s390
#define __PT_S1 orig_gpr2
#define __PT_S2 gprs[3]
#define __PT_S3 gprs[4]
#define __PT_S4 gprs[5]
#define __PT_S5 gprs[6]
#define __PT_S6 gprs[7]
#define __PT_RET gprs[14]
#define __PT_FP gprs[11]
#define __PT_RC gprs[2]
#define __PT_SP gprs[15]
#define __PT_IP psw.addr

#elif defined(__TARGET_ARCH_riscv)
struct pt_regs___riscv {
	unsigned long orig_a0;
} __attribute__((preserve_access_index));
#define __PT_STRUCT const struct user_regs_struct
#define __PT_P1 a0
#define __PT_P2 a1
#define __PT_P3 a2
#define __PT_P4 a3
#define __PT_P5 a4
#define __PT_P6 a5
#define __PT_P7 a6
#define __PT_P8 a7
#define __PT_S1_STRUCT const struct pt_regs___riscv
#define __PT_S1 orig_a0
#define __PT_S2 a1
#define __PT_S3 a2
#define __PT_S4 a3
#define __PT_S5 a4
#define __PT_S6 a5
#define __PT_RET ra
#define __PT_FP s0
#define __PT_RC a0
#define __PT_SP sp
#define __PT_IP pc

#elif defined(__TARGET_ARCH_powerpc)
#define __PT_P1 gpr[3]
#define __PT_P2 gpr[4]
#define __PT_P3 gpr[5]
#define __PT_P4 gpr[6]
#define __PT_P5 gpr[7]
#define __PT_P6 gpr[8]
#define __PT_P7 gpr[9]
#define __PT_P8 gpr[10]
#define __PT_S1 orig_gpr3
#define __PT_S2 gpr[4]
#define __PT_S3 gpr[5]
#define __PT_S4 gpr[6]
#define __PT_S5 gpr[7]
#define __PT_S6 gpr[8]
#define __PT_RET link
#define __PT_FP gpr[31]
#define __PT_RC gpr[3]
#define __PT_SP gpr[1]
#define __PT_IP nip

#elif defined(__TARGET_ARCH_loongarch)
struct pt_regs___loongarch {
	unsigned long orig_a0;
} __attribute__((preserve_access_index));
#define __PT_STRUCT const struct user_pt_regs
#define __PT_P1 regs[4]
#define __PT_P2 regs[5]
#define __PT_P3 regs[6]
#define __PT_P4 regs[7]
#define __PT_P5 regs[8]
#define __PT_P6 regs[9]
#define __PT_P7 regs[10]
#define __PT_P8 regs[11]
#define __PT_S1_STRUCT const struct pt_regs___loongarch
#define __PT_S1 orig_a0
#define __PT_S2 regs[5]
#define __PT_S3 regs[6]
#define __PT_S4 regs[7]
#define __PT_S5 regs[8]
#define __PT_S6 regs[9]
#define __PT_RET regs[1]
#define __PT_FP regs[22]
#define __PT_RC regs[4]
#define __PT_SP regs[3]
#define __PT_IP csr_era

#elif defined(__TARGET_ARCH_arm)
#define __PT_P1 uregs[0]
#define __PT_P2 uregs[1]
#define __PT_P3 uregs[2]
#define __PT_P4 uregs[3]
#define __PT_S1 uregs[17]
#define __PT_S2 uregs[1]
#define __PT_S3 uregs[2]
#define __PT_S4 uregs[3]
#define __PT_S5 uregs[4]
#define __PT_S6 uregs[5]
#define __PT_RET uregs[14]
#define __PT_FP uregs[11]
#define __PT_RC uregs[0]
#define __PT_SP uregs[13]
#define __PT_IP uregs[15]
#endif

#ifdef __PT_P1

#ifndef __PT_STRUCT
#define __PT_STRUCT const struct pt_regs
#endif
#ifndef __PT_S1_STRUCT
#define __PT_S1_STRUCT __PT_STRUCT
#endif

struct pt_regs;

#define __pt_get(type, ctx, field) (((type *)(ctx))->field)
#define __pt_core(type, ctx, field) BPF_CORE_READ((type *)(ctx), field)

#define PT_REGS_PARM1(x) __pt_get(__PT_STRUCT, x, __PT_P1)
#define PT_REGS_PARM2(x) __pt_get(__PT_STRUCT, x, __PT_P2)
#define PT_REGS_PARM3(x) __pt_get(__PT_STRUCT, x, __PT_P3)
#define PT_REGS_PARM4(x) __pt_get(__PT_STRUCT, x, __PT_P4)
#define PT_REGS_RET(x) __pt_get(__PT_STRUCT, x, __PT_RET)
#define PT_REGS_FP(x) __pt_get(__PT_STRUCT, x, __PT_FP)
#define PT_REGS_RC(x) __pt_get(__PT_STRUCT, x, __PT_RC)
#define PT_REGS_SP(x) __pt_get(__PT_STRUCT, x, __PT_SP)
#define PT_REGS_IP(x) __pt_get(__PT_STRUCT, x, __PT_IP)

#define PT_REGS_PARM1_CORE(x) __pt_core(__PT_STRUCT, x, __PT_P1)
#define PT_REGS_PARM2_CORE(x) __pt_core(__PT_STRUCT, x, __PT_P2)
#define PT_REGS_PARM3_CORE(x) __pt_core(__PT_STRUCT, x, __PT_P3)
#define PT_REGS_PARM4_CORE(x) __pt_core(__PT_STRUCT, x, __PT_P4)
#define PT_REGS_RET_CORE(x) __pt_core(__PT_STRUCT, x, __PT_RET)
#define PT_REGS_FP_CORE(x) __pt_core(__PT_STRUCT, x, __PT_FP)
#define PT_REGS_RC_CORE(x) __pt_core(__PT_STRUCT, x, __PT_RC)
#define PT_REGS_SP_CORE(x) __pt_core(__PT_STRUCT, x, __PT_SP)
#define PT_REGS_IP_CORE(x) __pt_core(__PT_STRUCT, x, __PT_IP)

#define __pt_none(x) ({ _Static_assert(0, "this architecture passes fewer arguments in registers"); 0ul; })
#ifdef __PT_P5
#define PT_REGS_PARM5(x) __pt_get(__PT_STRUCT, x, __PT_P5)
#define PT_REGS_PARM5_CORE(x) __pt_core(__PT_STRUCT, x, __PT_P5)
#else
#define PT_REGS_PARM5(x) __pt_none(x)
#define PT_REGS_PARM5_CORE(x) __pt_none(x)
#endif
#ifdef __PT_P6
#define PT_REGS_PARM6(x) __pt_get(__PT_STRUCT, x, __PT_P6)
#define PT_REGS_PARM6_CORE(x) __pt_core(__PT_STRUCT, x, __PT_P6)
#else
#define PT_REGS_PARM6(x) __pt_none(x)
#define PT_REGS_PARM6_CORE(x) __pt_none(x)
#endif
#ifdef __PT_P7
#define PT_REGS_PARM7(x) __pt_get(__PT_STRUCT, x, __PT_P7)
#define PT_REGS_PARM8(x) __pt_get(__PT_STRUCT, x, __PT_P8)
#define PT_REGS_PARM7_CORE(x) __pt_core(__PT_STRUCT, x, __PT_P7)
#define PT_REGS_PARM8_CORE(x) __pt_core(__PT_STRUCT, x, __PT_P8)
#else
#define PT_REGS_PARM7(x) __pt_none(x)
#define PT_REGS_PARM8(x) __pt_none(x)
#define PT_REGS_PARM7_CORE(x) __pt_none(x)
#define PT_REGS_PARM8_CORE(x) __pt_none(x)
#endif

/* Arguments of a system call, from the registers that PT_REGS_SYSCALL_REGS gives. */
#define PT_REGS_PARM1_SYSCALL(x) __pt_get(__PT_S1_STRUCT, x, __PT_S1)
#define PT_REGS_PARM2_SYSCALL(x) __pt_get(__PT_STRUCT, x, __PT_S2)
#define PT_REGS_PARM3_SYSCALL(x) __pt_get(__PT_STRUCT, x, __PT_S3)
#define PT_REGS_PARM4_SYSCALL(x) __pt_get(__PT_STRUCT, x, __PT_S4)
#define PT_REGS_PARM5_SYSCALL(x) __pt_get(__PT_STRUCT, x, __PT_S5)
#define PT_REGS_PARM6_SYSCALL(x) __pt_get(__PT_STRUCT, x, __PT_S6)
#define PT_REGS_PARM1_CORE_SYSCALL(x) __pt_core(__PT_S1_STRUCT, x, __PT_S1)
#define PT_REGS_PARM2_CORE_SYSCALL(x) __pt_core(__PT_STRUCT, x, __PT_S2)
#define PT_REGS_PARM3_CORE_SYSCALL(x) __pt_core(__PT_STRUCT, x, __PT_S3)
#define PT_REGS_PARM4_CORE_SYSCALL(x) __pt_core(__PT_STRUCT, x, __PT_S4)
#define PT_REGS_PARM5_CORE_SYSCALL(x) __pt_core(__PT_STRUCT, x, __PT_S5)
#define PT_REGS_PARM6_CORE_SYSCALL(x) __pt_core(__PT_STRUCT, x, __PT_S6)

/* Where the entry of a system call is wrapped, its argument is the pt_regs that hold the call's. */
#if defined(__TARGET_ARCH_powerpc) || defined(__TARGET_ARCH_arm)
#define PT_REGS_SYSCALL_REGS(ctx) ((struct pt_regs *)(ctx))
#else
#define PT_REGS_SYSCALL_REGS(ctx) ((struct pt_regs *)PT_REGS_PARM1(ctx))
#endif

#if defined(__TARGET_ARCH_powerpc)
#define BPF_KPROBE_READ_RET_IP(ip, ctx) ({ (ip) = (ctx)->link; })
#define BPF_KRETPROBE_READ_RET_IP BPF_KPROBE_READ_RET_IP
#else
#define BPF_KPROBE_READ_RET_IP(ip, ctx) \
	({ bpf_probe_read_kernel(&(ip), sizeof(ip), (void *)PT_REGS_RET(ctx)); })
#define BPF_KRETPROBE_READ_RET_IP(ip, ctx) \
	({ bpf_probe_read_kernel(&(ip), sizeof(ip), (void *)(PT_REGS_FP(ctx) + sizeof(ip))); })
#endif

#endif /* __PT_P1 */

/* A program whose context is an array of 64-bit arguments (fentry, fexit, lsm, tp_btf, struct_ops), written as a
 * function of those arguments: int BPF_PROG(name, struct file *file, int ret) { ... }
 */
#define __bpf_typed(name, ctx_type, values, ...)                                                       \
	name(ctx_type *ctx);                                                                           \
	static __always_inline typeof(name(0)) __bpf_body_##name(ctx_type *ctx, ##__VA_ARGS__);        \
	typeof(name(0)) name(ctx_type *ctx)                                                            \
	{                                                                                              \
		_Pragma("GCC diagnostic push")                                                         \
		_Pragma("GCC diagnostic ignored \"-Wint-conversion\"")                                 \
		return __bpf_body_##name(ctx values);                                                  \
		_Pragma("GCC diagnostic pop")                                                          \
	}                                                                                              \
	static __always_inline typeof(name(0)) __bpf_body_##name(ctx_type *ctx, ##__VA_ARGS__)

#define __bpf_ctx0
#define __bpf_ctx1 , (void *)ctx[0]
#define __bpf_ctx2 __bpf_ctx1, (void *)ctx[1]
#define __bpf_ctx3 __bpf_ctx2, (void *)ctx[2]
#define __bpf_ctx4 __bpf_ctx3, (void *)ctx[3]
#define __bpf_ctx5 __bpf_ctx4, (void *)ctx[4]
#define __bpf_ctx6 __bpf_ctx5, (void *)ctx[5]
#define __bpf_ctx7 __bpf_ctx6, (void *)ctx[6]
#define __bpf_ctx8 __bpf_ctx7, (void *)ctx[7]
#define __bpf_ctx9 __bpf_ctx8, (void *)ctx[8]
#define __bpf_ctx10 __bpf_ctx9, (void *)ctx[9]
#define __bpf_ctx11 __bpf_ctx10, (void *)ctx[10]
#define __bpf_ctx12 __bpf_ctx11, (void *)ctx[11]
#define BPF_PROG(name, ...) \
	__bpf_typed(name, unsigned long long, __bpf_join(__bpf_ctx, __bpf_count(__VA_ARGS__)), ##__VA_ARGS__)

/* The same where an argument may be a struct or union that is passed by value: such a one of more than 8 bytes takes
 * two places of the context. The types are arguments of the macro of their own, 12 at most:
 * int BPF_PROG2(name, struct range, where, int, count) { ... }
 *
 * What has 1, 2, 4 or 8 bytes stands in its place as a number does; other structs as they lie in memory.
 */
#define __bpf_slots(t) ((sizeof(t) + 7) / 8)
#define __bpf_slot(t, at)                                                                              \
	({                                                                                             \
		_Static_assert(sizeof(t) <= 16, "larger structs are not passed by value");             \
		union {                                                                                \
			t value;                                                                       \
			unsigned char one;                                                             \
			unsigned short two;                                                            \
			unsigned int four;                                                             \
			unsigned long long whole[2];                                                   \
		} __bpf_arg;                                                                           \
		if (sizeof(t) == 1)                                                                    \
			__bpf_arg.one = ctx[at];                                                       \
		else if (sizeof(t) == 2)                                                               \
			__bpf_arg.two = ctx[at];                                                       \
		else if (sizeof(t) == 4)                                                               \
			__bpf_arg.four = ctx[at];                                                      \
		else                                                                                   \
			__bpf_arg.whole[0] = ctx[at];                                                  \
		if (sizeof(t) > 8)                                                                     \
			__bpf_arg.whole[1] = ctx[(at) + 1];                                            \
		__bpf_arg.value;                                                                       \
	})
#define __bpf_val0(at)
#define __bpf_val1(at, t, n) , __bpf_slot(t, at)
#define __bpf_val2(at, t, n, ...) , __bpf_slot(t, at) __bpf_val1((at) + __bpf_slots(t), __VA_ARGS__)
#define __bpf_val3(at, t, n, ...) , __bpf_slot(t, at) __bpf_val2((at) + __bpf_slots(t), __VA_ARGS__)
#define __bpf_val4(at, t, n, ...) , __bpf_slot(t, at) __bpf_val3((at) + __bpf_slots(t), __VA_ARGS__)
#define __bpf_val5(at, t, n, ...) , __bpf_slot(t, at) __bpf_val4((at) + __bpf_slots(t), __VA_ARGS__)
#define __bpf_val6(at, t, n, ...) , __bpf_slot(t, at) __bpf_val5((at) + __bpf_slots(t), __VA_ARGS__)
#define __bpf_val7(at, t, n, ...) , __bpf_slot(t, at) __bpf_val6((at) + __bpf_slots(t), __VA_ARGS__)
#define __bpf_val8(at, t, n, ...) , __bpf_slot(t, at) __bpf_val7((at) + __bpf_slots(t), __VA_ARGS__)
#define __bpf_val9(at, t, n, ...) , __bpf_slot(t, at) __bpf_val8((at) + __bpf_slots(t), __VA_ARGS__)
#define __bpf_val10(at, t, n, ...) , __bpf_slot(t, at) __bpf_val9((at) + __bpf_slots(t), __VA_ARGS__)
#define __bpf_val11(at, t, n, ...) , __bpf_slot(t, at) __bpf_val10((at) + __bpf_slots(t), __VA_ARGS__)
#define __bpf_val12(at, t, n, ...) , __bpf_slot(t, at) __bpf_val11((at) + __bpf_slots(t), __VA_ARGS__)
#define __bpf_par0()
#define __bpf_par1(t, n) , t n
#define __bpf_par2(t, n, ...) , t n __bpf_par1(__VA_ARGS__)
#define __bpf_par3(t, n, ...) , t n __bpf_par2(__VA_ARGS__)
#define __bpf_par4(t, n, ...) , t n __bpf_par3(__VA_ARGS__)
#define __bpf_par5(t, n, ...) , t n __bpf_par4(__VA_ARGS__)
#define __bpf_par6(t, n, ...) , t n __bpf_par5(__VA_ARGS__)
#define __bpf_par7(t, n, ...) , t n __bpf_par6(__VA_ARGS__)
#define __bpf_par8(t, n, ...) , t n __bpf_par7(__VA_ARGS__)
#define __bpf_par9(t, n, ...) , t n __bpf_par8(__VA_ARGS__)
#define __bpf_par10(t, n, ...) , t n __bpf_par9(__VA_ARGS__)
#define __bpf_par11(t, n, ...) , t n __bpf_par10(__VA_ARGS__)
#define __bpf_par12(t, n, ...) , t n __bpf_par11(__VA_ARGS__)
#define __bpf_25th(_0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19, \
		   a20, a21, a22, a23, a24, n, ...) n
#define __bpf_pairs(...)                                                                               \
	__bpf_25th(_, ##__VA_ARGS__, 12, odd, 11, odd, 10, odd, 9, odd, 8, odd, 7, odd, 6, odd, 5, odd, 4, odd, \
		   3, odd, 2, odd, 1, odd, 0)
#define __bpf_values(...) __bpf_join(__bpf_val, __bpf_pairs(__VA_ARGS__))(0, ##__VA_ARGS__)
#define __bpf_parameters(...) __bpf_join(__bpf_par, __bpf_pairs(__VA_ARGS__))(__VA_ARGS__)
#define BPF_PROG2(name, ...)                                                                           \
	name(unsigned long long *ctx);                                                                 \
	static __always_inline typeof(name(0))                                                         \
	__bpf_body_##name(unsigned long long *ctx __bpf_parameters(__VA_ARGS__));                      \
	typeof(name(0)) name(unsigned long long *ctx)                                                  \
	{                                                                                              \
		return __bpf_body_##name(ctx __bpf_values(__VA_ARGS__));                               \
	}                                                                                              \
	static __always_inline typeof(name(0))                                                         \
	__bpf_body_##name(unsigned long long *ctx __bpf_parameters(__VA_ARGS__))

#ifdef __PT_P1
#define __bpf_reg0
#define __bpf_reg1 , (void *)PT_REGS_PARM1(ctx)
#define __bpf_reg2 __bpf_reg1, (void *)PT_REGS_PARM2(ctx)
#define __bpf_reg3 __bpf_reg2, (void *)PT_REGS_PARM3(ctx)
#define __bpf_reg4 __bpf_reg3, (void *)PT_REGS_PARM4(ctx)
#define __bpf_reg5 __bpf_reg4, (void *)PT_REGS_PARM5(ctx)
#define __bpf_reg6 __bpf_reg5, (void *)PT_REGS_PARM6(ctx)
#define __bpf_reg7 __bpf_reg6, (void *)PT_REGS_PARM7(ctx)
#define __bpf_reg8 __bpf_reg7, (void *)PT_REGS_PARM8(ctx)
/* A kprobe as a function of the traced function's arguments, a kretprobe of its return value. */
#define BPF_KPROBE(name, ...) \
	__bpf_typed(name, struct pt_regs, __bpf_join(__bpf_reg, __bpf_count(__VA_ARGS__)), ##__VA_ARGS__)
#define __bpf_rc0
#define __bpf_rc1 , (void *)PT_REGS_RC(ctx)
#define BPF_KRETPROBE(name, ...) \
	__bpf_typed(name, struct pt_regs, __bpf_join(__bpf_rc, __bpf_count(__VA_ARGS__)), ##__VA_ARGS__)
#define BPF_UPROBE(name, ...) BPF_KPROBE(name, ##__VA_ARGS__)
#define BPF_URETPROBE(name, ...) BPF_KRETPROBE(name, ##__VA_ARGS__)

/* A kprobe on a system call, wrapped or not: the kernel's configuration says which. */
extern _Bool LINUX_HAS_SYSCALL_WRAPPER __kconfig;
#define __bpf_sys(n, regs) \
	(LINUX_HAS_SYSCALL_WRAPPER ? (void *)PT_REGS_PARM##n##_CORE_SYSCALL(regs) : \
				     (void *)PT_REGS_PARM##n##_SYSCALL(regs))
#define __bpf_sys0
#define __bpf_sys1 , __bpf_sys(1, __bpf_sys_regs)
#define __bpf_sys2 __bpf_sys1, __bpf_sys(2, __bpf_sys_regs)
#define __bpf_sys3 __bpf_sys2, __bpf_sys(3, __bpf_sys_regs)
#define __bpf_sys4 __bpf_sys3, __bpf_sys(4, __bpf_sys_regs)
#define __bpf_sys5 __bpf_sys4, __bpf_sys(5, __bpf_sys_regs)
#define __bpf_sys6 __bpf_sys5, __bpf_sys(6, __bpf_sys_regs)
#define BPF_KSYSCALL(name, ...)                                                                        \
	name(struct pt_regs *ctx);                                                                     \
	static __always_inline typeof(name(0)) __bpf_body_##name(struct pt_regs *ctx, ##__VA_ARGS__);  \
	typeof(name(0)) name(struct pt_regs *ctx)                                                      \
	{                                                                                              \
		struct pt_regs *__bpf_sys_regs __attribute__((unused)) =                               \
			LINUX_HAS_SYSCALL_WRAPPER ? PT_REGS_SYSCALL_REGS(ctx) : ctx;                   \
		_Pragma("GCC diagnostic push")                                                         \
		_Pragma("GCC diagnostic ignored \"-Wint-conversion\"")                                 \
		return __bpf_body_##name(ctx __bpf_join(__bpf_sys, __bpf_count(__VA_ARGS__)));         \
		_Pragma("GCC diagnostic pop")                                                          \
	}                                                                                              \
	static __always_inline typeof(name(0)) __bpf_body_##name(struct pt_regs *ctx, ##__VA_ARGS__)
#define BPF_KPROBE_SYSCALL BPF_KSYSCALL
#endif /* __PT_P1 */

#endif
