/* Empty. glibc's headers take the BPF target for 32-bit x86 and ask for this file, which only systems with 32-bit
 * development packages have. It lists functions that are stubs, and a BPF program calls none.
 */
