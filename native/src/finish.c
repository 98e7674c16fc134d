/* Finishes a rendered sound: no offset and subsonics, start and end at zero, a level (synthesis/finish.py). */
#include "finish.h"
#include "view.h"

static const double SUBSONIC = 10.0, TAIL_DB = -72.0, ONSET_DB = -60.0, CEILING_DB = -0.1; /* Hz, dB of the peak, dBFS */
static const double ONSET_SECONDS = 0.00025;
enum { PEAK, LOUDNESS, KEEP };

double absolute_peak(const double *samples, size_t n) {
  double lanes[4] = {0.0, 0.0, 0.0, 0.0};
  size_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (size_t k = 0; k < 4; k++) {
      double size = __builtin_fabs(samples[i + k]);
      lanes[k] = size > lanes[k] ? size : lanes[k];
    }
  for (; i < n; i++) lanes[0] = __builtin_fabs(samples[i]) > lanes[0] ? __builtin_fabs(samples[i]) : lanes[0];
  for (int k = 1; k < 4; k++) lanes[0] = lanes[k] > lanes[0] ? lanes[k] : lanes[0];
  return lanes[0];
}

/* A sound in work memory: channel k from wave + k * stride + start, `size` samples. */
typedef struct {
  double *wave;
  size_t stride, start, size;
  int channels;
} Sound;

static double *channel(const Sound *sound, int k) { return sound->wave + (size_t)k * sound->stride + sound->start; }

static double peak_of(const Sound *sound) {
  double most = 0.0;
  for (int k = 0; k < sound->channels; k++) {
    double one = absolute_peak(channel(sound, k), sound->size);
    most = one > most ? one : most;
  }
  return most;
}

/* The mean of n samples, weighted by a Hann window without its zeros. Eight cosines at a time are turned on. */
static double hann_mean(const float *x, size_t n) {
  enum { LANES = 8 };
  double c[LANES], s[LANES], sums[LANES] = {0.0}, step = 1.0 / (double)(n + 1), sum = 0.0;
  for (int k = 0; k < LANES; k++) c[k] = ts_cos_turns((k + 1) * step), s[k] = ts_sin_turns((k + 1) * step);
  const double turn_c = ts_cos_turns(LANES * step), turn_s = ts_sin_turns(LANES * step);
  for (size_t i = 0; i < n; i += LANES) {
    if (i + LANES <= n) {
      for (int k = 0; k < LANES; k++) sums[k] += x[i + (size_t)k] * (0.5 - 0.5 * c[k]);
    } else {
      for (size_t k = 0; i + k < n; k++) sums[k] += x[i + k] * (0.5 - 0.5 * c[k]);
    }
    for (int k = 0; k < LANES; k++) {
      double next = c[k] * turn_c - s[k] * turn_s;
      s[k] = s[k] * turn_c + c[k] * turn_s;
      c[k] = next;
    }
  }
  for (int k = 0; k < LANES; k++) sum += sums[k];
  return sum / ((double)(n + 1) / 2.0);
}

/* The audio in double precision, without the offset of its tail and without frequencies under 10 Hz. */
static void read_sound(const float *audio, size_t capacity, int rate, int subsonics, Sound *sound) {
  const size_t size = sound->size, least = (size_t)round_half_even(0.05 * rate), quarter = size / 4;
  size_t span = least > quarter ? least : quarter;
  span = span < size ? span : size;
  const Biquad filter = high_pass(SUBSONIC, rate);
  for (int k = 0; k < sound->channels; k++) {
    const float *from = audio + (size_t)k * capacity;
    double *to = channel(sound, k), offset = 0.0;
    if (!subsonics && (double)size >= 0.02 * rate) offset = hann_mean(from + size - span, span);
    for (size_t i = 0; i < size; i++) to[i] = (double)from[i] - offset;
    if (!subsonics) biquad_run(&filter, to, size);
  }
}

static size_t ramp_of(int rate) {
  const double wanted = round_half_even(ONSET_SECONDS * rate);
  return wanted > 2.0 ? (size_t)wanted : 2;
}

/* A short ramp is put before a sound that starts with a jump. */
static void start_at_zero(Sound *sound, size_t ramp) {
  double first = 0.0;
  for (int k = 0; k < sound->channels; k++) {
    double size = __builtin_fabs(channel(sound, k)[0]);
    first = size > first ? size : first;
  }
  if (first <= peak_of(sound) * ts_pow10(ONSET_DB / 20.0)) {
    for (int k = 0; k < sound->channels; k++) channel(sound, k)[0] = 0.0;
    return;
  }
  sound->start -= ramp, sound->size += ramp;
  for (int k = 0; k < sound->channels; k++) {
    double *at = channel(sound, k);
    for (size_t i = 0; i < ramp; i++) at[i] = at[ramp] * (0.5 - 0.5 * ts_cos_turns((double)i / (double)ramp / 2.0));
  }
}

