/* A struct of operations of the kernel, with programs and values in it. */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct sock {
	unsigned long sk_pacing_rate;
};
struct inet_connection_sock {
	unsigned long long icsk_ca_priv[13];
};
struct tcp_sock {
	struct inet_connection_sock inet_conn;
	unsigned int snd_cwnd;
	unsigned int snd_cwnd_cnt;
	unsigned int snd_ssthresh;
	unsigned int prior_cwnd;
};
#pragma clang attribute pop

struct tcp_congestion_ops {
	unsigned int (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, unsigned int ack, unsigned int acked);
	void (*set_state)(struct sock *sk, unsigned char new_state);
	unsigned int (*undo_cwnd)(struct sock *sk);
	void (*init)(struct sock *sk);
	unsigned int flags;
	char name[16];
};

int runs;

SEC("struct_ops/init")
void BPF_PROG(lab_init, struct sock *sk)
{
	struct tcp_sock *tp = (void *)sk;

	runs++;
	tp->snd_ssthresh = 64;
}

SEC("struct_ops/ssthresh")
unsigned int BPF_PROG(lab_ssthresh, struct sock *sk)
{
	struct tcp_sock *tp = (void *)sk;
	unsigned int half = tp->snd_cwnd / 2;

	return half > 2 ? half : 2;
}

SEC("struct_ops/cong_avoid")
void BPF_PROG(lab_cong_avoid, struct sock *sk, unsigned int ack, unsigned int acked)
{
	struct tcp_sock *tp = (void *)sk;

	if (tp->snd_cwnd < tp->snd_ssthresh)
		tp->snd_cwnd = tp->snd_cwnd + acked;
	else
		tp->snd_cwnd_cnt = tp->snd_cwnd_cnt + acked;
}

SEC("struct_ops/undo_cwnd")
unsigned int BPF_PROG(lab_undo_cwnd, struct sock *sk)
{
	struct tcp_sock *tp = (void *)sk;

	return tp->snd_cwnd > tp->prior_cwnd ? tp->snd_cwnd : tp->prior_cwnd;
}

SEC(".struct_ops")
struct tcp_congestion_ops updated = {
	.ssthresh = (void *)lab_ssthresh,
	.cong_avoid = (void *)lab_cong_avoid,
	.undo_cwnd = (void *)lab_undo_cwnd,
	.init = (void *)lab_init,
	.name = "bpflab_updated",
};


char _license[] SEC("license") = "GPL";
