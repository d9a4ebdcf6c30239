/* SPDX-License-Identifier: MIT */
/* Expectations in C: which verdict a program gives to a packet that the source lays out.
 *
 *	const struct { struct ethhdr eth; struct iphdr ip; struct tcphdr tcp; } telnet = { ... };
 *
 *	SEC("xdp") __expect(telnet, XDP_DROP)
 *	int firewall(struct xdp_md *ctx) ...
 *
 * `pytest firewall.bpf.o` runs each of them as a test. The packets must be constants with external linkage.
 */
#ifndef __BPF_BPFLAB_H__
#define __BPF_BPFLAB_H__

/* The program gives this verdict (XDP_DROP, TC_ACT_SHOT, a number) to this packet. */
#define __expect(packet, verdict) __attribute__((btf_decl_tag("bpflab:expect=" #packet "=" #verdict)))

/* The verifier takes the program, or refuses it with this in its log. */
#define __expect_loads __attribute__((btf_decl_tag("comment:test_expect_success")))
#define __expect_refused __attribute__((btf_decl_tag("comment:test_expect_failure")))
#define __expect_log(text) __attribute__((btf_decl_tag("comment:test_expect_msg=" text)))

/* The program returns this number for a packet of 64 zero bytes. */
#define __expect_retval(number) __attribute__((btf_decl_tag("comment:test_retval=" #number)))

/* A sentence for the report. */
#define __describe(text) __attribute__((btf_decl_tag("comment:test_description=" text)))

#endif
