/* As architectures without particulars have it. */
#include <asm-generic/socket.h>