static void cut_tail(Sound *sound) {
  const double peak = peak_of(sound), least = peak * ts_pow10(TAIL_DB / 20.0);
  size_t end = 0;
  if (!(peak > 0.0)) return;
  for (int k = 0; k < sound->channels; k++) {
    const double *at = channel(sound, k);
    size_t i = sound->size;
    while (i > end && __builtin_fabs(at[i - 1]) <= least) i--;
    end = i;
  }
  if (end + 1 < sound->size) sound->size = end + 1; /* one sample more, to be the zero at the end */
}

static void fade_out(Sound *sound, int rate, double share) {
  const double size = (double)sound->size, whole = share * size > 0.003 * rate ? share * size : 0.003 * rate;
  double wanted = whole < 0.06 * rate ? whole : 0.06 * rate;
  wanted = wanted < size / 3.0 ? wanted : size / 3.0;
  const size_t count = wanted > 1.0 ? (size_t)wanted : 1;
  double turns[64], sine[64], cosine[64];
  for (size_t i = 0; i < count; i += 64) {
    const size_t n = count - i < 64 ? count - i : 64;
    for (size_t j = 0; j < n; j++) turns[j] = (double)(i + j + 1) / (double)count / 2.0;
    ts_sincos_turns_array(turns, sine, cosine, n);
    for (int k = 0; k < sound->channels; k++) {
      double *at = channel(sound, k) + (sound->size - count) + i;
      for (size_t j = 0; j < n; j++) at[j] *= 0.5 + 0.5 * cosine[j];
    }
  }
  for (int k = 0; k < sound->channels; k++) channel(sound, k)[sound->size - 1] = 0.0;
}

/* The factor that sets the level, with a peak of at most the ceiling. */
static Status gain_of(const Sound *sound, int rate, const Finish *options, double *out, Arena *work) {
  const double peak = peak_of(sound);
  *out = 1.0;
  if (!(peak > 0.0)) return TS_OK;
  const double ceiling = ts_pow10(CEILING_DB / 20.0) / peak;
  if (options->level == PEAK) *out = ts_pow10(options->target_db / 20.0) / peak;
  if (options->level == KEEP) *out = peak <= 1.0 ? 1.0 : ceiling;
  if (options->level != LOUDNESS) return TS_OK;
  double loudness;
  Status status = loudest_loudness(channel(sound, 0), sound->channels, sound->stride, sound->size, rate, &loudness, work);
  if (status != TS_OK || loudness < -1e6) return status;
  const double wanted = ts_pow10((options->target_db - loudness) / 20.0);
  *out = wanted < ceiling ? wanted : ceiling;
  return TS_OK;
}

/* Whether all samples are finite; sounding: whether one is not zero. */
static int finite(const float *audio, size_t n, int *sounding) {
  int bad = 0, some = 0;
  for (size_t i = 0; i < n; i++) bad |= !(__builtin_fabsf(audio[i]) <= 3.4e38f), some |= audio[i] != 0.0f;
  *sounding |= some;
  return !bad;
}

Status finish_sound(float *audio, int channels, int64_t *samples, int64_t capacity, int rate, const Finish *options, Arena *work) {
  const double target = options->target_db;
  if (channels < 1 || *samples < 1 || *samples > capacity || rate < 1000 || rate > 768000) return TS_ARGUMENT;
  if (options->level < PEAK || options->level > KEEP || !(target >= -100.0 && target <= 0.0)) return TS_ARGUMENT;
  const size_t size = (size_t)*samples, used = work->used, room = (size_t)capacity;
  const size_t ramp = ramp_of(rate);
  int sounding = 0;
  for (int k = 0; k < channels; k++)
    if (!finite(audio + (size_t)k * room, size, &sounding)) return TS_ARGUMENT;
  if (!sounding) return TS_OK;
  Sound sound = {NULL, size + ramp, ramp, size, channels};
  sound.wave = TAKE(work, double, sound.stride * (size_t)channels);
  if (sound.wave == NULL) return TS_MEMORY;
  read_sound(audio, room, rate, options->subsonics, &sound);
  if (options->trim) {
    start_at_zero(&sound, ramp);
    cut_tail(&sound);
  }
  fade_out(&sound, rate, options->trim ? 0.05 : 0.0);
  double gain;
  Status status = gain_of(&sound, rate, options, &gain, work);
  if (status == TS_OK && sound.size > room) status = TS_MEMORY;
  for (int k = 0; k < channels && status == TS_OK; k++) {
    const double *from = channel(&sound, k);
    float *to = audio + (size_t)k * room;
    for (size_t i = 0; i < sound.size; i++) to[i] = (float)(from[i] * gain);
    for (size_t i = sound.size; i < size; i++) to[i] = 0.0f;
  }
  if (status == TS_OK) *samples = (int64_t)sound.size;
  work->used = used;
  return status;
}

size_t finish_work_size(int channels, int64_t samples, int rate) {
  const size_t n = (size_t)samples + ramp_of(rate), window = (size_t)rate; /* the loudness pads to 0.4 s */
  return ((size_t)channels * n + 2 * (n > window ? n : window)) * sizeof(double) + 8 * 64;
}
