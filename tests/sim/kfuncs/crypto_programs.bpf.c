#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_kfuncs.h>

struct bpf_crypto_ctx {
	__u32 siv_len;
} __attribute__((preserve_access_index));
struct bpf_crypto_params {
	char type[14];
	__u8 reserved[2];
	char algo[128];
	__u8 key[256];
	__u32 key_len, authsize;
};

extern struct bpf_crypto_ctx *bpf_crypto_ctx_create(const struct bpf_crypto_params *, __u32, int *) __ksym;
extern void bpf_crypto_ctx_release(struct bpf_crypto_ctx *) __ksym;
extern int bpf_crypto_encrypt(struct bpf_crypto_ctx *, const struct bpf_dynptr *, const struct bpf_dynptr *,
			      const struct bpf_dynptr *) __ksym;
extern int bpf_crypto_decrypt(struct bpf_crypto_ctx *, const struct bpf_dynptr *, const struct bpf_dynptr *,
			      const struct bpf_dynptr *) __ksym;

struct slot {
	struct bpf_crypto_ctx __kptr *ctx;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, int);
	__type(value, struct slot);
	__uint(max_entries, 1);
} slots SEC(".maps");

struct bpf_crypto_params params;
__u32 size, iv_size;
__u8 plain[64], sealed[64], opened[64], iv[16], used[16];
int results[4];

SEC("syscall")
int make(void *ctx)
{
	struct bpf_crypto_ctx *made;
	struct slot *slot;
	int key = 0, err = 0;

	made = bpf_crypto_ctx_create(&params, sizeof(params), &err);
	if (!made)
		return err;
	slot = bpf_map_lookup_elem(&slots, &key);
	if (!slot) {
		bpf_crypto_ctx_release(made);
		return -1;
	}
	made = bpf_kptr_xchg(&slot->ctx, made);
	if (made)
		bpf_crypto_ctx_release(made);
	return 0;
}

SEC("tc")
int use(struct __sk_buff *skb)
{
	struct bpf_dynptr from, to, vector, back;
	struct bpf_crypto_ctx *ctx;
	struct slot *slot;
	int key = 0;

	slot = bpf_map_lookup_elem(&slots, &key);
	if (!slot)
		return 1;
	bpf_rcu_read_lock();
	ctx = slot->ctx;
	if (!ctx) {
		bpf_rcu_read_unlock();
		return 2;
	}
	if (size > sizeof(plain) || iv_size > sizeof(iv)) {
		bpf_rcu_read_unlock();
		return 3;
	}
	bpf_dynptr_from_mem(plain, sizeof(plain), 0, &from);
	bpf_dynptr_adjust(&from, 0, size);
	bpf_dynptr_from_mem(sealed, sizeof(sealed), 0, &to);
	bpf_dynptr_from_mem(opened, sizeof(opened), 0, &back);
	__builtin_memcpy(used, iv, sizeof(used));
	bpf_dynptr_from_mem(used, sizeof(used), 0, &vector);
	bpf_dynptr_adjust(&vector, 0, iv_size);
	results[0] = bpf_crypto_encrypt(ctx, &from, &to, &vector);
	__builtin_memcpy(used, iv, sizeof(used));
	bpf_dynptr_adjust(&to, 0, size);
	results[1] = bpf_crypto_decrypt(ctx, &to, &back, &vector);
	results[2] = bpf_crypto_encrypt(ctx, &from, &to, NULL);
	bpf_rcu_read_unlock();
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
