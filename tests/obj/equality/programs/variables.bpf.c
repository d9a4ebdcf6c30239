/* Variables of every kind of section, static and global, whole and in part, texts, and addresses of them. */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

struct limits {
	__u32 low;
	__u64 high[3];
	struct {
		__u16 deep;
	} within;
};

const volatile struct limits limits = { 10, { 1, 2, 1ull << 40 }, { 9 } };
const volatile char greeting[8] = "hello";
const volatile bool on = true;
static volatile const int hidden_constant = 77;
int counter = 5;
static volatile int offset = 7;
struct limits filled = { .high = { [2] = 3 } };
__u64 zero;
static volatile __u16 small[3];
volatile char wide[4096];
int custom SEC(".data.custom") = 3;
int also_custom SEC(".data.custom") = 4;
__u64 empty SEC(".bss.own");
const volatile int readable SEC(".rodata.own") = 9;
static volatile int only_static SEC(".data.static") = 1;
int __hidden not_shown = 2;
int __weak replaced = 1;

SEC("socket")
int reads(struct __sk_buff *skb)
{
	static const char format[] = "a text of its own: %d";

	zero += limits.high[2] + limits.within.deep;
	small[skb->len & 1] = hidden_constant;
	offset += skb->len + (on ? 1 : 2);
	wide[skb->len & 4095] = counter;
	empty += readable + only_static + not_shown + replaced;
	bpf_trace_printk(format, sizeof(format), filled.high[1]);
	return counter + offset + custom + also_custom + greeting[skb->len & 7] + small[2];
}

SEC("socket")
int gives_addresses(struct __sk_buff *skb)
{
	char copy[8];

	bpf_probe_read_kernel(copy, 3, (void *)&greeting[2]);
	bpf_skb_load_bytes(skb, 0, (void *)&wide[100], 8);
	bpf_skb_load_bytes(skb, 0, &filled.high[2], 8);
	bpf_printk("another text %s", copy);
	return copy[0] == "prefix"[skb->len & 3];
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
