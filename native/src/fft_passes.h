/* The passes of the Fourier transform, for one type of number: V is what is computed with, S what factors are stored as. Included by fft.c
   once for each; with V of eight lanes, eight transforms run side by side.

   n real numbers are m = n / 2 complex ones, z[j] = x[2 j] + i x[2 j + 1], in place: V x[n] and V z[m][2] are the same memory. The complex
   transform goes by factors of 4, and one of 2 where needed: forward by decimation in frequency, which leaves bin k at the place whose
   binary digits are those of k reversed; inverse by decimation in time, which starts from there. Before or after it, a step per pair of bins
   k and m - k turns bins of z into bins of x (Cooley and Tukey 1965; Press et al., Numerical Recipes, 12.3). */

/* One factor of 4 over blocks of `length` complex numbers. w: for j < length / 4 the factors of 1, 2 and 3 j / length turns, (cos, sin). */
static void NAME(forward_4)(V *z, size_t m, size_t length, const S *w) {
  size_t quarter = length / 4;
  for (V *block = z; block < z + 2 * m; block += 2 * length) {
    const S *at = w;
    for (size_t j = 0; j < quarter; j++, at += 6) {
      V *a = block + 2 * j, *b = a + 2 * quarter, *c = b + 2 * quarter, *d = c + 2 * quarter;
      V ac = a[0] + c[0], aci = a[1] + c[1], bd = b[0] + d[0], bdi = b[1] + d[1];
      V a_c = a[0] - c[0], a_ci = a[1] - c[1], b_d = b[0] - d[0], b_di = b[1] - d[1];
      V p = a_c + b_di, pi = a_ci - b_d, q = ac - bd, qi = aci - bdi, r = a_c - b_di, ri = a_ci + b_d;
      a[0] = ac + bd, a[1] = aci + bdi;
      b[0] = q * at[2] + qi * at[3], b[1] = qi * at[2] - q * at[3];
      c[0] = p * at[0] + pi * at[1], c[1] = pi * at[0] - p * at[1];
      d[0] = r * at[4] + ri * at[5], d[1] = ri * at[4] - r * at[5];
    }
  }
}

static void NAME(inverse_4)(V *z, size_t m, size_t length, const S *w) {
  size_t quarter = length / 4;
  for (V *block = z; block < z + 2 * m; block += 2 * length) {
    const S *at = w;
    for (size_t j = 0; j < quarter; j++, at += 6) {
      V *a = block + 2 * j, *b = a + 2 * quarter, *c = b + 2 * quarter, *d = c + 2 * quarter;
      V q = b[0] * at[2] - b[1] * at[3], qi = b[1] * at[2] + b[0] * at[3];
      V p = c[0] * at[0] - c[1] * at[1], pi = c[1] * at[0] + c[0] * at[1];
      V r = d[0] * at[4] - d[1] * at[5], ri = d[1] * at[4] + d[0] * at[5];
      V aq = a[0] + q, aqi = a[1] + qi, a_q = a[0] - q, a_qi = a[1] - qi;
      V pr = p + r, pri = pi + ri, p_r = p - r, p_ri = pi - ri;
      a[0] = aq + pr, a[1] = aqi + pri;
      b[0] = a_q - p_ri, b[1] = a_qi + p_r;
      c[0] = aq - pr, c[1] = aqi - pri;
      d[0] = a_q + p_ri, d[1] = a_qi - p_r;
    }
  }
}

/* The factor of 2 over neighbours: the last one forward, the first one inverse. */
static void NAME(both_2)(V *z, size_t m) {
  for (V *a = z; a < z + 2 * m; a += 4) {
    V real = a[2], imaginary = a[3];
    a[2] = a[0] - real, a[3] = a[1] - imaginary;
    a[0] += real, a[1] += imaginary;
  }
}

/* x[n] to bins [n / 2 + 1][2]; x is used up. */
static void NAME(forward)(const Fft *fft, V *x, V *bins) {
  size_t m = fft->n / 2;
  const S *w = fft->factors, *turn = fft->halves;
  const uint32_t *place = fft->places;
  for (size_t length = m; length > 2; w += 6 * (length / 4), length /= 4) NAME(forward_4)(x, m, length, w);
  if (fft->odd) NAME(both_2)(x, m);
  bins[0] = x[0] + x[1], bins[1] = x[0] * 0;
  bins[2 * m] = x[0] - x[1], bins[2 * m + 1] = bins[1];
  for (size_t k = 1; k <= m / 2; k++) {
    const V *a = x + 2 * (size_t)place[k], *b = x + 2 * (size_t)place[m - k];
    S cosine = turn[2 * k], sine = turn[2 * k + 1]; /* halved */
    V even = (a[0] + b[0]) * (S)0.5, eveni = (a[1] - b[1]) * (S)0.5, odd = a[1] + b[1], oddi = b[0] - a[0];
    V real = odd * cosine + oddi * sine, imaginary = oddi * cosine - odd * sine;
    bins[2 * k] = even + real, bins[2 * k + 1] = eveni + imaginary;
    bins[2 * (m - k)] = even - real, bins[2 * (m - k) + 1] = imaginary - eveni;
  }
}

/* bins [n / 2 + 1][2] to x[n]. The imaginary parts of the first and last bin are taken as 0. */
static void NAME(inverse)(const Fft *fft, const V *bins, V *x) {
  size_t m = fft->n / 2, length = fft->odd ? 8 : 4;
  const S *w = (const S *)fft->factors + fft->last, *turn = fft->halves;
  const uint32_t *place = fft->places;
  S half = (S)0.5 / (S)m, whole = (S)1 / (S)m;
  x[0] = (bins[0] + bins[2 * m]) * half, x[1] = (bins[0] - bins[2 * m]) * half;
  for (size_t k = 1; k <= m / 2; k++) {
    V *a = x + 2 * (size_t)place[k], *b = x + 2 * (size_t)place[m - k];
    const V *c = bins + 2 * k, *d = bins + 2 * (m - k);
    S cosine = turn[2 * k] * whole, sine = turn[2 * k + 1] * whole;
    V even = (c[0] + d[0]) * half, eveni = (c[1] - d[1]) * half, odd = c[0] - d[0], oddi = c[1] + d[1];
    V real = odd * cosine - oddi * sine, imaginary = oddi * cosine + odd * sine;
    a[0] = even - imaginary, a[1] = eveni + real;
    b[0] = even + imaginary, b[1] = real - eveni;
  }
  if (fft->odd) NAME(both_2)(x, m);
  for (NAME(inverse_4)(x, m, length, w); (length *= 4) <= m;) NAME(inverse_4)(x, m, length, w -= 6 * (length / 4));
}
