/* What every part of the core shares: status codes, memory, mathematics, noise, the Fourier transform. */
#ifndef TS_BASE_H
#define TS_BASE_H

#include <stddef.h>
#include <stdint.h>

/* Status of every function that can fail; see ts_status in timbrespace.h. */
typedef enum {
  TS_OK = 0,
  TS_DAMAGED = 1,     /* the file is damaged or foreign */
  TS_VERSION = 2,     /* a version that this core does not know */
  TS_UNCOVERED = 3,   /* a family or setting that this core does not play; another engine may */
  TS_ARGUMENT = 4,    /* an argument out of range or not finite */
  TS_MEMORY = 5,      /* the memory given is too small */
} Status;

/* Memory: a block given by the caller, from which parts are taken in order and given back by resetting `used` to an earlier value.
   With base NULL only the sizes are summed up: `peak` then is the memory that is needed. No malloc anywhere. */
typedef struct {
  unsigned char *base;
  size_t size, used, peak;
} Arena;

void *arena_take(Arena *arena, size_t count, size_t size); /* zeroed? no: uninitialised; aligned to 64 bytes; NULL when too small */
#define TAKE(arena, type, count) ((type *)arena_take((arena), (size_t)(count), sizeof(type)))

/* Mathematics, the same to the bit on every machine: only + - * / and square roots, no multiply-add. Errors of a few units in the last
   place of float (the f versions) and double; results under the smallest normal number are 0. Arrays may be the same. simd.h has the same
   functions inline for four doubles or eight floats. */
double ts_exp(double x), ts_log(double x), ts_sin_turns(double turns), ts_cos_turns(double turns); /* sin(2 pi turns) */
float ts_expf(float x), ts_logf(float x);
double ts_pow10(double x), ts_exp2(double x), ts_log2(double x), ts_log10(double x), ts_sqrt(double x), ts_floor(double x);
float ts_log10f(float x), ts_sqrtf(float x), ts_floorf(float x);
double ts_midi_hertz(double midi);
void ts_exp_array(const float *x, float *y, size_t n), ts_log_array(const float *x, float *y, size_t n); /* natural, vectorised */
void ts_sincos_turns_array(const double *turns, double *sine, double *cosine, size_t n);

/* Noise: the streams of `timbrespace/noise.py`, the same words and the same numbers up to rounding. */
enum { NOISE_SEED = 1, NOISE_LATENT = 2, NOISE_VARIATION = 3, NOISE_PHASE = 4, NOISE_GRAIN = 5, NOISE_DETAIL = 6, NOISE_NOTE = 8,
       NOISE_WALK = 16, NOISE_AROUND = 17, NOISE_SEQUENCE = 32 };
typedef struct {
  uint64_t key[2], counter[4], block[4];
  int next; /* word of the block that comes next; 4: none left */
} Noise;
void noise_open(Noise *noise, uint64_t seed, uint64_t purpose, uint64_t a, uint64_t b, uint64_t c);
uint64_t noise_word(Noise *noise);
void noise_words(Noise *noise, uint64_t *out, size_t n); /* the next n words */
void noise_uniform(Noise *noise, double *out, size_t n);
void noise_normal(Noise *noise, double *out, size_t n);  /* one call of Noise.normal: an odd n leaves the last half of a pair unused */
void noise_normalf(Noise *noise, float *out, size_t n);  /* the same, rounded to float */
size_t noise_choice(Noise *noise, const double *weights, size_t n);
uint64_t seed_of(uint64_t seed, uint64_t index);

/* Real Fourier transform of a power of two, n = 16 to 2^20, conventions of numpy.fft.rfft and irfft (irfft divides by n).
   Batches: `count` frames one after the other, n samples each <-> n / 2 + 1 bins each, real and imaginary part interleaved. */
typedef struct Fft Fft;
Status fft_open(Fft **out, size_t n, Arena *arena);
Status fft_forward(const Fft *fft, const float *samples, float *bins, size_t count, Arena *work);
Status fft_inverse(const Fft *fft, const float *bins, float *samples, size_t count, Arena *work);
Status fft_open_double(Fft **out, size_t n, Arena *arena); /* of one frame, in double precision: filters, flutter */
Status fft_forward_double(const Fft *fft, const double *samples, double *bins, Arena *work);
Status fft_inverse_double(const Fft *fft, const double *bins, double *samples, Arena *work);

/* Eight frames at once, number for number side by side: the quick form. samples [n][8], bins [n / 2 + 1][2][8]: eight real parts, then
   eight imaginary parts. Both aligned to 32 bytes, as an arena gives them. Same bits as the functions above. */
void fft_forward_lanes(const Fft *fft, float *samples, float *bins); /* samples are used up */
void fft_inverse_lanes(const Fft *fft, const float *bins, float *samples);
/* Eight rows, `stride` numbers apart, into lanes [n][8], times window [n] (NULL: 1); lanes into rows; lanes times window added to rows that
   may overlap. n: a multiple of 8. */
void lanes_gather(const float *rows, size_t stride, const float *window, float *lanes, size_t n);
void lanes_scatter(const float *lanes, size_t n, float *rows, size_t stride);
void lanes_overlap_add(const float *lanes, size_t n, const float *window, float *rows, size_t stride);
#endif
