#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#if defined(__TARGET_ARCH_s390) && !defined(_S390_PTRACE_H) /* compiled on another machine */
typedef struct {
	unsigned long args[1];
	struct {
		unsigned long mask, addr;
	} psw;
	unsigned long gprs[16];
} user_pt_regs;
#endif
#include <bpf/usdt.bpf.h>

long seen[12];
long answers[12];
long values[12];

SEC("usdt/./server:http:request")
int BPF_USDT(request, int status, char *path, short depth)
{
	char first = 0;

	bpf_probe_read_user(&first, sizeof(first), path);
	seen[0] = status;
	seen[1] = first;
	seen[2] = depth;
	return 0;
}

#define ONE(n)                                     \
	answers[n] = bpf_usdt_arg(ctx, n, &value); \
	values[n] = value;                         \
	seen[n] = bpf_usdt_arg_size(ctx, n)

SEC("usdt")
int looks(struct pt_regs *ctx)
{
	long value = -1;

	ONE(0);
	ONE(1);
	ONE(2);
	ONE(11);
	answers[10] = bpf_usdt_arg(ctx, 12, &value);
	answers[9] = bpf_usdt_arg_cnt(ctx);
	answers[8] = bpf_usdt_cookie(ctx);
	return 0;
}

char _license[] SEC("license") = "GPL";
