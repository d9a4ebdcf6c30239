#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_kfuncs.h>

struct nf_conn {
	unsigned long status;
	__u32 mark;
} __attribute__((preserve_access_index));

struct nf_conn___init {
	struct nf_conn ct;
} __attribute__((preserve_access_index));

struct bpf_ct_opts___local {
	__s32 netns_id, error;
	__u8 l4proto, dir;
	__u16 zone;
	__u8 zone_dir, reserved[3];
};

extern struct nf_conn *bpf_xdp_ct_lookup(struct xdp_md *, struct bpf_sock_tuple *, __u32, struct bpf_ct_opts___local *,
					 __u32) __ksym;
extern struct nf_conn___init *bpf_xdp_ct_alloc(struct xdp_md *, struct bpf_sock_tuple *, __u32,
					       struct bpf_ct_opts___local *, __u32) __ksym;
extern struct nf_conn *bpf_skb_ct_lookup(struct __sk_buff *, struct bpf_sock_tuple *, __u32,
					 struct bpf_ct_opts___local *, __u32) __ksym;
extern struct nf_conn *bpf_ct_insert_entry(struct nf_conn___init *) __ksym;
extern void bpf_ct_release(struct nf_conn *) __ksym;
extern void bpf_ct_set_timeout(struct nf_conn___init *, __u32) __ksym;
extern int bpf_ct_change_timeout(struct nf_conn *, __u32) __ksym;
extern int bpf_ct_set_status(const struct nf_conn___init *, __u32) __ksym;
extern int bpf_ct_change_status(struct nf_conn *, __u32) __ksym;

struct bpf_ct_opts___local opts;
__u32 source, destination, status, more, mark;
__u16 source_port, destination_port;
_Bool turned, six;
int results[8];
struct bpf_ct_opts___local answers[3];

static __always_inline void fill(struct bpf_sock_tuple *tuple, _Bool turn)
{
	tuple->ipv4.saddr = turn ? destination : source;
	tuple->ipv4.daddr = turn ? source : destination;
	tuple->ipv4.sport = turn ? destination_port : source_port;
	tuple->ipv4.dport = turn ? source_port : destination_port;
}

static __always_inline void look(struct xdp_md *ctx, int at, _Bool turn)
{
	struct bpf_ct_opts___local wanted = opts;
	struct bpf_sock_tuple tuple = {};
	struct nf_conn *found;

	fill(&tuple, turn);
	if (six)
		found = bpf_xdp_ct_lookup(ctx, &tuple, sizeof(tuple.ipv6), &wanted, sizeof(wanted));
	else
		found = bpf_xdp_ct_lookup(ctx, &tuple, sizeof(tuple.ipv4), &wanted, sizeof(wanted));
	answers[at] = wanted;
	results[at] = -1;
	if (found) {
		results[at] = found->status;
		results[at + 1] = found->mark;
		if (at == 2) {
			results[5] = bpf_ct_change_status(found, more);
			results[6] = found->status;
		}
		bpf_ct_release(found);
	}
}

SEC("xdp")
int life(struct xdp_md *ctx)
{
	struct bpf_ct_opts___local wanted = opts;
	struct bpf_sock_tuple tuple = {};
	struct nf_conn___init *made;
	struct nf_conn *known;

	__builtin_memset(results, 0, sizeof(results));
	__builtin_memset(answers, 0, sizeof(answers));
	look(ctx, 0, 0);
	fill(&tuple, 0);
	made = bpf_xdp_ct_alloc(ctx, &tuple, sizeof(tuple.ipv4), &wanted, sizeof(wanted));
	answers[1] = wanted;
	if (!made)
		return 1;
	bpf_ct_set_timeout(made, 60000);
	results[4] = bpf_ct_set_status(made, status);
	made->ct.mark = mark;
	known = bpf_ct_insert_entry(made);
	if (!known)
		return 2;
	look(ctx, 2, turned);
	results[7] = bpf_ct_change_timeout(known, 0);
	bpf_ct_release(known);
	return 3;
}

SEC("xdp")
int sizes(struct xdp_md *ctx)
{
	struct bpf_ct_opts___local wanted = opts;
	struct bpf_sock_tuple tuple = {};
	struct nf_conn *found;

	fill(&tuple, 0);
	found = bpf_xdp_ct_lookup(ctx, &tuple, 8, &wanted, sizeof(wanted));
	if (found)
		bpf_ct_release(found);
	results[0] = wanted.error;
	found = bpf_xdp_ct_lookup(ctx, &tuple, sizeof(tuple.ipv4), &wanted, 12);
	if (found)
		bpf_ct_release(found);
	results[1] = wanted.error;
	found = bpf_xdp_ct_lookup(ctx, &tuple, sizeof(tuple.ipv4), &wanted, 10);
	if (found)
		bpf_ct_release(found);
	results[2] = wanted.error;
	return 0;
}

SEC("tc")
int seen(struct __sk_buff *ctx)
{
	struct bpf_ct_opts___local wanted = { .netns_id = -1, .l4proto = 6 };
	struct bpf_sock_tuple tuple = {};
	struct nf_conn *found;
	int result = 0;

	fill(&tuple, 0);
	found = bpf_skb_ct_lookup(ctx, &tuple, sizeof(tuple.ipv4), &wanted, sizeof(wanted));
	if (!found)
		return 0;
	result = found->mark * 2 + wanted.dir;
	found->mark = result;
	bpf_ct_release(found);
	return result;
}

SEC("?xdp")
int changes_what_is_not_put_in(struct xdp_md *ctx)
{
	struct bpf_ct_opts___local wanted = { .netns_id = -1, .l4proto = 6 };
	struct bpf_sock_tuple tuple = {};
	struct nf_conn___init *made = bpf_xdp_ct_alloc(ctx, &tuple, sizeof(tuple.ipv4), &wanted, sizeof(wanted));

	if (!made)
		return 0;
	bpf_ct_change_timeout((void *)made, 5);
	bpf_ct_release((void *)made);
	return 0;
}

SEC("?xdp")
int leaks(struct xdp_md *ctx)
{
	struct bpf_ct_opts___local wanted = { .netns_id = -1, .l4proto = 6 };
	struct bpf_sock_tuple tuple = {};

	return bpf_xdp_ct_lookup(ctx, &tuple, sizeof(tuple.ipv4), &wanted, sizeof(wanted)) != NULL;
}

SEC("?xdp")
int writes_the_status(struct xdp_md *ctx)
{
	struct bpf_ct_opts___local wanted = { .netns_id = -1, .l4proto = 6 };
	struct bpf_sock_tuple tuple = {};
	struct nf_conn *found = bpf_xdp_ct_lookup(ctx, &tuple, sizeof(tuple.ipv4), &wanted, sizeof(wanted));

	if (!found)
		return 0;
	found->status = 0;
	bpf_ct_release(found);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
