/* A USDT program: functions that are weak and hidden, maps that are weak. */
#include <linux/bpf.h>
#include <stdbool.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/usdt.bpf.h>
long seen[6];
SEC("usdt/./server:http:request")
int BPF_USDT(request, int status, char *path, long when)
{
	char first = 0;
	bpf_probe_read_user(&first, 1, path);
	seen[0] = status; seen[1] = first; seen[2] = when;
	seen[3] = bpf_usdt_arg_cnt(ctx); seen[4] = bpf_usdt_cookie(ctx);
	return 0;
}
char _license[] SEC("license") = "GPL";
