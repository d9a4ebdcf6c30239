/* One program at the entry of a function and at its return. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern _Bool bpf_session_is_return(void) __attribute__((section(".ksyms")));
extern __u64 *bpf_session_cookie(void) __attribute__((section(".ksyms")));

__u64 spent;

SEC("kprobe.session/probed")
int timed(void *ctx)
{
	__u64 *start = bpf_session_cookie();

	if (bpf_session_is_return())
		spent = bpf_ktime_get_ns() - *start;
	else
		*start = bpf_ktime_get_ns();
	return 0;
}

char _license[] SEC("license") = "GPL";
