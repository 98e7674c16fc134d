/* Normal numbers in single precision, sixteen at a time: as in double precision up to where everything is within 2 of 0, then in float. */
#include "base.h"
#include "simd.h"

typedef float F4 __attribute__((vector_size(16)));
typedef int32_t I4 __attribute__((vector_size(16)));
enum { PAIRS = 8, BLOCK = 64 };

static inline F8 narrow(D4 low, D4 high) {
  return __builtin_shufflevector(__builtin_convertvector(low, F4), __builtin_convertvector(high, F4), 0, 1, 2, 3, 4, 5, 6, 7);
}

static inline I8 narrow_whole(L4 low, L4 high) { return __builtin_shufflevector((I8)low, (I8)high, 0, 2, 4, 6, 8, 10, 12, 14); }

/* ((word >> 11) + 1 / 2) / 2^53: its 52 upper bits as the fraction of a number from 1 to 2, then the lowest. */
static inline D4 open_number(UL4 word) {
  D4 upper = (D4)((word >> 12) | 0x3FF0000000000000u) - 1.0;
  return upper + select4((L4)-((word >> 11) & 1), all4(0x3p-54), all4(0x1p-54));
}

/* The exponent k and f of x = 2^k (1 + f), over 0: 1 + f is from sqrt(1 / 2) to sqrt(2). */
static inline L4 split(D4 x, D4 *f) {
  L4 bits = (L4)x, offset = bits - 0x3FE6A09E667F3BCD, exponent = (L4)((UL4)offset >> 52) - ((offset < 0) & 4096);
  *f = (D4)(bits - (L4)((UL4)exponent << 52)) - 1.0;
  return exponent;
}

static void make_normals(const uint64_t *words, float *out) {
  UL4 a[4], low[2], turn[2];
  for (int i = 0; i < 4; i++) memcpy(a + i, words + 4 * i, sizeof *a);
  for (int i = 0; i < 2; i++) {
    low[i] = __builtin_shufflevector(a[2 * i], a[2 * i + 1], 0, 2, 4, 6);
    turn[i] = __builtin_shufflevector(a[2 * i], a[2 * i + 1], 1, 3, 5, 7);
  }
  D4 f[2], rest[2];
  L4 exponent[2], quarter[2];
  for (int i = 0; i < 2; i++) {
    exponent[i] = split(open_number(low[i]), f + i);
    D4 quarters = open_number(turn[i]) * 4.0, moved = quarters + ROUND4;
    rest[i] = quarters - (moved - ROUND4);
    quarter[i] = (L4)moved;
  }
  F8 k = __builtin_convertvector(narrow_whole(exponent[0], exponent[1]), F8), sine, cosine;
  F8 radius = sqrt8(-2.0f * log_sum8(k, narrow(f[0], f[1])));
  sincos_quarters8(narrow(rest[0], rest[1]), (U8)narrow_whole(quarter[0], quarter[1]), &sine, &cosine);
  F8 even = radius * cosine, odd = radius * sine;
  store8(out, __builtin_shufflevector(even, odd, 0, 8, 1, 9, 2, 10, 3, 11));
  store8(out + 8, __builtin_shufflevector(even, odd, 4, 12, 5, 13, 6, 14, 7, 15));
}

void noise_normalf(Noise *noise, float *out, size_t n) {
  uint64_t words[BLOCK];
  float last[2 * PAIRS];
  while (n > 0) {
    const size_t count = n < BLOCK ? n : BLOCK, drawn = count + count % 2;
    noise_words(noise, words, drawn);
    for (size_t i = drawn; i < BLOCK && i % (2 * PAIRS) != 0; i++) words[i] = 0;
    for (size_t i = 0; i < count; i += 2 * PAIRS) {
      const size_t left = count - i < 2 * PAIRS ? count - i : 2 * PAIRS;
      make_normals(words + i, left == 2 * PAIRS ? out + i : last);
      if (left < 2 * PAIRS) memcpy(out + i, last, left * sizeof *out);
    }
    out += count, n -= count;
  }
}
