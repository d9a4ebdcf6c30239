// SPDX-License-Identifier: MIT
/* How long TCP connections take to be established, from the SYN to the answer, and how long they live.
 *
 * Probes of the kernel's functions see a connect begin, fail and be answered; a tracepoint sees the states change.
 * Each connection is a record; latencies are counted in powers of two of a microsecond, for each remote port.
 */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define AF_INET 2
#define AF_INET6 10
#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_CLOSE 7
#define SLOTS 24
#define COMM_LENGTH 16
#define MICROSECOND 1000

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct in6_addr {
	union {
		__u8 u6_addr8[16];
		__be32 u6_addr32[4];
	} in6_u;
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
};
#pragma clang attribute pop

enum kind {
	ESTABLISHED_IN_TIME,
	ESTABLISHED_LATE,
	FAILED,
	CLOSED,
};

struct pending {
	__u64 since;
	__u32 pid;
	__u32 uid;
	char comm[COMM_LENGTH];
};

struct life {
	__u64 since;
	__u64 latency;
	__u32 pid;
	__u32 unused;
};

struct record {
	__u64 when;
	__u64 nanoseconds; /* the latency, or of a closed connection its life */
	__u32 kind;
	__u32 pid;
	__u16 family;
	__u16 source_port;
	__u16 destination_port;
	__u16 unused;
	__u8 destination[16];
	char comm[COMM_LENGTH];
};

struct histogram {
	__u64 slots[SLOTS];
	__u64 count;
	__u64 nanoseconds;
};

const volatile __u32 only_pid = 0;
const volatile __u64 late_after = 100 * 1000 * MICROSECOND;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64); /* the socket's address */
	__type(value, struct pending);
} pending SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct life);
} lives SEC(".maps");

/* The socket that a thread is connecting with, from the function's entry to its return. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
} entered SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 256);
	__type(key, __u16);
	__type(value, struct histogram);
} histograms SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} records SEC(".maps");

static struct histogram empty;
__u64 lost;

static __always_inline __u32 slot_of(__u64 nanoseconds)
{
	__u64 left = nanoseconds / MICROSECOND;
	__u32 slot = 0;

	for (int step = 0; step < SLOTS - 1; step++) {
		if (!left)
			break;
		left >>= 1;
		slot++;
	}
	return slot;
}

static __always_inline void count_latency(struct sock *sk, __u64 nanoseconds)
{
	__u16 port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	struct histogram *histogram = bpf_map_lookup_elem(&histograms, &port);
	__u32 slot = slot_of(nanoseconds);

	if (!histogram) {
		bpf_map_update_elem(&histograms, &port, &empty, BPF_NOEXIST);
		histogram = bpf_map_lookup_elem(&histograms, &port);
		if (!histogram)
			return;
	}
	if (slot < SLOTS)
		__sync_fetch_and_add(&histogram->slots[slot], 1);
	__sync_fetch_and_add(&histogram->count, 1);
	__sync_fetch_and_add(&histogram->nanoseconds, nanoseconds);
}

static __always_inline struct record *new_record(struct sock *sk, enum kind kind, __u64 nanoseconds)
{
	struct record *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);

	if (!record) {
		__sync_fetch_and_add(&lost, 1);
		return 0;
	}
	__builtin_memset(record, 0, sizeof(*record));
	record->when = bpf_ktime_get_ns();
	record->nanoseconds = nanoseconds;
	record->kind = kind;
	record->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	record->source_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	record->destination_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (record->family == AF_INET6)
		BPF_CORE_READ_INTO(&record->destination, sk, __sk_common.skc_v6_daddr);
	else
		bpf_probe_read_kernel(record->destination, 4, &sk->__sk_common.skc_daddr);
	return record;
}

static __always_inline void begin(struct sock *sk)
{
	__u64 id = bpf_get_current_pid_tgid(), key = (__u64)sk;
	struct pending new = { .since = bpf_ktime_get_ns(), .pid = id >> 32 };

	if (only_pid && only_pid != new.pid)
		return;
	new.uid = bpf_get_current_uid_gid();
	bpf_get_current_comm(new.comm, sizeof(new.comm));
	bpf_map_update_elem(&pending, &key, &new, BPF_ANY);
	bpf_map_update_elem(&entered, &id, &key, BPF_ANY);
}

/* The connect failed before a SYN was answered: nothing will be. */
static __always_inline void end(int result)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u64 *key = bpf_map_lookup_elem(&entered, &id);
	struct record *record;
	struct pending *known;

	if (!key)
		return;
	known = bpf_map_lookup_elem(&pending, key);
	if (result && known) {
		record = new_record((struct sock *)*key, FAILED, bpf_ktime_get_ns() - known->since);
		if (record) {
			record->pid = known->pid;
			__builtin_memcpy(record->comm, known->comm, COMM_LENGTH);
			bpf_ringbuf_submit(record, 0);
		}
		bpf_map_delete_elem(&pending, key);
	}
	bpf_map_delete_elem(&entered, &id);
}

SEC("kprobe/tcp_v4_connect")
int BPF_KPROBE(enter_v4, struct sock *sk)
{
	begin(sk);
	return 0;
}

SEC("kprobe/tcp_v6_connect")
int BPF_KPROBE(enter_v6, struct sock *sk)
{
	begin(sk);
	return 0;
}

SEC("kretprobe/tcp_v4_connect")
int BPF_KRETPROBE(leave_v4, int result)
{
	end(result);
	return 0;
}

SEC("kretprobe/tcp_v6_connect")
int BPF_KRETPROBE(leave_v6, int result)
{
	end(result);
	return 0;
}

static __always_inline void establish(struct sock *sk, __u64 key)
{
	struct pending *known = bpf_map_lookup_elem(&pending, &key);
	__u64 now = bpf_ktime_get_ns();
	struct life life = { .since = now };
	struct record *record;

	if (!known)
		return;
	life.latency = now - known->since;
	life.pid = known->pid;
	count_latency(sk, life.latency);
	record = new_record(sk, life.latency > late_after ? ESTABLISHED_LATE : ESTABLISHED_IN_TIME, life.latency);
	if (record) {
		record->pid = known->pid;
		__builtin_memcpy(record->comm, known->comm, COMM_LENGTH);
		bpf_ringbuf_submit(record, 0);
	}
	bpf_map_update_elem(&lives, &key, &life, BPF_ANY);
	bpf_map_delete_elem(&pending, &key);
}

static __always_inline void finish(struct sock *sk, __u64 key)
{
	struct life *life = bpf_map_lookup_elem(&lives, &key);
	struct record *record;

	bpf_map_delete_elem(&pending, &key);
	if (!life)
		return;
	record = new_record(sk, CLOSED, bpf_ktime_get_ns() - life->since);
	if (record) {
		record->pid = life->pid;
		bpf_ringbuf_submit(record, 0);
	}
	bpf_map_delete_elem(&lives, &key);
}

/* A typed tracepoint: the socket, its state before and after. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(change, struct sock *sk, int before, int after)
{
	__u64 key = (__u64)sk;

	if (before == TCP_SYN_SENT && after == TCP_ESTABLISHED)
		establish(sk, key);
	else if (after == TCP_CLOSE)
		finish(sk, key);
	return 0;
}

char _license[] SEC("license") = "GPL";
