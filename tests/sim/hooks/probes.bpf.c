/* What a probe sees of the function that it is on, read by the macros of each architecture. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax, rip, cs;
	unsigned long eflags, rsp, ss;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	unsigned long regs[31], sp, pc, pstate;
};
#elif defined(__TARGET_ARCH_s390)
typedef struct {
	unsigned long args[1];
	struct { unsigned long mask, addr; } psw;
	unsigned long gprs[16];
} user_pt_regs;
#elif defined(__TARGET_ARCH_riscv)
struct user_regs_struct {
	unsigned long pc, ra, sp, gp, tp, t0, t1, t2, s0, s1, a0, a1, a2, a3, a4, a5, a6, a7;
	unsigned long s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, t3, t4, t5, t6;
};
#endif
struct pt_regs;
#include <bpf/bpf_tracing.h>

unsigned long seen[8];

SEC("kprobe/probed")
int entered(struct pt_regs *ctx)
{
	seen[0] = PT_REGS_PARM1(ctx);
	seen[1] = PT_REGS_PARM2(ctx);
	seen[2] = PT_REGS_PARM3(ctx);
	seen[3] = PT_REGS_PARM4(ctx);
	seen[4] = PT_REGS_PARM5(ctx);
	seen[5] = PT_REGS_IP(ctx);
	seen[6] = PT_REGS_SP(ctx);
	return 0;
}

SEC("kretprobe/probed")
int returned(struct pt_regs *ctx)
{
	seen[0] = PT_REGS_RC(ctx);
	return 1;
}

char _license[] SEC("license") = "GPL";
