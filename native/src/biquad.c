/* Second-order recursive filters, eight stretches of the sound at once. */
#include "finish.h"
#include "simd.h"

typedef double (*Pair)[2]; /* a 2 x 2 matrix */
enum { LANES = 8, FEWEST = 64 };

Biquad high_pass(double cutoff, double rate) {
  double turns = cutoff / rate / 2.0, k = ts_sin_turns(turns) / ts_cos_turns(turns), root = 1.4142135623730951 * k;
  double norm = 1.0 + root + k * k;
  return (Biquad){1.0 / norm, -2.0 / norm, 1.0 / norm, 2.0 * (k * k - 1.0) / norm, (1.0 - root + k * k) / norm};
}

static void run(const Biquad *f, double *samples, size_t n, double *state) {
  double s = state[0], t = state[1];
  for (size_t i = 0; i < n; i++) {
    double x = samples[i], y = f->b0 * x + s;
    s = f->b1 * x - f->a1 * y + t;
    t = f->b2 * x - f->a2 * y;
    samples[i] = y;
  }
  state[0] = s, state[1] = t;
}

static void multiply(const Pair a, const Pair b, Pair out) {
  double result[2][2];
  for (int i = 0; i < 2; i++)
    for (int k = 0; k < 2; k++) result[i][k] = a[i][0] * b[0][k] + a[i][1] * b[1][k];
  __builtin_memcpy(out, result, sizeof result);
}

/* What `n` samples of silence make of the state, as a matrix. */
static void decay(const Biquad *f, size_t n, Pair out) {
  double step[2][2] = {{-f->a1, 1.0}, {-f->a2, 0.0}};
  double result[2][2] = {{1.0, 0.0}, {0.0, 1.0}};
  for (; n > 0; n >>= 1) {
    if (n & 1) multiply(result, step, result);
    multiply(step, step, step);
  }
  __builtin_memcpy(out, result, sizeof result);
}

/* Eight stretches of `n` samples, one after the other in memory. store: whether the samples are replaced. */
static inline __attribute__((always_inline)) void run_lanes(const Biquad *f, double *samples, size_t n, D4 s[2], D4 t[2], int store) {
  const double b0 = f->b0, b1 = f->b1, b2 = f->b2, a1 = f->a1, a2 = f->a2;
  double *p[LANES];
  for (int k = 0; k < LANES; k++) p[k] = samples + (size_t)k * n;
  for (size_t i = 0; i < n; i++)
    for (int h = 0; h < 2; h++) {
      double **q = p + 4 * h;
      D4 x = {q[0][i], q[1][i], q[2][i], q[3][i]}, y = b0 * x + s[h];
      s[h] = b1 * x - a1 * y + t[h];
      t[h] = b2 * x - a2 * y;
      if (store)
        for (int k = 0; k < 4; k++) q[k][i] = y[k];
    }
}

void biquad_run(const Biquad *filter, double *samples, size_t n) {
  const size_t part = n / LANES;
  double state[2] = {0.0, 0.0}, over[2][2];
  if (n < FEWEST) {
    run(filter, samples, n, state);
    return;
  }
  /* Every stretch from silence gives the states that its own samples leave; those of the stretches before are carried over. */
  D4 s[2] = {{0}}, t[2] = {{0}};
  run_lanes(filter, samples, part, s, t, 0);
  decay(filter, part, over);
  for (int k = 0; k < LANES; k++) {
    double own = s[k / 4][k % 4], next = t[k / 4][k % 4];
    s[k / 4][k % 4] = state[0], t[k / 4][k % 4] = state[1];
    double first = own + over[0][0] * state[0] + over[0][1] * state[1];
    state[1] = next + over[1][0] * state[0] + over[1][1] * state[1];
    state[0] = first;
  }
  run_lanes(filter, samples, part, s, t, 1);
  state[0] = s[1][3], state[1] = t[1][3];
  run(filter, samples + LANES * part, n - LANES * part, state);
}
