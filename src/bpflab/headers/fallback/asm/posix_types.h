/* As architectures without particulars have it. */
#include <asm-generic/posix_types.h>
