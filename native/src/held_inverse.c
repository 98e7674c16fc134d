/* Inverse transforms of spectra whose phase goes on: sines drawn as lobes of the window's transform (Rodet and Depalle 1992, "Spectral
   envelopes and inverse FFT synthesis"), each with the phase of the peak before it, and noise in the bins. Frames of WINDOW samples overlap
   by three quarters, where the windows (Harris 1978, four terms) add up to the same everywhere.

       frame 0   [-------middle-------]           made when its first sample is due; three frames before the start of a voice
       frame 1        [-------middle-------]      are made at once, so that it begins at its full level                          */
#include "held.h"
#include "simd.h"

static const double TERMS[4] = {0.35875, 0.48829, 0.14128, 0.01168};
static const float SINES = 0.696864f, NOISES = 0.984444f; /* 1 / the sum of four windows; 1 / the root of that of their squares */

/* Sum of cos(2 pi x m / WINDOW) over a window's samples m, divided by WINDOW. */
static double kernel(double x) {
  const double turns = x / WINDOW;
  if (x == 0.0) return 1.0;
  return ts_sin_turns(x / 2.0) * ts_cos_turns(turns / 2.0) / (WINDOW * ts_sin_turns(turns / 2.0));
}

void inverse_open(HeldVoices *held) {
  for (int32_t i = 0; i < LOBE * FINE + 2; i++) {
    const double x = (double)i / FINE;
    double sum = TERMS[0] * kernel(x);
    for (int32_t k = 1; k < 4; k++) sum += 0.5 * TERMS[k] * (kernel(x - k) + kernel(x + k));
    held->lobe[i] = (float)(sum * WINDOW);
  }
}

/* Adds a sine with a phase (turns) at the middle of the frame. */
static void add_sine(const HeldVoices *held, float cycles, float amplitude, double phase) {
  const float place = cycles * WINDOW;
  const int32_t first = (int32_t)place - (LOBE - 1);
  const float real = 0.5f * amplitude * (float)ts_cos_turns(phase), imaginary = 0.5f * amplitude * (float)ts_sin_turns(phase);
  for (int32_t k = first; k < first + 2 * LOBE; k++) {
    const float away = ((float)k < place ? place - (float)k : (float)k - place) * FINE;
    const int32_t at = away < LOBE * FINE ? (int32_t)away : LOBE * FINE;
    const float low = held->lobe[at], lobe = low + (away - (float)at) * (held->lobe[at + 1] - low), sign = k & 1 ? -lobe : lobe;
    if (away >= LOBE * FINE) continue;
    float *bin = held->spectrum + 2 * (k < 0 ? -k : k);
    bin[0] += real * sign, bin[1] += (k < 0 ? -imaginary : imaginary) * sign;
    if (k == 0) bin[0] += real * sign; /* and its mirror image; the imaginary parts cancel */
  }
}

/* Phases of peaks: those of the last frame's nearest ones go on, others begin anywhere. */
static void go_on(Held *voice, int32_t count, const float *places, const float *cycles) {
  Inverse *inverse = voice->inverse;
  double phase[PEAKS];
  for (int32_t i = 0, near = 0; i < count; i++) {
    while (near + 1 < inverse->peaks && inverse->place[near + 1] - places[i] < places[i] - inverse->place[near]) near++;
    const float away = near < inverse->peaks ? inverse->place[near] - places[i] : 2.0f;
    if (away > -1.5f && away < 1.5f)
      phase[i] = inverse->phase[near] + 0.5 * HOP * ((double)inverse->cycles[near] + (double)cycles[i]);
    else
      phase[i] = (double)scattered(voice->seed + inverse->frame * 0x9E37u, (uint32_t)i) * 0x1p-32;
    phase[i] -= ts_floor(phase[i]);
  }
  inverse->peaks = count;
  for (int32_t i = 0; i < count; i++) inverse->place[i] = places[i], inverse->cycles[i] = cycles[i], inverse->phase[i] = phase[i];
}

/* The sines of a timbre's partials, each with its own phase. */
static int32_t tones(const ts_player *player, Held *voice, int64_t time, float *cycles, float *amplitudes) {
  Inverse *inverse = voice->inverse;
  const Glide *partials = &player->held->timbre[voice->timbre].partials;
  const double note = held_hertz(voice, time) / player->rate;
  glide_at(partials, time, 0, TS_PARTIALS, cycles);
  glide_at(partials, time, TS_PARTIALS, TS_PARTIALS, amplitudes);
  for (int32_t i = 0; i < TS_PARTIALS; i++) {
    cycles[i] = (float)((double)cycles[i] * note);
    double phase = (double)scattered(voice->seed, (uint32_t)i) * 0x1p-32;
    if (inverse->frame > 1) phase = inverse->phase[i] + 0.5 * HOP * ((double)inverse->cycles[i] + (double)cycles[i]);
    inverse->phase[i] = phase - ts_floor(phase), inverse->cycles[i] = cycles[i];
  }
  return TS_PARTIALS;
}

