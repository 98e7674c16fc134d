/* Whether this processor runs the library. On x86-64 this file alone is compiled for every processor, the others for AVX2 (2013 on). */
#include "timbrespace.h"

#if defined(__x86_64__)
static void ask(uint32_t leaf, uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d) {
  __asm__ volatile("cpuid" : "=a"(*a), "=b"(*b), "=c"(*c), "=d"(*d) : "a"(leaf), "c"(0));
}

/* The level x86-64-v3 of the System V ABI: AVX2, FMA, F16C, MOVBE, BMI1, BMI2, LZCNT, and a system that saves the wide registers. */
int32_t ts_supported(void) {
  const uint32_t first = 1u << 12 | 1u << 22 | 1u << 27 | 1u << 28 | 1u << 29, seventh = 1u << 3 | 1u << 5 | 1u << 8;
  uint32_t a, b, c, d, most;
  ask(0, &most, &b, &c, &d);
  if (most < 7) return 0;
  ask(1, &a, &b, &c, &d);
  if ((c & first) != first) return 0;
  __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
  if ((a & 6) != 6) return 0;
  ask(7, &a, &b, &c, &d);
  if ((b & seventh) != seventh) return 0;
  ask(0x80000000u, &most, &b, &c, &d);
  if (most < 0x80000001u) return 0;
  ask(0x80000001u, &a, &b, &c, &d);
  return c >> 5 & 1;
}
#else
int32_t ts_supported(void) { return 1; }
#endif
