/* Empty: linux/swab.h swaps bytes by the compiler's own functions where an architecture has none. */
