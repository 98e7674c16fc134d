/* Philox 4x64-10 (Salmon, Moraes, Dror and Shaw 2011) and numbers from its words, as in timbrespace/noise.py. */
#include "base.h"
#include "simd.h"

static inline uint64_t product(uint64_t a, uint64_t b, uint64_t *high) {
#ifdef __wasm__ /* no 128-bit product there: four of 32 bits */
  uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
  __asm__("" : "+r"(al)); /* else the compiler sees what this is and calls a slow function of its own */
  uint64_t low = al * bl, middle = ah * bl + (low >> 32), other = al * bh + (uint32_t)middle;
  *high = ah * bh + (middle >> 32) + (other >> 32);
  return a * b;
#else
  unsigned __int128 full = (unsigned __int128)a * b;
  *high = (uint64_t)(full >> 64);
  return (uint64_t)full;
#endif
}

static void count_up(uint64_t *counter) {
  for (int i = 0; i < 4; i++)
    if (++counter[i]) return;
}

/* The next `count` blocks, side by side: a round waits for its products, not the processor for one block. */
static inline __attribute__((always_inline)) void make_blocks(Noise *noise, uint64_t *out, int count) {
  uint64_t x[2][4], k0 = noise->key[0], k1 = noise->key[1];
  for (int i = 0; i < count; i++) count_up(noise->counter), memcpy(x[i], noise->counter, sizeof x[i]);
  for (int round = 0; round < 10; round++) {
    for (int i = 0; i < count; i++) {
      uint64_t high_a, high_c, *w = x[i];
      uint64_t low_a = product(0xD2E7470EE14C6C93u, w[0], &high_a), low_c = product(0xCA5A826395121157u, w[2], &high_c);
      w[0] = high_c ^ w[1] ^ k0, w[1] = low_c, w[2] = high_a ^ w[3] ^ k1, w[3] = low_a;
    }
    k0 += 0x9E3779B97F4A7C15u, k1 += 0xBB67AE8584CAA73Bu;
  }
  for (int i = 0; i < count; i++) memcpy(out + 4 * i, x[i], sizeof x[i]);
}

void noise_open(Noise *noise, uint64_t seed, uint64_t purpose, uint64_t a, uint64_t b, uint64_t c) {
  noise->key[0] = seed, noise->key[1] = purpose;
  noise->counter[0] = 0, noise->counter[1] = a, noise->counter[2] = b, noise->counter[3] = c;
  noise->next = 4;
}

uint64_t noise_word(Noise *noise) {
  if (noise->next > 3) make_blocks(noise, noise->block, 1), noise->next = 0;
  return noise->block[noise->next++];
}

void noise_words(Noise *noise, uint64_t *out, size_t n) {
  size_t i = 0;
  while (i < n && noise->next < 4) out[i++] = noise->block[noise->next++];
  for (; i + 8 <= n; i += 8) make_blocks(noise, out + i, 2);
  while (i < n) out[i++] = noise_word(noise);
}

static double uniform(Noise *noise) { return (double)(noise_word(noise) >> 11) * 0x1p-53; }

void noise_uniform(Noise *noise, double *out, size_t n) {
  uint64_t words[64];
  for (size_t i = 0; i < n; i += 64) {
    size_t left = n - i < 64 ? n - i : 64;
    noise_words(noise, words, left);
    for (size_t k = 0; k < left; k++) out[i + k] = (double)(words[k] >> 11) * 0x1p-53;
  }
}

/* Four pairs of normal numbers. pairs: how many of them are drawn, the rest is not defined. */
static inline void normal_pairs(Noise *noise, D4 *even, D4 *odd, size_t pairs) {
  D4 a = {0.5, 0.5, 0.5, 0.5}, turns = a, sine, cosine;
  for (size_t i = 0; i < pairs; i++) a[i] = uniform(noise) + 0x1p-54, turns[i] = uniform(noise) + 0x1p-54;
  D4 radius = sqrt4(-2.0 * log4(a));
  sincos_turns4(turns, &sine, &cosine);
  *even = radius * cosine, *odd = radius * sine;
}

void noise_normal(Noise *noise, double *out, size_t n) {
  for (size_t i = 0; i < n; i += 8) {
    size_t left = n - i < 8 ? n - i : 8;
    D4 even, odd;
    normal_pairs(noise, &even, &odd, (left + 1) / 2);
    for (size_t k = 0; k < left; k++) out[i + k] = k % 2 ? odd[k / 2] : even[k / 2];
  }
}

size_t noise_choice(Noise *noise, const double *weights, size_t n) {
  double sum = 0, at;
  size_t chosen = 0;
  for (size_t i = 0; i < n; i++) sum += weights[i];
  at = uniform(noise) * sum, sum = 0;
  for (size_t i = 0; i < n; i++) {
    sum += weights[i];
    if (sum <= at) chosen = i + 1;
  }
  return chosen < n ? chosen : n - 1;
}

uint64_t seed_of(uint64_t seed, uint64_t index) {
  Noise noise;
  noise_open(&noise, seed, NOISE_SEED, index, 0, 0);
  return noise_word(&noise) >> 1;
}