/* Noise of levels [bins] into the spectrum, times the window: each bin has a random phase. scale: bins of levels a bin of the frame. */
static void add_noise(const HeldVoices *held, const Held *voice, const Timbre *timbre, float scale, float gain) {
  enum { BINS = WINDOW / 2 + 1, EDGE = 3 };
  float real[BINS + 2 * EDGE + 8] = {0}, imaginary[BINS + 2 * EDGE + 8] = {0}, most = 0.0f;
  for (int32_t k = 1; k < BINS - 1; k++) {
    const float place = (float)k * scale;
    if (place >= (float)(timbre->bins - 1)) break;
    const int32_t at = (int32_t)place;
    const float low = held->levels[at], level = low + (place - (float)at) * (held->levels[at + 1] - low);
    real[EDGE + k] = level * gain, most = level > most ? level : most;
  }
  if (most == 0.0f) return;
  const uint32_t seed = scattered(voice->seed ^ 0x5EED5EEDu, voice->inverse->frame);
  for (int32_t k = 0; k < BINS; k += 8) {
    F8 turns, sine, cosine, level = load8(real + EDGE + k);
    for (int32_t i = 0; i < 8; i++) turns[i] = (float)(scattered(seed, (uint32_t)(k + i)) >> 8) * 0x1p-24f;
    sincos_turns8(turns, &sine, &cosine);
    store8(real + EDGE + k, level * cosine), store8(imaginary + EDGE + k, level * sine);
  }
  for (int32_t k = 1; k <= EDGE; k++) { /* mirrored at both ends */
    const int32_t low = EDGE - k, high = EDGE + BINS - 1 + k;
    real[low] = real[EDGE + k], imaginary[low] = -imaginary[EDGE + k];
    real[high] = real[EDGE + BINS - 1 - k], imaginary[high] = -imaginary[EDGE + BINS - 1 - k];
  }
  const float a = (float)TERMS[0], b = -0.5f * (float)TERMS[1], c = 0.5f * (float)TERMS[2], d = -0.5f * (float)TERMS[3];
  for (int32_t k = 0; k < BINS; k++) {
    const float *x = real + EDGE + k, *y = imaginary + EDGE + k;
    held->spectrum[2 * k] += a * x[0] + b * (x[-1] + x[1]) + c * (x[-2] + x[2]) + d * (x[-3] + x[3]);
    held->spectrum[2 * k + 1] += a * y[0] + b * (y[-1] + y[1]) + c * (y[-2] + y[2]) + d * (y[-3] + y[3]);
  }
}

/* A frame at a time, added to the sum from sample -skipped on. */
static void add_frame(ts_player *player, Held *voice, int64_t time, int32_t skipped) {
  HeldVoices *held = player->held;
  const Timbre *timbre = held->timbre + voice->timbre;
  float places[PEAKS], cycles[PEAKS], amplitudes[PEAKS], frame[WINDOW];
  voice->inverse->frame++;
  if (!timbre->bins) return;
  const float ratio = (float)(held_hertz(voice, time) / (double)timbre->hertz), rate = (float)player->rate;
  glide_at(&timbre->spectrum, time, 0, timbre->bins, held->magnitudes);
  int32_t count = 0;
  if (voice->kind == TS_SPECTRUM) {
    const float pitch = timbre->hertz / timbre->spacing;
    count = find_peaks(held->magnitudes, timbre->bins, pitch, &timbre->lobe, places, amplitudes, held->levels);
    for (int32_t i = 0; i < count; i++) cycles[i] = places[i] * timbre->spacing * ratio / rate;
    go_on(voice, count, places, cycles);
  } else {
    for (int32_t i = 0; i < timbre->bins; i++) held->levels[i] = held->magnitudes[i];
    if (voice->kind == TS_NOISE_SPECTRUM) count = tones(player, voice, time, cycles, amplitudes);
  }
  for (int32_t i = 0; i < WINDOW + 2; i++) held->spectrum[i] = 0.0f;
  /* The power of a bin of magnitude m is m^2 / (2 bandwidth spacing) a Hz; that of the moved noise is kept. */
  const float density = 1.0f / (2.0f * timbre->lobe.bandwidth * timbre->spacing * ratio);
  add_noise(held, voice, timbre, rate / WINDOW / (ratio * timbre->spacing), NOISES / SINES * ts_sqrtf(density * WINDOW * rate / 2.0f));
  for (int32_t i = 0; i < count; i++)
    if (cycles[i] < 0.49f && amplitudes[i] != 0.0f) add_sine(held, cycles[i], amplitudes[i] * below_nyquist(cycles[i]), voice->inverse->phase[i]);
  Arena work = held->work;
  if (fft_inverse(held->fft, held->spectrum, frame, 1, &work) != TS_OK) return;
  for (int32_t i = skipped; i < WINDOW; i++) voice->inverse->sum[i - skipped] += SINES * frame[i];
}

void inverse_start(ts_player *player, Held *voice) {
  Inverse *inverse = voice->inverse;
  inverse->peaks = 0, inverse->frame = 0, inverse->gone = HOP;
  for (int32_t i = 0; i < WINDOW; i++) inverse->sum[i] = 0.0f;
  for (int32_t k = WINDOW / HOP - 1; k >= 1; k--) add_frame(player, voice, player->now, k * HOP);
  for (int32_t i = WINDOW - 1; i >= HOP; i--) inverse->sum[i] = inverse->sum[i - HOP]; /* the first step moves it back */
}

void inverse_step(ts_player *player, Held *voice, int64_t time) {
  Inverse *inverse = voice->inverse;
  if (inverse->gone == HOP) {
    for (int32_t i = 0; i < WINDOW; i++) inverse->sum[i] = i + HOP < WINDOW ? inverse->sum[i + HOP] : 0.0f;
    add_frame(player, voice, time, 0);
    inverse->gone = 0;
  }
  for (int32_t i = 0; i < STEP; i++) voice->samples[i] += inverse->sum[inverse->gone + i];
  inverse->gone += STEP;
}
