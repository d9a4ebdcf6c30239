/* Tables of addresses in variables, which no loader fills in, and a function that is declared and never called. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
int table_target = 3;
int *pointer = &table_target;
static int f(int x) { return x + 1; }
int (*fp)(int) = f;
const char *const names[] = { "one", "two" };
__weak int maybe(int x);

SEC("xdp") int uses(struct xdp_md *ctx) { return *pointer + fp(ctx->ingress_ifindex); }
SEC("xdp") int uses_names(struct xdp_md *ctx) { return names[ctx->ingress_ifindex & 1][0]; }
char _license[] SEC("license") = "GPL";
