// SPDX-License-Identifier: MIT
/* Service addresses for the programs of a cgroup: a connect to a service goes to one of its backends, and the program
 * goes on seeing the service's address, by getpeername and in the answers that it receives.
 *
 * A backend is chosen once for each client and service, and kept while it is healthy. What is not a service goes where
 * it was meant to, unless the policy closes it.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ALLOW 1
#define REFUSE 0
#define AF_INET 2
#define AF_INET6 10
#define BACKENDS 64
#define UNHEALTHY 1
#define CLOSED 1

struct address {
	__be32 words[4]; /* IPv4 in the first */
	__be16 port;
	__u8 protocol;
	__u8 family;
};

struct service {
	__u32 first;  /* of its backends */
	__u32 count;
	__u32 flags;
	__u32 affinity; /* seconds for which a client keeps its backend; 0 for ever */
};

struct backend {
	struct address address;
	__u32 flags;
	__u32 connections;
};

struct choice {
	__u64 client;
	struct address service;
	__u32 unused;
};

struct chosen {
	__u32 backend;
	__u32 unused;
	__u64 since;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct address);
	__type(value, struct service);
} services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BACKENDS);
	__type(key, __u32);
	__type(value, struct backend);
} backends SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct choice);
	__type(value, struct chosen);
} choices SEC(".maps");

/* What a socket was really connected to, by its cookie: getpeername and recvmsg turn it back. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct address);
} originals SEC(".maps");

const volatile __u32 closed_by_default = 0;
__u64 redirected, refused, passed;

static __always_inline void read_v4(struct bpf_sock_addr *ctx, struct address *address)
{
	address->family = AF_INET;
	address->protocol = ctx->protocol;
	address->port = ctx->user_port;
	address->words[0] = ctx->user_ip4;
}

static __always_inline void read_v6(struct bpf_sock_addr *ctx, struct address *address)
{
	address->family = AF_INET6;
	address->protocol = ctx->protocol;
	address->port = ctx->user_port;
	address->words[0] = ctx->user_ip6[0];
	address->words[1] = ctx->user_ip6[1];
	address->words[2] = ctx->user_ip6[2];
	address->words[3] = ctx->user_ip6[3];
}

static __always_inline void write_v4(struct bpf_sock_addr *ctx, const struct address *address)
{
	ctx->user_ip4 = address->words[0];
	ctx->user_port = address->port;
}

static __always_inline void write_v6(struct bpf_sock_addr *ctx, const struct address *address)
{
	ctx->user_ip6[0] = address->words[0];
	ctx->user_ip6[1] = address->words[1];
	ctx->user_ip6[2] = address->words[2];
	ctx->user_ip6[3] = address->words[3];
	ctx->user_port = address->port;
}

static __always_inline _Bool is_usable(__u32 number, const struct service *service)
{
	struct backend *backend = bpf_map_lookup_elem(&backends, &number);

	return backend && !(backend->flags & UNHEALTHY) && number >= service->first &&
	       number < service->first + service->count;
}

/* Keep the backend that a client has, or find the next healthy one behind a random start. */
static __always_inline __u32 choose(const struct service *service, const struct address *address)
{
	struct choice key = { .client = bpf_get_current_pid_tgid() >> 32, .service = *address };
	struct chosen *known = bpf_map_lookup_elem(&choices, &key);
	__u64 now = bpf_ktime_get_ns();
	struct chosen fresh = { .since = now };
	__u32 start;

	if (known && is_usable(known->backend, service) &&
	    (!service->affinity || now - known->since < service->affinity * 1000000000ULL))
		return known->backend;
	start = bpf_get_prandom_u32();
	for (__u32 step = 0; step < BACKENDS; step++) {
		if (step >= service->count)
			break;
		fresh.backend = service->first + (start + step) % service->count;
		if (is_usable(fresh.backend, service)) {
			bpf_map_update_elem(&choices, &key, &fresh, BPF_ANY);
			return fresh.backend;
		}
	}
	return BACKENDS;
}

/* Find where a connect to an address goes: into `address`, 1 if it was changed, 0 if not, -1 if it is refused. */
static __always_inline int redirect(struct bpf_sock_addr *ctx, struct address *address)
{
	struct service *service = bpf_map_lookup_elem(&services, address);
	struct backend *backend;
	__u64 cookie;
	__u32 number;

	if (!service)
		return closed_by_default ? -1 : 0;
	if (service->flags & CLOSED)
		return -1;
	number = choose(service, address);
	backend = bpf_map_lookup_elem(&backends, &number);
	if (!backend)
		return -1;
	cookie = bpf_get_socket_cookie(ctx);
	bpf_map_update_elem(&originals, &cookie, address, BPF_ANY);
	__sync_fetch_and_add(&backend->connections, 1);
	*address = backend->address;
	return 1;
}

static __always_inline int count(int decision)
{
	__sync_fetch_and_add(decision > 0 ? &redirected : decision ? &refused : &passed, 1);
	return decision < 0 ? REFUSE : ALLOW;
}

SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr *ctx)
{
	struct address address = {};
	int decision;

	read_v4(ctx, &address);
	decision = redirect(ctx, &address);
	if (decision > 0)
		write_v4(ctx, &address);
	return count(decision);
}

SEC("cgroup/connect6")
int connect6(struct bpf_sock_addr *ctx)
{
	struct address address = {};
	int decision;

	read_v6(ctx, &address);
	decision = redirect(ctx, &address);
	if (decision > 0)
		write_v6(ctx, &address);
	return count(decision);
}

SEC("cgroup/sendmsg4")
int sendmsg4(struct bpf_sock_addr *ctx)
{
	struct address address = {};
	int decision;

	read_v4(ctx, &address);
	decision = redirect(ctx, &address);
	if (decision > 0)
		write_v4(ctx, &address);
	return count(decision);
}

/* Turn a backend's address back into the service's, where this socket was sent there by it. */
static __always_inline const struct address *original(struct bpf_sock_addr *ctx)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);

	return bpf_map_lookup_elem(&originals, &cookie);
}

SEC("cgroup/getpeername4")
int getpeername4(struct bpf_sock_addr *ctx)
{
	const struct address *address = original(ctx);

	if (address && address->family == AF_INET)
		write_v4(ctx, address);
	return ALLOW;
}

SEC("cgroup/getpeername6")
int getpeername6(struct bpf_sock_addr *ctx)
{
	const struct address *address = original(ctx);

	if (address && address->family == AF_INET6)
		write_v6(ctx, address);
	return ALLOW;
}

SEC("cgroup/recvmsg4")
int recvmsg4(struct bpf_sock_addr *ctx)
{
	const struct address *address = original(ctx);

	if (address && address->family == AF_INET)
		write_v4(ctx, address);
	return ALLOW;
}

char _license[] SEC("license") = "Dual MIT/GPL";
