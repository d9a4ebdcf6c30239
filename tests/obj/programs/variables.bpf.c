/* Variables of every kind of section, global and static, typed and reached from a program. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct limits {
	__u32 low;
	__u64 high;
};

int counter = 5;
static int offset = 7;
const volatile struct limits limits = { 10, 1ull << 40 };
const volatile char greeting[8] = "hello";
__u64 zero;
static __u16 small[3];
int custom SEC(".data.custom") = 3;
static const volatile int only_static SEC(".rodata.own") = 9;

SEC("socket")
int reader(struct __sk_buff *skb)
{
	zero += limits.high;
	small[skb->len & 1] = 1;
	offset += skb->len;
	return counter + offset + custom + greeting[skb->len & 7] + small[1] + only_static;
}
